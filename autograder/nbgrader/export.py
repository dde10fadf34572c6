"""`nbgrader export`: a CSV with the points of every question, quoted as CSV is."""

from __future__ import annotations

import csv

from nbgrader.api import MissingEntry
from nbgrader.plugins import ExportPlugin

from autograder.grading.submission import printable
from autograder.report.csv import cell as text_cell

COLUMNS = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
           "late_submission_penalty", "score", "max_score")


class PointsPerQuestion(ExportPlugin):
    """nbgrader's own columns, then one a question: `softmax`, or `a4_cross_entropy/softmax` among several assignments."""

    def export(self, gradebook) -> None:
        assignments = [item for item in gradebook.assignments if not self.assignment or item.name in self.assignment]
        students = [item for item in gradebook.students if not self.student or item.id in map(str, self.student)]
        rows, questions = [], {}
        for assignment in assignments:
            for student in students:
                row, points = _row(gradebook, assignment, student)
                if len(assignments) > 1:
                    points = {f"{assignment.name}/{name}": value for name, value in points.items()}
                questions |= dict.fromkeys(points)
                rows.append(row | points)
        destination = self.to or "grades.csv"
        self.log.info("Exporting grades to %s", destination)
        with open(destination, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*COLUMNS, *questions], restval="")
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _row(gradebook, assignment, student) -> tuple[dict, dict]:
    row = {"assignment": assignment.name, "duedate": assignment.duedate, "student_id": student.id, "last_name": student.last_name,
           "first_name": student.first_name, "email": student.email, "max_score": assignment.max_score, "timestamp": None,
           "raw_score": 0.0, "late_submission_penalty": 0.0, "score": 0.0}
    names = [cell.name for notebook in assignment.notebooks for cell in notebook.grade_cells]
    points = {name.removesuffix("-check"): "" for name in names}
    try:
        submission = gradebook.find_submission(assignment.name, student.id)
    except MissingEntry:
        return row, points
    for notebook in submission.notebooks:
        points |= {grade.name.removesuffix("-check"): grade.score for grade in notebook.grades}
    penalty = submission.late_submission_penalty or 0.0
    return row | {"timestamp": submission.timestamp, "raw_score": submission.score, "late_submission_penalty": penalty,
                  "score": max(0.0, submission.score - penalty)}, points


def _cell(value):
    """A value as a spreadsheet should take it."""
    if isinstance(value, str):
        return text_cell(printable(value))
    return "" if value is None else value
