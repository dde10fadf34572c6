"""A class in nbgrader's gradebook: the rows of many students are read at once, and written in one transaction.

nbgrader itself opens the database for every step of every notebook, and commits grade by grade. What its steps write is
written here, through its own tables: autograded points, comments on what was left blank, times and late penalties. What a
person added stays: points, comments, extra credit, flags.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nbgrader.api import Comment, Grade, Gradebook, Student, SubmittedAssignment, SubmittedNotebook, new_uuid
from sqlalchemy import insert, select, update

TABLES = (Student, SubmittedAssignment, SubmittedNotebook, Grade, Comment)  # each after those it refers to


@dataclass(frozen=True)
class Wanted:
    """What a student's rows are to say.

    Attributes:
        handed_in: when, in UTC; None when nobody knows, which leaves what is there.
        scores: points by graded cell; None where a person gives them.
        ungraded: graded cells that we failed to grade. Points from an earlier run stay, and wait for a person.
        failed: whether these are all that we were to grade. Of whom there are no points yet there is no submission then, because
            nbgrader adds up no points to 0; formgrader says that it needs autograding.
        blank: solution cells that hold what was handed out.
        same: whether the answer that a graded cell is about is the one that the notebook graded last holds.
    """

    student: str
    handed_in: datetime | None
    scores: Mapping[str, float | None]
    ungraded: Collection[str]
    failed: bool
    blank: Collection[str]
    same: Callable[[str], bool]


class Rows:
    """The rows of an assignment's submissions.

    Args:
        penalty: points that a submission loses, from the student's name, its points and the seconds it is late.
    Raises:
        MissingEntry: the gradebook does not have the notebook.
    """

    def __init__(self, gradebook: Gradebook, assignment: str, notebook: str,
                 penalty: Callable[[str, float, float], float | None]):
        found = gradebook.find_notebook(notebook, assignment)
        self._db, self._penalty = gradebook.db, penalty
        self._notebook, self._assignment, self._due = found.id, found.assignment.id, found.assignment.duedate
        self._graded = {cell.name: cell.id for cell in found.grade_cells}
        self._commented = {cell.name: cell.id for cell in found.solution_cells}
        self.checksums = {cell.name: cell.checksum for cell in found.source_cells}
        self._db.commit()

    def known(self, students: Collection[str]) -> set[str]:
        """Those among the students whom the gradebook knows, with or without a submission."""
        return set(self._db.scalars(select(Student.id).where(Student.id.in_(students))))

    def write(self, wanted: list[Wanted]) -> set[str]:
        """Have it all in the gradebook, or none of it.

        Returns:
            The students of whom something was not there before.
        Raises:
            SQLAlchemyError: the database refused it.
        """
        try:
            changes = self._changes(wanted)
            for table in TABLES:
                if rows := changes.new[table]:
                    self._db.execute(insert(table), rows)
                for rows in changes.other[table].values():
                    self._db.execute(update(table), rows)
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise
        return changes.students

    def _changes(self, wanted: list[Wanted]) -> _Changes:
        students = [one.student for one in wanted]
        submissions = self._read(SubmittedAssignment, "student_id", SubmittedAssignment.student_id.in_(students),
                                 SubmittedAssignment.assignment_id == self._assignment)
        ids = [row["id"] for row in submissions.values()]
        notebooks = self._read(SubmittedNotebook, "assignment_id", SubmittedNotebook.assignment_id.in_(ids),
                               SubmittedNotebook.notebook_id == self._notebook)
        ids = [row["id"] for row in notebooks.values()]
        grades = self._read(Grade, ("notebook_id", "cell_id"), Grade.notebook_id.in_(ids))
        comments = self._read(Comment, ("notebook_id", "cell_id"), Comment.notebook_id.in_(ids))
        known, changes = self.known(students), _Changes()
        pointed = {book for (book, _), row in grades.items() if (row["auto_score"], row["manual_score"]) != (None, None)}
        for one in wanted:
            if one.student not in known:
                changes.new[Student].append({"id": one.student})
            row = submissions.get(one.student, {"id": None, "timestamp": None, "extension": None})
            if one.failed and notebooks.get(row["id"], {}).get("id") not in pointed:
                continue
            handed_in = one.handed_in or row["timestamp"]
            submission = changes.put(one.student, SubmittedAssignment, row, timestamp=handed_in, student_id=one.student,
                                     assignment_id=self._assignment)
            late = seconds_late(handed_in, self._due, row["extension"])
            self._notebook_changes(changes, one, submission, notebooks.get(submission, {"id": None}), grades, comments, late)
        return changes

    def _notebook_changes(self, changes: _Changes, one: Wanted, submission: str, row: Mapping, grades: Mapping, comments: Mapping,
                          late: float) -> None:
        notebook, points = row["id"] or new_uuid(), 0.0
        for name, cell in self._graded.items():
            grade = grades.get((notebook, cell), {"id": None, "auto_score": None, "manual_score": None, "extra_credit": None})
            auto, waits = _score(one, name, grade)
            points += score(auto, grade["manual_score"], grade["extra_credit"]) or 0.0
            changes.put(one.student, Grade, grade, auto_score=auto, needs_manual_grade=waits, notebook_id=notebook, cell_id=cell)
        for name, cell in self._commented.items():
            changes.put(one.student, Comment, comments.get((notebook, cell), {"id": None}), notebook_id=notebook, cell_id=cell,
                        auto_comment="No response." if name in one.blank else None)
        penalty = self._penalty(one.student, points, late) if late else None
        changes.put(one.student, SubmittedNotebook, row, notebook, assignment_id=submission, notebook_id=self._notebook,
                    late_submission_penalty=penalty)

    def _read(self, table: Any, key: str | tuple[str, str], *where) -> dict:
        """Rows by the values of their key columns, as dictionaries: objects of nbgrader's compute sums over other tables."""
        rows = self._db.execute(select(*table.__table__.columns).where(*where)).mappings()
        return {row[key] if isinstance(key, str) else tuple(row[name] for name in key): row for row in rows}


