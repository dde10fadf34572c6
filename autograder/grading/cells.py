"""The cells of a notebook file as plain data, within bounds: what a stranger's JSON can cost is decided here.

A small file is read where it is asked for. A larger one is read by a process of its own, which runs this file alone (it
imports nothing of the kit's) with a bound on its memory: 50 MB of `[[],[],…` are gigabytes of lists.
"""

from __future__ import annotations

import json
import subprocess
import sys

SMALL = 2**20  # bytes; at most 30 times as much memory
MAX_CELLS = 2000
MAX_SOURCES = 4 * 2**20  # characters of all cells
MEMORY = 280 * 2**20  # bytes of the process that reads a large file; what it gives back is bounded by MAX_SOURCES
SECONDS = 60


class NotCells(ValueError):
    """The file is no notebook that is read; the message is one line."""


class OlderFormat(ValueError):
    """The notebook is of format 3; holds it."""


def parse(raw: bytes) -> list[dict]:
    """The cells of a notebook as dictionaries with `cell_type`, `source`, `id`, `grade_id` and `tags`.

    Raises:
        OlderFormat: a small notebook of format 3.
        NotCells: it is no notebook, or beyond the bounds.
    """
    if len(raw) <= SMALL:
        return _parse(raw)
    try:
        done = subprocess.run([sys.executable, "-I", "-S", __file__], input=raw, capture_output=True, timeout=SECONDS, env={})
        answer = json.loads(done.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        raise NotCells("expected a notebook; reading this one takes more memory or time than a notebook may. Delete its "
                       "outputs, save it in Jupyter and hand it in again.") from None
    if isinstance(answer, str):
        raise NotCells(answer)
    return answer


def _parse(raw: bytes) -> list[dict]:
    try:
        text = raw.decode("utf-8-sig")
        del raw
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise NotCells(f"expected a notebook; the file is not valid JSON ({where}). Open it in Jupyter, save it and hand it "
                       "in again.") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        raise OlderFormat(notebook)
    if not isinstance(cells, list):
        raise NotCells("expected a Jupyter notebook with a list of cells; this JSON file has none. Hand in the .ipynb file.")
    return bounded([cell for cell in cells if isinstance(cell, dict)])


def bounded(cells: list[dict]) -> list[dict]:
    """Cells as plain dictionaries.

    Raises:
        NotCells: they are too many, or hold too much.
    """
    if len(cells) > MAX_CELLS:
        raise NotCells(f"expected a notebook of at most {MAX_CELLS:,} cells; this one has {len(cells):,}. Delete those that are "
                       "not needed.")
    plain = [_plain(cell) for cell in cells]
    if (size := sum(len(cell["source"]) for cell in plain)) > MAX_SOURCES:
        raise NotCells(f"expected a notebook with at most {MAX_SOURCES:,} characters in its cells; this one has {size:,}. "
                       "Delete what is not needed.")
    return plain


def _plain(cell: dict) -> dict:
    metadata = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    nbgrader = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        source = ""
    # Lone surrogates are legal in JSON and in no file: replace them before anything tries to encode them.
    source = source.encode("utf-8", "replace").decode()
    text = lambda value: value[:200].encode("utf-8", "replace").decode() if isinstance(value, str) else None  # noqa: E731
    tags = metadata.get("tags") if isinstance(metadata.get("tags"), list) else []
    return {"cell_type": text(cell.get("cell_type")), "source": source, "id": text(cell.get("id")),
            "grade_id": text(nbgrader.get("grade_id")), "tags": [text(tag) for tag in tags[:50] if isinstance(tag, str)]}


def main() -> None:
    """Read a notebook from standard input; write its cells, or why there are none, as JSON."""
    import contextlib

    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        answer = _parse(sys.stdin.buffer.read())
    except NotCells as error:
        answer = str(error)
    except OlderFormat:
        answer = "expected a notebook of format 4; this one is older and large. Open it in Jupyter and save it again."
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
