"""A student's notebook, merged onto the instructor's skeleton: what of it is run, in which order.

A notebook is data from a stranger. Only the sources of solution cells, and of code cells that the student added, are taken
from it. Order, locked cells and points come from the skeleton (the released notebook); metadata is used for nothing
but to recognise cells.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.files import NotRegular, read_regular
from autograder.grading.cells import MAX_BYTES, NOTEBOOK, NotCells, OlderFormat, bounded, parse

if TYPE_CHECKING:  # nbformat takes a second to import, which `from autograder import check` should not take in every notebook
    import nbformat

MOST_ENTRIES = 10_000  # of a directory that are looked at
MOST_NAMED = 5  # files that one message names
MAX_SOURCE = 2**20  # characters of one cell
TIMESTAMP = "timestamp.txt"  # beside a notebook: when it was handed in, as nbgrader has it
STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")  # nbgrader's own, so that both tools write the same stub


class Unreadable(ValueError):
    """A submission that cannot be graded; the message is one line for the report."""


@dataclass(frozen=True)
class RunCell:
    """One code cell to run. `question` names the question whose solution cell it is, if any."""

    id: str
    source: str
    question: str | None = None
    added: bool = False


@dataclass(frozen=True)
class Submission:
    """What a student handed in, ready to run.

    Attributes:
        cells: in the order they run; a solution cell that still holds the stub is not among them.
        notes: oddities of the notebook, a line each.
    """

    student: str
    cells: tuple[RunCell, ...]
    notes: tuple[str, ...]


def find_notebook(folder: Path, name: str) -> tuple[Path, tuple[str, ...]]:
    """The notebook in a submission's folder, and a note when it is not where, or called what, it should be.

    It is the one called `name`; else the only one there, one folder down, or in a zip, in this order. Hidden files are none.

    Raises:
        Unreadable: there is none, there are several under other names, or the folder is a link.
    """
    if folder.is_symlink():  # it could lead to another student's work, or to the answers
        raise Unreadable("expected a directory; this is a link. Hand in the files themselves.")
    files, folders = _listed(folder)
    if folder / f"{name}.ipynb" in files:
        return folder / f"{name}.ipynb", ()
    further = [file for inner in folders for file in _listed(inner)[0]]
    for place in ([file for file in files if _is_notebook(file, name)], [file for file in further if _is_notebook(file, name)],
                  [file for file in (*files, *further) if file.suffix.lower() == ".zip"]):
        called = [file for file in place if _stem(file) == _stem(Path(name))]
        if len(called or place) > 1:
            raise Unreadable(f"expected {name}.ipynb in the submission. Found: {_names(called or place, folder)}. Hand in the "
                             "one that counts, under this name.")
        for file in called or place:
            return file, (f"The notebook is {_names([file], folder)}; expected {name}.ipynb.",)
    found = _names([*files, *folders], folder, folders) or "none"
    raise Unreadable(f"expected {name}.ipynb in the submission; there is no notebook. Found: {found}. Hand in the .ipynb file.")


def beside(notebook: Path) -> str:
    """The names of other notebooks in a notebook's directory and one folder down: "" when there are none."""
    files, folders = _listed(notebook.parent)
    others = [file for file in (*files, *(file for inner in folders for file in _listed(inner)[0]))
              if NOTEBOOK.search(file.name) and file != notebook]
    return _names(others, notebook.parent)


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files, links among them, and the directories in a directory, by name, without hidden ones and what macOS adds."""
    try:
        with os.scandir(folder) as entries:
            seen = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in itertools.islice(entries, MOST_ENTRIES)
                          if not entry.name.startswith((".", "__MACOSX")))
    except OSError:  # closed to us, or gone
        seen = []
    return [folder / name for name, inner in seen if not inner], [folder / name for name, inner in seen if inner]


def _is_notebook(file: Path, name: str) -> bool:
    return bool(NOTEBOOK.search(file.name)) or file.suffix.lower() in (".json", ".txt") and _stem(file) == _stem(Path(name))


def _stem(file: Path) -> str:
    """A file's name without what says that it is a notebook, however its letters are written."""
    name = NOTEBOOK.sub("", file.name)
    name = re.sub(r"\.(zip|json|txt)$", "", name, flags=re.IGNORECASE)
    return unicodedata.normalize("NFC", name).casefold()


