"""From `autograder grade` into nbgrader's gradebook: what has been graded in parallel is written by one writer."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from pathlib import Path

from nbgrader.api import Assignment, Grade, Gradebook, GradeCell, SubmittedAssignment, SubmittedNotebook
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.authoring.course import Course
from autograder.authoring.lesson import notebook_name
from autograder.grading.verdict import Status, Verdict
from autograder.nbgrader import configure
from autograder.nbgrader.autograde import Autograde, record_digest, student_cells, timestamp


class RecordError(RuntimeError):
    """The gradebook could not be written; the message is one line."""


def record(course: Course, assignment: str, submissions: Path, verdicts: list[Verdict], log: logging.Logger) -> int:
    """Write an assignment's verdicts, notebooks and scores as `nbgrader autograde` does, except those that are there already.

    Args:
        submissions: where the notebooks are that the verdicts are about.
    Returns:
        How many were written.
    Raises:
        RecordError: nbgrader could not do it.
    """
    config = course_config(course)
    config.CourseDirectory.submitted_directory = str(submissions.resolve())
    config.CourseDirectory.assignment_id = assignment
    coursedir = CourseDirectory(config=config)
    converter = Autograde(coursedir=coursedir, config=config)
    try:
        with warnings.catch_warnings(action="ignore"):  # nbgrader's use of SQLAlchemy warns, to nobody's profit
            there = _recorded(course, coursedir, verdicts, submissions)
            new = {verdict.student: verdict for verdict in verdicts if verdict.student not in there}
            if new:
                converter.log, converter.force, converter.found = log, True, new
                converter.start()
    except NbGraderException as error:
        raise RecordError(str(error).splitlines()[0]) from None
    return len(new)


def _recorded(course: Course, coursedir: CourseDirectory, verdicts: list[Verdict], submissions: Path) -> set[str]:
    """The students whose rows and graded notebooks are what they would be after recording them again."""
    assignment, skeleton = coursedir.assignment_id, course.skeleton(coursedir.assignment_id)
    name = notebook_name(assignment)
    scores: dict[str, dict[str, float | None]] = {}
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        rows = gradebook.db.query(SubmittedAssignment.student_id, GradeCell.name, Grade.auto_score).select_from(Grade).join(
            GradeCell, Grade.cell_id == GradeCell.id).join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id).join(
            SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id).join(
            Assignment, SubmittedAssignment.assignment_id == Assignment.id).filter(Assignment.name == assignment)
        for student, cell, score in rows:
            scores.setdefault(student, {})[cell] = score
        due = {row.student_id: row.duedate for row in gradebook.db.query(SubmittedAssignment).join(Assignment).filter(
            Assignment.name == assignment)}
    there = set()
    for verdict in verdicts:
        ours = {f"{question.name}-check": question.score for question in verdict.questions if question.status != Status.MANUAL}
        if not ours.items() <= scores.get(verdict.student, {}).items():
            continue
        folder = submissions / verdict.student / assignment
        wanted = record_digest(student_cells(folder, name), skeleton, verdict, timestamp(folder), due[verdict.student])
        graded = coursedir.format_path(coursedir.autograded_directory, verdict.student, assignment)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            metadata = json.loads(Path(graded, f"{name}.ipynb").read_bytes())["metadata"]
            if metadata["autograder"]["recorded"] == wanted:
                there.add(verdict.student)
    return there


def course_config(course: Course) -> Config:
    """nbgrader's configuration as the course's `nbgrader_config.py` makes it; the default where there is none."""
    from traitlets.config.loader import PyFileConfigLoader

    path = course.root / "nbgrader_config.py"
    if path.is_file():
        return PyFileConfigLoader(path.name, path=str(course.root)).load_config()
    config = Config()
    configure(config, path)
    return config


def api(course: Course) -> NbGraderAPI:
    """nbgrader's programming interface for a course, as formgrader uses it."""
    config = course_config(course)
    return NbGraderAPI(CourseDirectory(config=config), config=config)
