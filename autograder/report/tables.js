// Tables that sort by a click on a column's name; what is folded away is printed, but for lists of names.
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.closest("th"), table = head.closest("table"), column = head.cellIndex, body = table.tBodies[0];
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const compare = (a, b) => a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a.localeCompare(b);
  const rows = [...body.rows].map(row => [key(row), row]);
  rows.sort(([a], [b]) => a === "" ? b === "" ? 0 : 1 : b === "" ? -1 : up ? compare(a, b) : compare(b, a));
  body.append(...rows.map(([, row]) => row));
});
addEventListener("beforeprint", () => document.querySelectorAll("details:not(.who)").forEach(one => one.open = true));
