"""The cells of a notebook file as plain data, within bounds: what a stranger's JSON can cost is decided here.

A small file is read where it is asked for. A larger one is read by a process of its own, which runs this file alone (it
imports nothing of the kit's) with a bound on its memory: 50 MB of `[[],[],…` are gigabytes of lists.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile

SMALL = 2**20  # bytes; at most 30 times as much memory
MAX_CELLS = 2000
MAX_SOURCES = 4 * 2**20  # characters of all cells
MEMORY = 280 * 2**20  # bytes of the process that reads a large file; what it gives back is bounded by MAX_SOURCES
SECONDS = 60
MAX_BYTES = 50 * 2**20  # of a notebook file, outputs included; of one in a zip, too
NOTEBOOK = re.compile(r"\.ipynb(\.(txt|json|download))?$", re.IGNORECASE)  # with what browsers and mail programs add
ZIP = b"PK\x03\x04"
AGAIN = "Jupyter cannot open it either:"  # so that "open it and save it again" would be no advice
ENCODED = "The file is not encoded as UTF-8 and was read as {}: Jupyter cannot open it. Save it as UTF-8."
PAGE = "the file is a web page. Download the notebook itself: its first character is {."
LFS_POINTER = "version https://git-lfs.github.com/spec/"  # how one begins
# What is handed in for a notebook: how it begins, what it is, and what to do.
TAKEN_FOR_ONE = (
    (LFS_POINTER, "the file is a Git LFS pointer, which stands for a notebook that was not fetched. Run `git lfs pull` in its "
                  "repository and hand in the notebook itself."),
    ("<!doctype", PAGE), ("<html", PAGE),
    ("%pdf", "the file is a PDF. Hand in the .ipynb file that it was made from."),
)
CONFLICT = re.compile(r"^<{7} [^\n]*\n.*?^={7}$.*?^>{7} ", re.MULTILINE | re.DOTALL)


class NotCells(ValueError):
    """The file is no notebook that is read; the message is one line."""


class OlderFormat(ValueError):
    """The notebook is of format 3; holds it."""


def parse(raw: bytes) -> tuple[list[dict], list[str]]:
    """The cells of a notebook as dictionaries with `cell_type`, `source`, `id`, `grade_id` and `tags`; oddities of the file.

    A zip with one notebook in it is taken for that notebook.

    Raises:
        OlderFormat: a small notebook of format 3.
        NotCells: it is no notebook, or beyond the bounds.
    """
    if len(raw) <= SMALL and not raw.startswith(ZIP):
        return _parse(raw)
    try:
        done = subprocess.run([sys.executable, "-I", "-S", __file__], input=raw, capture_output=True, timeout=SECONDS, env={})
        answer = json.loads(done.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        raise NotCells("expected a notebook; reading this one takes more memory or time than a notebook may. Delete its "
                       "outputs, save it in Jupyter and hand it in again.") from None
    if isinstance(answer, str):
        raise NotCells(answer)
    return tuple(answer)


def _parse(raw: bytes) -> tuple[list[dict], list[str]]:
    text, notes = _text(raw)
    del raw
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotCells(f"expected a notebook; {_instead(text, error)}") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        raise OlderFormat(notebook)
    if not isinstance(cells, list):
        raise NotCells("expected a Jupyter notebook with a list of cells; this JSON file has none. Hand in the .ipynb file.")
    return bounded([cell for cell in cells if isinstance(cell, dict)]), notes


def _text(raw: bytes) -> tuple[str, list[str]]:
    """A file's text, and a note when its encoding is another than a notebook's: what is meant is plain all the same."""
    encoding = json.detect_encoding(raw)
    if not encoding.startswith("utf-8"):
        return raw.decode(encoding, "replace"), [ENCODED.format(encoding.upper())]
    try:
        return raw.decode("utf-8-sig"), []
    except ValueError:  # code is ASCII but for comments and texts: Windows' own encoding gives it as it was
        return raw.decode("cp1252", "replace"), [ENCODED.format("Windows-1252")]


def _instead(text: str, error: Exception) -> str:
    """What a file holds that is no JSON, and what to do."""
    start = text[:200].lstrip().lower()
    for sign, what in TAKEN_FOR_ONE:
        if start.startswith(sign):
            return what
    if found := CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        return f"the file holds the marks of a Git conflict (line {line}). {AGAIN} `git checkout HEAD~1 -- FILE` brings back " \
               "the version of one commit before. Hand in a version that Jupyter opens."
    where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
    return f"the file is not valid JSON ({where}): it is damaged, or not all of it has arrived. {AGAIN} hand in a version that " \
           "opens there, such as the last checkpoint in the folder .ipynb_checkpoints."


def _unzipped(raw: bytes) -> bytes:
    """The one notebook of a zip.

    Raises:
        NotCells: there is none, there are several, or the zip cannot be opened.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            names = [name for name in file.namelist() if NOTEBOOK.search(name) and
                     not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))]
            if len(names) == 1:
                with file.open(names[0]) as member:
                    content = member.read(MAX_BYTES + 1)
                if len(content) <= MAX_BYTES:
                    return content
                raise NotCells(f"expected a notebook of at most {MAX_BYTES // 2**20} MB; the one in this zip is larger. Delete "
                               "its outputs.")
    except NotCells:
        raise
    except Exception:  # damaged, encrypted, or made to break what reads it
        raise NotCells("expected a notebook; this is a zip that cannot be opened. Hand in the .ipynb file itself.") from None
    found = ", ".join("".join(c if c.isprintable() else "?" for c in name[-60:]) for name in names[:5]) or "none"
    raise NotCells(f"expected one notebook in the zip. Found: {found}. Hand in the .ipynb file itself.")


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
    metadata = found if isinstance(found := cell.get("metadata"), dict) else {}
    nbgrader = found if isinstance(found := metadata.get("nbgrader"), dict) else {}
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        source = ""
    source = source.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")  # as editors on Windows leave it
    # Lone surrogates are legal in JSON and in no file: replace them before anything tries to encode them.
    source = source.encode("utf-8", "replace").decode()
    text = lambda value: value[:200].encode("utf-8", "replace").decode() if isinstance(value, str) else None  # noqa: E731
    tags = found if isinstance(found := metadata.get("tags"), list) else []
    return {"cell_type": text(cell.get("cell_type")), "source": source, "id": text(cell.get("id")),
            "grade_id": text(nbgrader.get("grade_id")), "tags": [text(tag) for tag in tags[:50] if isinstance(tag, str)]}


def main() -> None:
    """Read a notebook from standard input; write its cells, or why there are none, as JSON."""
    import contextlib

    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        raw = sys.stdin.buffer.read()
        answer: object = _parse(_unzipped(raw) if raw.startswith(ZIP) else raw)
    except NotCells as error:
        answer = str(error)
    except OlderFormat:
        answer = "expected a notebook of format 4; this one is older and large. Open it in Jupyter and save it again."
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
