"""`nbgrader autograde` in the sandbox: which submissions it takes, and how they are graded.

nbgrader's converter reads a student's file with nbformat, copies whatever lies beside it, and aborts a whole class over one
odd notebook. This subclass takes its place: it grades the class as `autograder.grading.batch` does, and writes it as
`autograder.nbgrader.recorder` does.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import nbformat
import nbgrader.apps.api
import nbgrader.apps.autogradeapp
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde as NbgraderAutograde
from nbgrader.converters import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ComputeChecksums, SaveCells
from nbgrader.utils import parse_utc
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from traitlets import Integer, Unicode

from autograder.authoring.course import Course, find_course
from autograder.authoring.lesson import notebook_name
from autograder.files import atomic, tidy_folder
from autograder.grading.batch import Job, grade_all
from autograder.grading.feedback import remember
from autograder.grading.key import Key, KeyFileError, load
from autograder.grading.submission import printable
from autograder.grading.verdict import Verdict
from autograder.grading.versions import installed, notice
from autograder.nbgrader.recorder import Recorder
from autograder.nbgrader.timestamps import timestamp
from autograder.sandbox import isolation as walls


def install() -> None:
    """Let nbgrader's command and formgrader's button use this converter; nbgrader has no setting for it."""
    nbgrader.apps.autogradeapp.Autograde = Autograde
    nbgrader.apps.api.Autograde = Autograde
    # nbgrader opens whatever has the name, waits for a pipe, and fails on what is no date: its command, and formgrader's list.
    CourseDirectory.get_existing_timestamp = lambda self, folder: _when(folder)
    nbgrader.apps.api.NbGraderAPI.get_submitted_timestamp = lambda self, assignment, student: _when(
        self.coursedir.format_path(self.coursedir.submitted_directory, student, assignment))


def _when(folder: str) -> datetime | None:
    text = timestamp(Path(folder))
    return parse_utc(text) if text else None


class Autograde(NbgraderAutograde):
    """Grades submissions in the sandbox; configured as nbgrader's own converter is (`c.Autograde`)."""

    jobs = Integer(os.cpu_count() or 1, min=1, help="How many submissions to grade at a time.").tag(config=True)
    isolation = Unicode("auto", help="Walls around student code: auto, bubblewrap, landlock or process.").tag(config=True)

    def init_notebooks(self) -> None:
        """Every student who has a directory for the assignment, whatever is in it."""
        name = notebook_name(self.coursedir.assignment_id)
        pattern = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        self.assignments = {folder: [os.path.join(folder, f"{name}.ipynb")] for folder in sorted(glob.glob(pattern))
                            if os.path.isdir(folder)}
        if not self.assignments:
            self.log.error("expected submissions at %s; found none", pattern)
            raise NbGraderException(f"no submissions at {pattern}")

    def convert_notebooks(self) -> None:
        """Grade who is new, in parallel; then write them."""
        course, assignment = find_course(Path(self.coursedir.root)), self.coursedir.assignment_id
        students = [(self._student(folder), Path(folder)) for folder in self.assignments]
        try:
            with database_errors():
                key = load(course.key(assignment))
                register(course, assignment, self)
                due = [(student, folder) for student, folder in students if self._due(student, folder)]
                verdicts = self._graded(course, key, due)
                found = [(verdict, folder) for verdict, (_, folder) in zip(verdicts, due)]
                self.record(course.skeleton(assignment), found, anew=True)
            if failed := [printable(verdict.student) for verdict in verdicts if verdict.score is None]:
                raise NbGraderException(f"{len(failed)} submission{'s' * (len(failed) > 1)} could not be graded, by no fault "
                                        f"of the students: {', '.join(failed)}. All others are recorded; run it again.")
        except (KeyFileError, NbGraderException) as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from None
        except KeyboardInterrupt:  # who has been recorded is, and whose turn it was is not
            self.log.error("stopped while recording: the same command goes on with who is left.")
            sys.exit(128 + signal.SIGINT)

    def record(self, skeleton: nbformat.NotebookNode, found: Iterable[tuple[Verdict, Path]], anew: bool,
               done: Callable[[], None] = lambda: None) -> int:
        """Write verdicts as `Recorder` does, into the gradebook of this converter.

        Raises:
            NbGraderException, SQLAlchemyError: somebody could not be recorded, or nobody.
        """
        # nbgrader's use of SQLAlchemy warns, to nobody's profit.
        with warnings.catch_warnings(action="ignore"), Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            return Recorder(self, gradebook, skeleton, anew).record(found, done)

    @property
    def excluded(self) -> list[str]:
        """Students whom nbgrader is told to leave out."""
        return (self.coursedir.student_id_exclude or "").split(",")

    def _due(self, student: str, folder: Path) -> bool:
        """Whether nbgrader would grade this submission: a new or newer one, or any that it is told to."""
        if student in self.excluded:
            return False
        target = Path(self._format_dest(self.coursedir.assignment_id, student))
        there = target / f"{notebook_name(self.coursedir.assignment_id)}.ipynb"
        times = [self.coursedir.get_existing_timestamp(place) for place in (folder, target)]
        if self.force or not there.exists() or (None not in times and times[0] > times[1]):
            return True
        self.log.info("Skipping existing assignment: %s", target)
        return False

    def _graded(self, course: Course, key: Key, students: list[tuple[str, Path]]) -> list[Verdict]:
        kind = walls.choose(self.isolation)
        if lacks := walls.weaker(kind):
            self.log.warning("%s", lacks)
        if differ := notice(key.versions, installed()):
            self.log.warning("%s", differ)
        assignment = self.coursedir.assignment_id
        job = Job(key, course.skeleton(assignment), tuple(course.released_files(assignment)), course.limits, kind, (course.root,),
                  course.cache(assignment), feedback=course.feedback)
        verdicts = grade_all(students, job, self.jobs, done=self._say)
        if len(verdicts) < len(students):  # after Ctrl-C: what has been recorded is whole, and stays
            self.log.error("stopped: %s of %s submissions are not graded. What was graded is kept: the same command goes on from "
                           "there.", len(students) - len(verdicts), len(students))
            sys.exit(128 + signal.SIGINT)
        remember(course.hand_ins(assignment), verdicts)
        return verdicts

    def _student(self, folder: str) -> str:
        pattern = self._format_source("(?P<assignment_id>.*)", "(?P<student_id>.*)", escape=True)
        found = re.match(pattern, folder)
        assert found is not None  # nbgrader has found it by this pattern
        return found["student_id"]

    def _say(self, verdict: Verdict) -> None:
        student = printable(verdict.student)
        score = "not graded" if verdict.score is None else f"{verdict.score} of {verdict.max_score}"
        self.log.info("%s: %s", student, score)
        for line in [*([verdict.error] if verdict.error else []), *verdict.notes]:
            self.log.warning("%s: %s", student, printable(line))


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """What a database refuses, as nbgrader's own kind of error: one line, without the query."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise NbGraderException(f"expected to read and write the gradebook; its database says: {reason}. What was graded is "
                                "kept: run the command again.") from None


def register(course: Course, assignment: str, converter: NbgraderAutograde) -> None:
    """Have the assignment in the gradebook as it is released now.

    The steps of nbgrader's `generate_assignment` that concern the gradebook are run when it is not. Not all of that command:
    it removes the release before it writes it anew, and whoever is ended in between is left without.

    Raises:
        NbGraderException: questions were added or removed, and there are submissions.
    """
    name, notebook, coursedir = notebook_name(assignment), course.skeleton(assignment), converter.coursedir
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader")]
    sources = {cell.id: cell.source for cell in cells}
    points = {cell.id: cell.metadata.nbgrader.points for cell in cells if cell.metadata.nbgrader.grade}
    _create(coursedir.db_url, coursedir.course_id)
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            found = gradebook.find_notebook(name, assignment)
            if sources == {cell.name: cell.source for cell in found.source_cells} and \
                    points == {cell.name: cell.max_score for cell in found.grade_cells}:
                return
        except MissingEntry:
            gradebook.update_or_create_assignment(assignment)
    converter.log.info("registering %s in the gradebook", assignment)
    resources = {"nbgrader": {"notebook": name, "assignment": assignment, "db_url": coursedir.db_url}}
    try:
        for step in (ComputeChecksums, SaveCells):
            notebook, resources = step(parent=converter)(notebook, resources)
    except RuntimeError as error:
        raise NbGraderException(f"expected the questions of {assignment} that have been handed in; some were added or removed "
                                f"since. nbgrader: {error}") from None


def _create(db_url: str, course_id: str) -> None:
    """A new file of SQLite, with all its tables or not at all: nbgrader asks another program for their version in between."""
    url = make_url(db_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    tidy_folder(path.parent)  # where, once there is a gradebook, nothing else writes such files that would do it
    if os.path.lexists(path):
        return
    with Gradebook("sqlite://", course_id) as memory:
        # Replaces nothing: another command may have been faster, and be writing to its own.
        with atomic(path, replace=False) as file:
            file.write(memory.engine.raw_connection().driver_connection.serialize())  # no journal of SQLite's lies beside it
