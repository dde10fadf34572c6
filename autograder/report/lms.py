"""Grades into files that a learning management system exported: Canvas's grade book, Moodle's grading worksheet, any other table.

Only the grade column of rows that are there already is filled in, and a column of comments where there is one; every other cell
stays as it was. A student without a row, a row without a result and an assignment without a column are listed: these systems
would invent what a file adds.
"""

from __future__ import annotations

import csv
import html
import io
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autograder.authoring.course import CourseError
from autograder.report.escape import one_line

CANVAS_ASSIGNMENT = re.compile(r"(?P<title>.*\S)\s+\((?P<id>\d+)\)")
CANVAS_IDENTITY = ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
MOODLE_IDENTIFIER, MOODLE_GRADE, MOODLE_FEEDBACK = "Identifier", "Grade", "Feedback comments"
MOODLE_IDENTITY = (MOODLE_IDENTIFIER, "ID number", "Username", "Email address")
MOODLE_OPEN, MOODLE_LOCKED = "yes", "no"
# A maximum in a header: `[100]`, `[Total Pts: 100 Score]`, `<Numeric MaxPoints:100>`.
IN_BRACKETS = re.compile(r"[\[<][^\]>\d]*(\d+(?:[.,]\d+)?)[^\]>]*[\]>]")
OURS = "<p><em>Automatic feedback</em></p>"  # how a comment of ours begins; another is somebody's own


class LmsError(CourseError):
    """The exported file cannot be filled in; the message is one line that says what was expected."""


@dataclass(frozen=True)
class Filled:
    """A filled-in file, and what its reader must know.

    Attributes:
        column: the header of the grades.
        maximum: whether the file says how many points there are at most, so that it could be compared with ours.
        comments: the header of the column with the students' hints; "" when there is none.
        filled: students whose grade was written.
        changed: those among them whose row had another grade.
        above: those among them with more than the maximum, as extra credit gives.
        commented: those among them whose row had a comment that is not ours; it was kept.
        without_row: students with a result and no row, or more than one row.
        without_result: rows that were left as they were, by the text of their first cells.
        without_score: students whom we could not grade, left as they were.
        closed: students whose row must not be changed (excused, not assigned, locked).
    """

    text: str
    column: str
    maximum: bool
    comments: str
    filled: tuple[str, ...]
    changed: tuple[str, ...]
    above: tuple[str, ...]
    commented: tuple[str, ...]
    without_row: tuple[str, ...]
    without_result: tuple[str, ...]
    without_score: tuple[str, ...]
    closed: tuple[str, ...]


@dataclass(frozen=True)
class _Places:
    """Where a table has what: columns by number, and what a row says."""

    grade: int
    identity: Callable[[list[str]], set[str]]
    maximum: Callable[[list[str]], str]
    closed: Callable[[list[str]], bool] = lambda row: False
    comments: int | None = None


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
    if first[place].strip() and _number(first[place]) is None:  # "(read only)", which Canvas translates, as nothing else here
        raise LmsError(f"expected a column that can be filled in; Canvas says {first[place]} of {table.header[place]}")
    students = [row for row in table.whole if row is not first and row[table.header.index("ID")].strip()]
    known = [table.header.index(name) for name in CANVAS_IDENTITY if name in table.header]
    return _fill(table, students, results, scale, _Places(
        place, lambda row: {row[i] for i in known}, lambda row: first[place],
        lambda row: row[place].strip().upper() in ("EX", "N/A")))


def moodle(exported: str, results: dict[str, Any], column: str | None = None, scale: bool = False, identity: str | None = None,
           unlocked: str | None = None, comments: str | None = None) -> Filled:
    """Fill in a grading worksheet that Moodle exported for one assignment.

    Moodle translates every header, and yes and no. In any language the maximum stands right of the grade, and after it, or after
    a state of marking, whether the grade can be changed.

    Args:
        column: the header of the grades.
        identity: the header of the column that holds our students' names; by default every one known that is there. The first
            column is also known by its number: "Participant 17" is 17.
        unlocked: what Moodle says of a grade that can be changed.
        comments: the header of the column for the students' hints.

    The other arguments, and what it raises, are those of `canvas`.
    """
    table = _Table(exported)
    grade = column or MOODLE_GRADE
    names = [identity] if identity else [name for name in MOODLE_IDENTITY if name in table.header]
    if grade not in table.header or not names or names[0] not in table.header:
        raise LmsError(f"expected a Moodle worksheet with a column {grade} and a column {identity or MOODLE_IDENTIFIER}; in "
                       f"another language name them with --column and --identity. Received: {_listed(table.header)}")
    place, known = table.place(grade, "--column"), [table.header.index(name) for name in names]
    _expect_points(table, place)
    lock, word = _moodle_lock(table, place, unlocked)

    def people(row: list[str]) -> set[str]:
        number = re.fullmatch(r"\D*[^\W\d_]\D*?(\d+)", row[0].strip())
        return {row[i] for i in known} | ({number[1]} if number else set())

    return _fill(table, table.whole, results, scale, _Places(
        place, people, lambda row: row[place + 1], lambda row: _key(row[lock]) != word,
        table.place(comments, "--comments") if comments else
        table.header.index(MOODLE_FEEDBACK) if MOODLE_FEEDBACK in table.header else None))


def table(exported: str, results: dict[str, Any], column: str, identity: str, maximum: str = "", scale: bool = False,
          comments: str | None = None) -> Filled:
    """Fill in a table of any origin: a column of grades, found by a column of names.

    Args:
        column: the header of the grades.
        identity: the header of the column that holds our students' names; a "#" in front of a name does not count.
        maximum: points at most in the column of grades; by default what its header says in brackets.
        comments: the header of a column for the students' hints, if any.

    The other arguments, and what it raises, are those of `canvas`.
    """
    found = _Table(exported)
    place, known = found.place(column, "--column"), found.place(identity, "--identity")
    said = IN_BRACKETS.search(found.header[place])
    most = maximum or (said[1] if said else "")
    return _fill(found, found.whole, results, scale, _Places(
        place, lambda row: {row[known]}, lambda row: most,
        comments=found.place(comments, "--comments") if comments else None))


