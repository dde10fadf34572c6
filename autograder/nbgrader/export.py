"""`nbgrader export`: a CSV with the points of every question, quoted as CSV is."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from nbgrader.api import SubmittedAssignment
from nbgrader.plugins import ExportPlugin
from sqlalchemy import select

from autograder.files import atomic
from autograder.grading.submission import printable
from autograder.nbgrader.notebook import graded_as
from autograder.nbgrader.standings import standings
from autograder.report.csv import cell as text_cell
from autograder.report.standing import Standing, status

COLUMNS = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
           "late_submission_penalty", "score", "max_score", "status")


class PointsPerQuestion(ExportPlugin):
    """nbgrader's own columns and `status`, then one a question: `softmax`, or `a4_cross_entropy/softmax` among assignments."""

    def export(self, gradebook) -> None:
        assignments = [item for item in gradebook.assignments if not self.assignment or item.name in self.assignment]
        students = [item for item in gradebook.students if not self.student or item.id in map(str, self.student)]
        rows: list[dict] = []
        questions: dict[str, None] = {}
        for assignment in assignments:
            there, times = standings(gradebook, assignment.name), dict(gradebook.db.execute(
                select(SubmittedAssignment.student_id, SubmittedAssignment.timestamp)
                .where(SubmittedAssignment.assignment_id == assignment.id)).all())
            names = {cell.name.removesuffix("-check"): None for book in assignment.notebooks for cell in book.grade_cells}
            for student in students:
                stands = self._status(assignment, student.id, there[student.id])
                standing = there[student.id] if stands != "not submitted" else Standing(names, names, (), ())
                standing = standing or Standing(names, names, (), tuple(names))  # handed in, and not recorded
                points = standing.points
                if len(assignments) > 1:
                    points = {f"{assignment.name}/{name}": value for name, value in points.items()}
                questions |= dict.fromkeys(points)
                rows.append({
                    "assignment": assignment.name, "duedate": assignment.duedate, "timestamp": times.get(student.id),
                    "student_id": student.id, "last_name": student.last_name, "first_name": student.first_name,
                    "email": student.email, "raw_score": standing.raw, "late_submission_penalty": standing.penalty,
                    "score": standing.score, "max_score": assignment.max_score,
                    "status": stands, **points})
        destination = self.to or "grades.csv"
        self.log.info("Exporting grades to %s", destination)
        with atomic(Path(destination)) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
            writer = csv.DictWriter(text, [*COLUMNS, *questions], restval="")
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)

    def _status(self, assignment, student: str, standing: Standing | None) -> str:
        """As `autograder.report.standing.status` says it; the graded notebook knows what could not be read."""
        coursedir = self.parent.coursedir
        submitted, graded = (Path(coursedir.format_path(step, student, assignment.name))
                             for step in (coursedir.submitted_directory, coursedir.autograded_directory))
        if standing is None or all(points is None for points in standing.points.values()):
            return "ungraded" if submitted.is_dir() or graded.is_dir() else "not submitted"
        unreadable = not standing.score and any(
            graded_as(graded / f"{notebook.name}.ipynb") == "unreadable" for notebook in assignment.notebooks)
        return status({"status": "unreadable" if unreadable else "graded", "score": standing.score, "waiting": standing.waiting})


def _cell(value):
    """A value as a spreadsheet should take it."""
    if isinstance(value, str):
        return text_cell(printable(value))
    return "" if value is None else value
