"""Between the other commands and nbgrader's gradebook: what was graded goes in, the points that count come out."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import make_url
from traitlets.config import Config

from autograder.authoring.course import Course
from autograder.grading.verdict import Verdict
from autograder.nbgrader import configure
from autograder.nbgrader.autograde import Autograde, database_errors, register
from autograder.nbgrader.standings import standings as read_standings
from autograder.report.standing import Standing


class RecordError(RuntimeError):
    """The gradebook could not be read or written; the message is one line."""


def record(course: Course, assignment: str, submissions: Path, verdicts: list[Verdict], log: logging.Logger,
           done: Callable[[], None] = lambda: None) -> int:
    """Write an assignment's verdicts, notebooks and scores as `nbgrader autograde` does, as far as they are not there already.

    Args:
        submissions: where the notebooks are that the verdicts are about.
        done: called for each submission that is written.
    Returns:
        Of how many something was not there before.
    Raises:
        RecordError: nbgrader could not do it.
    """
    submissions, config = submissions.resolve(), course_config(course)
    config.CourseDirectory.submitted_directory = str(submissions)
    config.CourseDirectory.assignment_id = assignment
    try:
        # In the course's directory, as nbgrader's own commands are: its settings may name plugins and files from there.
        with warnings.catch_warnings(action="ignore"), contextlib.chdir(course.root), database_errors():
            converter = Autograde(coursedir=CourseDirectory(config=config), config=config)
            converter.log = log
            found = [(verdict, submissions / verdict.student / assignment) for verdict in verdicts
                     if verdict.student not in converter.excluded]
            register(course, assignment, converter)
            return converter.record(course.skeleton(assignment), found, anew=False, done=done)
    except NbGraderException as error:
        raise RecordError(str(error).splitlines()[0]) from None


def standings(course: Course, assignment: str) -> dict[str, Standing | None] | None:
    """Where everybody stands in the gradebook; None when there is no gradebook, or not this assignment in it.

    Raises:
        RecordError: it cannot be read.
    """
    with warnings.catch_warnings(action="ignore"), contextlib.chdir(course.root):
        coursedir = CourseDirectory(config=course_config(course))
        url = make_url(coursedir.db_url)
        if url.get_backend_name() == "sqlite" and not os.path.isfile(url.database or ""):
            return None  # and none is made, as nbgrader would
        try:
            with database_errors(), Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
                gradebook.find_assignment(assignment)
                return read_standings(gradebook, assignment)
        except MissingEntry:
            return None
        except NbGraderException as error:
            raise RecordError(str(error)) from None


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
