"""Where a class stands in nbgrader's gradebook, read at once."""

from __future__ import annotations

from nbgrader.api import Assignment, Grade, Gradebook, GradeCell, Student, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import select

from autograder.nbgrader.rows import score
from autograder.report.standing import Standing


def standings(gradebook: Gradebook, assignment: str) -> dict[str, Standing | None]:
    """By student; None for those of whom the gradebook has no submission of the assignment."""
    rows = gradebook.db.execute(
        select(SubmittedAssignment.student_id, SubmittedNotebook.id, SubmittedNotebook.late_submission_penalty, GradeCell.name,
               GradeCell.cell_type, Grade.auto_score, Grade.manual_score, Grade.extra_credit, Grade.needs_manual_grade)
        .select_from(Grade).join(GradeCell, GradeCell.id == Grade.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id).where(Assignment.name == assignment))
    of: dict[str, list] = {}
    for row in rows:
        of.setdefault(row.student_id, []).append(row)
    everybody = gradebook.db.scalars(select(Student.id).order_by(Student.id))
    return {student: _standing(of[student]) if student in of else None for student in everybody}


def _standing(rows: list) -> Standing:
    points = {_question(row): score(row.auto_score, row.manual_score, row.extra_credit) for row in rows}
    failed = tuple(_question(row) for row in rows if row.cell_type == "code" and points[_question(row)] is None)
    return Standing(points, {_question(row): row.auto_score for row in rows},
                    tuple(_question(row) for row in rows if row.needs_manual_grade), failed,
                    sum({row.id: row.late_submission_penalty or 0.0 for row in rows}.values()))


def _question(row) -> str:
    return row.name.removesuffix("-check")