def _names(paths: list[Path], folder: Path, folders: Sequence[Path] = ()) -> str:
    """Some of the paths below a folder, as a message names them; those in `folders` end with a slash."""
    names = [_clip(str(path.relative_to(folder))) + "/" * (path in folders) for path in paths]
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def read_submission(path: Path, skeleton: nbformat.NotebookNode, student: str, notes: tuple[str, ...] = ()) -> Submission:
    """Read a student's notebook and merge it onto the skeleton.

    Raises:
        Unreadable: the file is no notebook.
    """
    cells, oddities = read_notebook(path)
    submission = merge(cells, skeleton, student, (*notes, *oddities))
    if others := beside(path):
        untouched = not any(cell.question or cell.added for cell in submission.cells)
        note = f"{'It is as it was handed out, and b' if untouched else 'B'}eside it lies what was not graded: {others}."
        submission = replace(submission, notes=(*submission.notes, note))
    return submission


def read_cells(path: Path) -> list[dict]:
    """The cells that `read_notebook` gives.

    Raises:
        Unreadable: as there.
    """
    return read_notebook(path)[0]


def read_notebook(path: Path) -> tuple[list[dict], tuple[str, ...]]:
    """The cells of a notebook file, as `cells.parse` gives them, and oddities of the file, a line each.

    Raises:
        Unreadable: the file is missing, not regular, too large, or no notebook.
    """
    try:
        raw = read_regular(path, MAX_BYTES)
    except NotRegular as error:
        raise Unreadable(f"expected a notebook of at most {MAX_BYTES // 2**20} MB; {error}. Hand in the file itself, without its "
                         "outputs.") from None
    if not raw.strip(b"\0 \t\r\n"):
        raise Unreadable("expected a notebook; the file is empty: it was not saved, or has not arrived. Hand it in again.")
    try:
        cells, oddities = _cells(raw)
        return cells, tuple(oddities)
    except NotCells as error:
        raise Unreadable(str(error)) from None


def _cells(raw: bytes) -> tuple[list[dict], list[str]]:
    try:
        return parse(raw)
    except OlderFormat as error:
        import nbformat

        try:
            cells = nbformat.convert(nbformat.from_dict(error.args[0]), 4)["cells"]
        except Exception as problem:
            raise NotCells(f"expected a notebook of format 4; this one is older and cannot be converted "
                           f"({type(problem).__name__}). Open it in Jupyter and save it again.") from None
        return bounded([cell for cell in cells if isinstance(cell, dict)]), []


def merge(cells: list[dict], skeleton: nbformat.NotebookNode, student: str, notes: tuple[str, ...] = ()) -> Submission:
    """Put a student's cells in the skeleton's order, each added cell after the skeleton cell it followed."""
    answers, added, oddities = _sorted(cells, skeleton)
    # A copy that still holds the stub is a backup; of several answers all run, so that the last counts, as in Jupyter.
    written = {cell.id: [source for source in answers.get(cell.id, []) if _written(source, cell)]
               for cell in skeleton.cells if _role(cell) == "solution"}
    elsewhere = [name for name, sources in written.items() if not sources]  # if anywhere

    def own(place):
        return [RunCell(f"added-{number}", cell["source"], answered(cell["source"], elsewhere), added=True)
                for number, cell in added.get(place, [])
                if cell["cell_type"] == "code" and cell["source"].strip() and "demo" not in cell["tags"]]

    run = own(None)
    for cell in skeleton.cells:
        role = _role(cell)
        if role == "solution":
            run += [RunCell(cell.id, source, question=cell.id) for source in written[cell.id]]
            if cell.id not in answers and not any(answered(other["source"], [cell.id]) for other in cells):
                oddities.append(f"The answer cell {cell.id} is missing.")
            elif (times := len(answers.get(cell.id, []))) > 1:
                oddities.append(f"The answer cell {cell.id} is there {times} times; the last answer in it counts.")
        elif role == "locked":
            run.append(RunCell(cell.id, cell.source))
        run += own(cell.id)
    oddities += [f"The cell {cell.id} holds more than {MAX_SOURCE:,} characters and was not run."
                 for cell in run if len(cell.source) > MAX_SOURCE]
    run = [cell for cell in run if len(cell.source) <= MAX_SOURCE]
    return Submission(student, tuple(run), tuple(dict.fromkeys([*notes, *oddities])))


