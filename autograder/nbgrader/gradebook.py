"""From `autograder grade` into nbgrader's gradebook: what has been graded in parallel is written by one writer."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from nbgrader.converters import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.course import Course
from autograder.grade import Verdict
from autograder.nbgrader import configure
from autograder.nbgrader.autograde import Autograde


class RecordError(RuntimeError):
    """The gradebook could not be written; the message is one line."""


def record(course: Course, assignment: str, submissions: Path, verdicts: list[Verdict], log: logging.Logger) -> str:
    """Write an assignment's verdicts, notebooks and scores as `nbgrader autograde` does.

    Args:
        submissions: where the notebooks are that the verdicts are about.
    Returns:
        The gradebook's address.
    Raises:
        RecordError: nbgrader could not do it.
    """
    config = course_config(course)
    config.CourseDirectory.submitted_directory = str(submissions.resolve())
    config.CourseDirectory.assignment_id = assignment
    coursedir = CourseDirectory(config=config)
    converter = Autograde(coursedir=coursedir, config=config)
    converter.log, converter.force, converter.found = log, True, {verdict.student: verdict for verdict in verdicts}
    try:
        with warnings.catch_warnings(action="ignore"):  # nbgrader's use of SQLAlchemy warns, to nobody's profit
            converter.start()
    except NbGraderException as error:
        raise RecordError(str(error).splitlines()[0]) from None
    return coursedir.db_url


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
