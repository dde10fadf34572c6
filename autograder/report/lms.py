"""Grades into files that a learning management system exported: Canvas's grade book, Moodle's grading worksheet.

Only the grade column of rows that are there already is filled in, every other cell stays as it was. A student without a row, a
row without a result and an assignment without a column are listed: both systems would invent what a file adds.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Any

from autograder.authoring.course import CourseError

CANVAS_ASSIGNMENT = re.compile(r"(?P<title>.*\S)\s+\((?P<id>\d+)\)")
CANVAS_IDENTITY = ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
MOODLE_IDENTIFIER, MOODLE_GRADE, MOODLE_MAXIMUM, MOODLE_OPEN = "Identifier", "Grade", "Maximum Grade", "Grade can be changed"
MOODLE_IDENTITY = (MOODLE_IDENTIFIER, "ID number", "Username", "Email address")


class LmsError(CourseError):
    """The exported file cannot be filled in; the message is one line that says what was expected."""


@dataclass(frozen=True)
class Filled:
    """A filled-in file, and what its reader must know.

    Attributes:
        filled: students whose grade was written.
        changed: those among them whose row had another grade.
        without_row: students with a result and no row, or more than one row.
        without_result: rows that were left as they were, by the text of their first cells.
        without_score: students whom we could not grade, left as they were.
        closed: students whose row must not be changed (excused, not assigned, locked).
    """

    text: str
    column: str
    filled: tuple[str, ...]
    changed: tuple[str, ...]
    without_row: tuple[str, ...]
    without_result: tuple[str, ...]
    without_score: tuple[str, ...]
    closed: tuple[str, ...]


def canvas(exported: str, results: dict[str, Any], column: str | None = None, scale: bool = False) -> Filled:
    """Fill in a grade book that Canvas exported.

    Args:
        results: as `autograder.report.json` gives them.
        column: the assignment's header, title or number in Canvas; by default the title that is the assignment's id, or
            its name without the number in front.
        scale: convert points when Canvas's maximum is another than ours.
    Raises:
        LmsError: no Canvas export, no such column, several of them, or another maximum.
    """
    table = _Table(exported)
    if not {"ID", "Section"} <= set(table.header):
        raise LmsError("expected a grade book exported from Canvas, with columns ID and Section. "
                       f"Received: {_listed(table.header)}")
    place = _canvas_column(table.header, results["assignment"], column)
    first = next((row for row in table.rows if row and row[0].strip() == "Points Possible"), None)
    if first is None:
        raise LmsError("expected a row 'Points Possible' under the header, as Canvas exports it; found none")
    if "read only" in first[place]:
        raise LmsError(f"expected a column that can be filled in; Canvas marks {table.header[place]} as read only")
    students = [row for row in table.rows if row is not first and row[0].strip() and len(row) == len(table.header)]
    identity = [table.header.index(name) for name in CANVAS_IDENTITY if name in table.header]
    closed = lambda row: row[place].strip().upper() in ("EX", "N/A")  # noqa: E731
    return _fill(table, students, identity, place, results, lambda row: first[place], closed, scale)


def moodle(exported: str, results: dict[str, Any], column: str | None = None, scale: bool = False,
           identity: str | None = None) -> Filled:
    """Fill in a grading worksheet that Moodle exported for one assignment.

    Args:
        column: the header of the grades, which Moodle translates.
        identity: the header of the column that holds our students' names; by default every one known that is there.

    The other arguments, and what it raises, are those of `canvas`.
    """
    table = _Table(exported)
    grade = column or MOODLE_GRADE
    names = [identity] if identity else [name for name in MOODLE_IDENTITY if name in table.header]
    if grade not in table.header or not names or names[0] not in table.header:
        raise LmsError(f"expected a Moodle worksheet with a column {grade} and a column {identity or MOODLE_IDENTIFIER}; in "
                       f"another language name them with --column and --identity. Received: {_listed(table.header)}")
    place = table.header.index(grade)
    at = {name: table.header.index(name) for name in (MOODLE_MAXIMUM, MOODLE_OPEN) if name in table.header}
    closed = lambda row: MOODLE_OPEN in at and row[at[MOODLE_OPEN]].strip().lower() == "no"  # noqa: E731
    maximum = lambda row: row[at[MOODLE_MAXIMUM]] if MOODLE_MAXIMUM in at else ""  # noqa: E731
    students = [row for row in table.rows if len(row) == len(table.header)]
    return _fill(table, students, [table.header.index(name) for name in names], place, results, maximum, closed, scale)


def _fill(table, rows, identity: list[int], place: int, results, maximum, closed, scale: bool) -> Filled:
    of: dict[str, list[list[str]]] = {}
    for row in rows:
        for key in {_key(row[i]) for i in identity} - {""}:
            of.setdefault(key, []).append(row)
    filled, changed, without_row, without_score, locked, met = [], [], [], [], [], []
    for submission in results["submissions"]:
        student, found = submission["student"], of.get(_key(submission["student"]), [])
        if len(found) != 1 or any(found[0] is row for row in met):
            without_row.append(student)
            continue
        row = found[0]
        met.append(row)
        if closed(row):
            locked.append(student)
        elif submission["score"] is None:
            without_score.append(student)
        else:
            text = _points(submission["score"], submission["max_score"], maximum(row), table.header[place], scale)
            if row[place].strip() and _number(row[place]) != _number(text):
                changed.append(student)
            row[place] = text
            filled.append(student)
    left = [", ".join(cell.strip() for cell in row[:2]) for row in rows if not any(row is other for other in met)]
    return Filled(table.text(), table.header[place], *map(tuple, (filled, changed, without_row, left, without_score, locked)))


def _canvas_column(header: list[str], assignment: str, wanted: str | None) -> int:
    known = {i: found for i, name in enumerate(header) if (found := CANVAS_ASSIGNMENT.fullmatch(name.strip()))}
    if wanted is None:
        names = {_plain(assignment), _plain(re.sub(r"^a\d+_", "", assignment))}
        places = [i for i, found in known.items() if _plain(found["title"]) in names]
    else:
        places = [i for i, found in known.items() if wanted in (header[i].strip(), found["title"], found["id"])]
    if len(places) != 1:
        raise LmsError(f"expected one assignment called {wanted or assignment}; found {len(places)}. Create it in Canvas, export "
                       f"again, or name one with --column: {_listed(header[i] for i in known)}")
    return places[0]


def _points(score: int, ours: int, theirs: str, column: str, scale: bool) -> str:
    maximum = _number(theirs)
    if maximum is None or maximum == ours:
        return str(score)
    if not scale:
        raise LmsError(f"expected {column} to have {ours} points; it has {theirs.strip()}. Change it there, or pass --scale")
    text = f"{score / ours * maximum:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if "," in theirs else text


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _key(text: str) -> str:
    return text.strip().casefold()


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def _listed(names) -> str:
    return ", ".join(name.strip() for name in names) or "none"


class _Table:
    """A CSV file as rows, written back with the separator, byte order mark and line ends it came with."""

    def __init__(self, exported: str):
        self.mark = "\ufeff" if exported.startswith("\ufeff") else ""
        exported = exported.removeprefix("\ufeff")
        first = exported.split("\n", 1)[0]
        self.separator = max(",;\t", key=first.count)
        self.end = "\r\n" if "\r\n" in exported else "\n"
        try:
            rows = list(csv.reader(io.StringIO(exported, newline=""), delimiter=self.separator, strict=True))
        except csv.Error as error:
            raise LmsError(f"expected a CSV file; it cannot be read ({error})") from None
        if not rows:
            raise LmsError("expected a CSV file with a header; the file is empty")
        self.header, self.rows = rows[0], rows[1:]

    def text(self) -> str:
        return self.mark + "".join(self._line(row) + self.end for row in [self.header, *self.rows])

    def _line(self, row: list[str]) -> str:
        file = io.StringIO(newline="")
        # With this line end the writer quotes cells that hold either kind of it.
        csv.writer(file, delimiter=self.separator, lineterminator="\r\n").writerow(row)
        return file.getvalue().removesuffix("\r\n")
