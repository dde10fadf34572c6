"""What goes wrong in an author's own files, as a file, a line and one sentence."""

from __future__ import annotations

import contextlib
import linecache
import traceback
from collections.abc import Iterator
from pathlib import Path

MOST_SAID = 300  # characters of what an exception says


class DeclarationError(ValueError):
    """An assignment is declared in a way that could not be graded fairly; the message is what its author reads."""


@contextlib.contextmanager
def blamed(folder: Path, what: str = "") -> Iterator[None]:
    """Whatever is raised within, where an author's code runs, becomes a `DeclarationError` that says where it stands.

    Args:
        folder: of the assignment.
        what: was being done, to begin the sentence with: "double.random_numbers: ".
    """
    try:
        yield
    except DeclarationError as error:
        placed = str(error).startswith(_shown(Path(folder).resolve()))  # further in
        raise DeclarationError(f"{'' if placed else where(error, folder)}{error}") from None
    except Exception as error:
        raise DeclarationError(f"{where(error, folder)}{what}{sentence(error)}") from error


def sentence(error: BaseException) -> str:
    """An exception's type and the first line that it says."""
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    first = next((line.strip() for line in said.splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:MOST_SAID]}" if first else type(error).__name__


def where(error: BaseException, folder: Path) -> str:
    """"solutions/a4_cross_entropy/questions.py, line 12: " for the innermost line of the author's that it came from; else ""."""
    folder = Path(folder).resolve()
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno or 1))
    for filename, line in reversed(places):
        if filename.startswith(f"<{folder.name}:"):
            return f"{_shown(folder)}/lesson.py, line {_line_of_lesson(folder, filename, line)}: "
        if (path := Path(filename)).suffix == ".py" and path.is_absolute() and path.resolve().parent == folder:
            return f"{_shown(folder)}/{path.name}, line {line}: "
    return ""


def _shown(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _line_of_lesson(folder: Path, filename: str, line: int) -> int:
    """A cell's line as a line of the lesson, in which the cell stands as it is."""
    cell = [text.rstrip("\n") for text in linecache.getlines(filename)]
    lesson = (folder / "lesson.py").read_text(encoding="utf-8").splitlines()
    start = next((i for i in range(len(lesson)) if lesson[i:i + len(cell)] == cell), 0)
    return start + line