def merged_notebook(cells: list[dict], skeleton: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The skeleton with a student's answers and added cells in it: what a person reads. Nothing else of theirs is in it."""
    import nbformat

    answers, added, _ = _sorted(cells, skeleton)
    notebook = nbformat.from_dict(json.loads(json.dumps(skeleton)))

    def own(place):
        for number, cell in added.get(place, []):
            new = nbformat.v4.new_code_cell if cell["cell_type"] == "code" else nbformat.v4.new_markdown_cell
            if cell["source"].strip():
                yield new(cell["source"][:MAX_SOURCE], id=f"added-{number}")

    merged = list(own(None))
    for cell in notebook.cells:
        if _role(cell) in ("solution", "written"):
            written = [source for source in answers.get(cell.id, []) if _written(source, cell)]
            cell.source = written[-1][:MAX_SOURCE] if written else cell.source
        merged += [cell, *own(cell.id)]
    notebook.cells = merged
    return notebook


def _sorted(cells: list[dict], skeleton) -> tuple[dict[str, list[str]], dict[str | None, list[tuple[int, dict]]], list[str]]:
    """A student's cells: answers by name, added cells by the skeleton cell they follow, and what is odd about them."""
    known = {cell.id: cell for cell in skeleton.cells}
    names = _recognised(cells, known)
    answers: dict[str, list[str]] = {}
    added: dict[str | None, list[tuple[int, dict]]] = {}
    oddities = []
    previous = None  # the skeleton cell that an added one follows
    for number, (cell, name) in enumerate(zip(cells, names)):
        role = _role(known[name]) if name else None
        if name and role in ("solution", "written"):
            answers.setdefault(name, []).append(cell["source"])
        elif name and role == "locked" and _lines(cell["source"]) != _lines(known[name].source):
            oddities.append(f"The locked cell {name} was changed; the original was used.")
        elif role is None:
            added.setdefault(previous, []).append((number, cell))
        previous = name or previous
    return answers, added, oddities


def _recognised(cells: list[dict], known: dict) -> list[str | None]:
    """The skeleton cell that each of a student's cells is, if any.

    Where an editor has thrown away ids and metadata, a cell is known by its text, and an answer by the name that it defines.
    """
    names = [next((name for name in (cell["grade_id"], cell["id"]) if name in known), None) for cell in cells]
    missing = {_lines(cell.source): name for name, cell in known.items() if name not in names}
    questions = [name for name, cell in known.items() if name not in names and _role(cell) == "solution"]
    for number, cell in enumerate(cells):
        if names[number] is None and cell["source"].strip():
            names[number] = missing.pop(_lines(cell["source"]), None) or \
                (answered(cell["source"], questions) if cell["cell_type"] == "code" else None)
    return names


def answered(source: str, questions: Iterable[str]) -> str | None:
    """The first of these questions whose name a source's text gives a meaning."""
    binding = r"^(?:(?:async[ \t]+)?(?:def|class)[ \t]+{0}\b|{0}[ \t]*=(?!=)(?!.*\b{0}\b))"
    return next((name for name in questions if re.search(binding.format(re.escape(name)), source, re.MULTILINE)), None)


def is_stub(source: str) -> bool:
    """Is this an answer cell as it is handed out, as far as can be told without the course?"""
    return all(line in map(str.strip, source.splitlines()) for line in STUB)


def _written(source: str, cell) -> bool:
    """Is this more than the stub that was handed out?"""
    return _lines(source) not in ((), _lines(cell.source))


def _lines(source: str) -> tuple[str, ...]:
    """A source without what editors change by themselves: spaces at ends of lines, empty lines around it."""
    return tuple(line.rstrip() for line in source.strip().splitlines())


def _role(cell) -> str:
    """What a skeleton cell is: "solution", "written", "check", "locked", "demo" or "prose"."""
    metadata = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code":
        return "written" if metadata.get("solution") else "prose"
    return "solution" if metadata.get("solution") else "check" if metadata.get("grade") else \
        "locked" if metadata.get("locked") else "demo"


def printable(name: str) -> str:
    """A file's or student's name without characters that a terminal, a log or a browser would obey."""
    return "".join(character if character.isprintable() else "?" for character in name)


def _clip(name: str) -> str:
    name = printable(name)
    return name if len(name) <= 60 else name[:57] + "…"