def _fill(table: _Table, rows: list[list[str]], results: dict[str, Any], scale: bool, places: _Places) -> Filled:
    of: dict[str, list[list[str]]] = {}
    for row in rows:
        for key in set(map(_key, places.identity(row))) - {""}:
            of.setdefault(key, []).append(row)
    filled, changed, above, commented, without_row, without_score, locked = [], [], [], [], [], [], []
    met: list[list[str]] = []
    column = table.header[places.grade]
    for submission in results["submissions"]:
        student, found = submission["student"], of.get(_key(submission["student"]), [])
        if len(found) != 1 or any(found[0] is row for row in met):
            without_row.append(student)
            continue
        row = found[0]
        met.append(row)
        if places.closed(row):
            locked.append(student)
        elif submission["score"] is None:
            without_score.append(student)
        else:
            text = _points(submission["score"], submission["max_score"], places.maximum(row), column, scale)
            if row[places.grade].strip() and _number(row[places.grade]) != _number(text):
                changed.append(student)
            if submission["score"] > submission["max_score"]:
                above.append(student)
            row[places.grade] = text
            filled.append(student)
            if places.comments is not None:
                if row[places.comments].strip() and not row[places.comments].startswith(OURS):
                    commented.append(student)
                else:
                    row[places.comments] = _hints(submission)
    left = [", ".join(cell.strip() for cell in row[:2]) for row in rows if not any(row is other for other in met)]
    return Filled(table.text(), column, bool(rows) and all(_number(places.maximum(row)) is not None for row in rows),
                  "" if places.comments is None else table.header[places.comments],
                  *map(tuple, (filled, changed, above, commented, without_row, left, without_score, locked)))


def _hints(submission: dict[str, Any]) -> str:
    """What a student reads about each question, as HTML: messages may quote what a stranger wrote."""
    lines = [f"<p>{html.escape(one_line(submission['error']))}</p>"] if submission["error"] else []
    for question in submission["questions"]:
        score = "" if question["score"] is None else f" {question['score']} of {question['max_score']}"
        message = html.escape(one_line(question["message"]))
        lines.append(f"<p><strong>{html.escape(question['name'])}</strong>{score}: {message}</p>")
    if submission.get("penalty"):  # which only results that were `counted` tell
        lines.append(f"<p>Less for being late: {submission['penalty']}</p>")
    return "".join([OURS, *lines])


def _expect_points(table: _Table, place: int) -> None:
    """Is right of Moodle's grades a maximum?"""
    cells = [row[place + 1].strip() for row in table.whole] if place + 1 < len(table.header) else []
    if other := [cell for cell in cells if _number(cell) is None]:
        raise LmsError(f"expected the maximum right of {table.header[place]}, as Moodle writes it; found {other[0][:80]!r}. "
                       "A scale, or a column taken away? Let it be graded in points, and download the worksheet again.")
    if not cells:
        raise LmsError(f"expected the maximum right of {table.header[place]}, as Moodle writes it; found nothing there. "
                       "Download the worksheet again.")


def _moodle_lock(table: _Table, place: int, unlocked: str | None) -> tuple[int, str]:
    """The column that says whether a grade can be changed, and its word for yes."""
    columns = {i: {_key(row[i]) for row in table.whole} for i in (place + 2, place + 3) if i < len(table.header)}
    word = _key(unlocked or MOODLE_OPEN)
    for i, words in columns.items():
        if word in words if unlocked else words <= {MOODLE_OPEN, MOODLE_LOCKED}:
            return i, word
    found = sorted({row[place + 2].strip() for row in table.whole}) if columns else []
    raise LmsError(f"expected {unlocked or 'Yes or No'} some columns right of {table.header[place]}, where Moodle says "
                   f"whether a grade can be changed. Received: {_listed(found[:5])}. Name its word for yes with --unlocked WORD.")


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


def _points(score: float, ours: float, theirs: str, column: str, scale: bool) -> str:
    maximum = _number(theirs)
    if maximum is None or maximum == ours:
        maximum = ours
    elif not scale:
        raise LmsError(f"expected {column} to have {ours} points; it has {theirs.strip()}. Change it there, or pass --scale")
    text = f"{score / ours * maximum:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if "," in theirs else text


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _key(text: str) -> str:
    """What spellings of a name have in common: macOS takes letters apart from their accents, Brightspace puts "#" in front."""
    return unicodedata.normalize("NFC", text).strip().removeprefix("#").casefold()


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
        self.whole = [row for row in self.rows if len(row) == len(self.header)]

    def place(self, name: str, option: str) -> int:
        """The number of the column with this header.

        Raises:
            LmsError: there is none, or there are several.
        """
        places = [i for i, header in enumerate(self.header) if _key(header) == _key(name)]
        if len(places) != 1:
            raise LmsError(f"expected one column {name} ({option}); found {len(places)}. Received: {_listed(self.header)}")
        return places[0]

    def text(self) -> str:
        return self.mark + "".join(self._line(row) + self.end for row in [self.header, *self.rows])

    def _line(self, row: list[str]) -> str:
        file = io.StringIO(newline="")
        # With this line end the writer quotes cells that hold either kind of it.
        csv.writer(file, delimiter=self.separator, lineterminator="\r\n").writerow(row)
        return file.getvalue().removesuffix("\r\n")