class _Changes:
    """What is to be inserted and updated, by table, and whom it concerns."""

    def __init__(self):
        self.new: dict[type, list[dict]] = defaultdict(list)
        self.other: dict[type, dict[tuple, list[dict]]] = defaultdict(lambda: defaultdict(list))  # by the columns that change
        self.students: set[str] = set()

    def put(self, student: str, table: type, row: Mapping[str, Any], new_id: str | None = None, **values) -> str:
        """Have a row with these values. Returns its id."""
        if row["id"] is None:
            self.students.add(student)
            self.new[table].append({"id": new_id or new_uuid(), **values})
            return self.new[table][-1]["id"]
        if different := {name: value for name, value in values.items() if row[name] != value}:
            self.students.add(student)
            self.other[table][tuple(different)].append({"id": row["id"], **different})
        return row["id"]


def _score(one: Wanted, name: str, grade: Mapping[str, Any]) -> tuple[float | None, bool]:
    """A grade's automatic points, and whether a person has to look at it."""
    auto = grade["auto_score"] if name in one.ungraded else one.scores[name]
    if grade["manual_score"] is None:
        return auto, auto is None or name in one.ungraded
    settled = auto == grade["auto_score"] and one.same(name)  # a person's points stand, and are about what is there now
    return auto, grade["needs_manual_grade"] if settled else True


def score(auto: float | None, manual: float | None, extra: float | None) -> float | None:
    """What a grade counts, as nbgrader adds it up; None where nobody has given points yet."""
    given = auto if manual is None else manual
    return None if given is None else given + (extra or 0.0)


def seconds_late(handed_in: datetime | None, due: datetime | None, extension: timedelta | None) -> float:
    """How late a submission is; 0 when it is in time, and when there is no date."""
    if handed_in is None or due is None:
        return 0.0
    return max(0.0, (handed_in - due - (extension or timedelta())).total_seconds())
