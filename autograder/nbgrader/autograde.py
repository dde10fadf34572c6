"""`nbgrader autograde` in the sandbox: from submissions to graded notebooks and rows of the gradebook.

nbgrader's converter reads a student's file with nbformat, copies whatever lies beside it, and aborts a whole class over one
odd notebook. This subclass takes its place: it reads notebooks as `autograder.grading.submission` does, copies nothing of a
student's, and grades the class as `autograder.grading.batch` does, before nbgrader's own preprocessors write the results.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import os
import re
import shutil
from datetime import datetime
from pathlib import Path

import nbformat
import nbgrader.apps.api
import nbgrader.apps.autogradeapp
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde as NbgraderAutograde
from nbgrader.converters import GenerateAssignment, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import find_all_files, parse_utc
from traitlets import Integer, Unicode
from traitlets.config import Config

from autograder.authoring.course import Course, find_course
from autograder.authoring.lesson import notebook_name
from autograder.files import read_regular
from autograder.grading.batch import Job, grade_all
from autograder.grading.cache import digest
from autograder.grading.key import KeyFileError, load
from autograder.grading.submission import Unreadable, find_notebook, merged_notebook, printable, read_cells
from autograder.grading.verdict import QuestionVerdict, Status, Verdict
from autograder.grading.versions import installed, notice
from autograder.nbgrader.pages import harmless
from autograder.report.html import question_card
from autograder.sandbox import isolation as walls


def install() -> None:
    """Let nbgrader's command and formgrader's button use this converter; nbgrader has no setting for it."""
    nbgrader.apps.autogradeapp.Autograde = Autograde
    nbgrader.apps.api.Autograde = Autograde
    # nbgrader opens whatever has the name, waits for a pipe, and fails on what is no date.
    CourseDirectory.get_existing_timestamp = lambda self, folder: parse_utc(timestamp(Path(folder)) or None)


class Autograde(NbgraderAutograde):
    """Grades submissions in the sandbox; configured as nbgrader's own converter is (`c.Autograde`)."""

    jobs = Integer(os.cpu_count() or 1, min=1, help="How many submissions to grade at a time.").tag(config=True)
    isolation = Unicode("auto", help="Walls around student code: auto, bubblewrap, landlock or process.").tag(config=True)
    found: dict[str, Verdict] | None = None  # verdicts by student where the class has been graded: nobody else is looked at

    def init_notebooks(self) -> None:
        """Every student who has a directory for the assignment, whatever is in it; or those who have a verdict already."""
        name = notebook_name(self.coursedir.assignment_id)
        pattern = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        self.assignments = {folder: [os.path.join(folder, f"{name}.ipynb")] for folder in glob.glob(pattern)
                            if os.path.isdir(folder) and (self.found is None or self._student(folder) in self.found)}
        if not self.assignments:
            self.log.error("expected submissions at %s; found none", pattern)
            raise NbGraderException(f"no submissions at {pattern}")

    def convert_notebooks(self) -> None:
        """Grade the class, in parallel; then let nbgrader write one submission after the other."""
        course, assignment = find_course(Path(self.coursedir.root)), self.coursedir.assignment_id
        try:
            key = load(course.key(assignment))
        except KeyFileError as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from None
        register(course, assignment, self)
        self._key, self._skeleton = key, course.skeleton(assignment)
        self._verdicts = self._graded(course) if self.found is None else self.found
        super().convert_notebooks()

    def _graded(self, course: Course) -> dict[str, Verdict]:
        kind = walls.choose(self.isolation)
        if lacks := walls.weaker(kind):
            self.log.warning("%s", lacks)
        if differ := notice(self._key.versions, installed()):
            self.log.warning("%s", differ)
        assignment = self.coursedir.assignment_id
        job = Job(self._key, self._skeleton, tuple(course.released_files(assignment)), course.limits, kind, (course.root,),
                  course.cache(assignment))
        students = sorted((self._student(folder), Path(folder)) for folder in self.assignments if self._wanted(folder))
        return {verdict.student: verdict for verdict in grade_all(students, job, self.jobs, done=self._say)}

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Rows of the gradebook, and the files of the release; nothing that a student put beside the notebook is copied."""
        everything, self.coursedir.ignore = self.coursedir.ignore, ["*"]
        try:
            super().init_assignment(assignment_id, student_id)
        finally:
            self.coursedir.ignore = everything
        source = Path(self.coursedir.format_path(self.coursedir.source_directory, ".", assignment_id))
        target = Path(self._format_dest(assignment_id, student_id))
        for file in find_all_files(str(source), [*everything, "*.ipynb"]):
            place = target / Path(file).relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        folder = Path(self._format_source(assignment_id, student_id))
        if note := timestamp_note(folder):
            self.log.warning("%s: %s", printable(student_id), note)
        if handed_in := timestamp(folder):
            target.mkdir(parents=True, exist_ok=True)
            (target / "timestamp.txt").write_text(handed_in)  # nbgrader compares it to see whether a submission is newer

    def convert_single_notebook(self, notebook_filename: str) -> None:
        resources = self.init_single_notebook_resources(notebook_filename)
        folder, ids = Path(notebook_filename).parent, resources["nbgrader"]
        verdict, cells = self._verdicts[ids["student"]], student_cells(folder, self._key.notebook)
        notebook = graded_notebook(cells, self._skeleton, verdict)
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            source = gradebook.find_notebook(ids["notebook"], ids["assignment"])
            checksums = {cell.name: cell.checksum for cell in source.source_cells}
            due = gradebook.find_submission(ids["assignment"], ids["student"]).duedate
        notebook.metadata["autograder"] = {"recorded": record_digest(cells, self._skeleton, verdict, timestamp(folder), due)}
        for cell in notebook.cells:
            if "nbgrader" in cell.metadata:
                cell.metadata.nbgrader["checksum"] = checksums.get(cell.metadata.nbgrader.grade_id)
        resources["autograder"] = {"ungraded": {q.name for q in verdict.questions if q.status == Status.UNGRADED}}
        self._sanitizing = False  # nbgrader's name for its second pass, the only one here
        try:
            self._init_preprocessors()
            output, resources = self.exporter.from_notebook_node(notebook, resources)
        finally:
            self._sanitizing = True
        self.write_single_notebook(output, resources)

    def _student(self, folder: str) -> str:
        pattern = self._format_source("(?P<assignment_id>.*)", "(?P<student_id>.*)", escape=True)
        return re.match(pattern, folder).group("student_id")

    def _wanted(self, folder: str) -> bool:
        return self._student(folder) not in (self.coursedir.student_id_exclude or "").split(",")

    def _say(self, verdict: Verdict) -> None:
        student = printable(verdict.student)
        score = "not graded" if verdict.score is None else f"{verdict.score} of {verdict.max_score}"
        self.log.info("%s: %s", student, score)
        for line in [*([verdict.error] if verdict.error else []), *verdict.notes]:
            self.log.warning("%s: %s", student, printable(line))


def student_cells(folder: Path, notebook: str) -> list[dict]:
    """The cells of a submission, none when it cannot be read: the verdict says why."""
    try:
        return read_cells(find_notebook(folder, notebook)[0])
    except Unreadable:
        return []


def timestamp(folder: Path) -> str:
    """When a submission was handed in, as the exchange and `zip_collect` write it beside the notebook; "" when they did not.

    What has the name and is no small regular file with a date is nothing: `timestamp_note` says so.
    """
    with contextlib.suppress(OSError, ValueError, OverflowError):
        text = read_regular(folder / "timestamp.txt", 1000).decode().strip()
        parse_utc(text)
        return text
    return ""


def timestamp_note(folder: Path) -> str:
    """A line when the time that stands beside a notebook cannot be used."""
    if os.path.lexists(folder / "timestamp.txt") and not timestamp(folder):
        return "timestamp.txt holds no date that nbgrader can read: the submission counts as handed in without one."
    return ""


def record_digest(cells: list[dict], skeleton: nbformat.NotebookNode, verdict: Verdict, handed_in: str,
                  due: datetime | None) -> str:
    """Of all that a submission's rows and its graded notebook come from, but what a person adds to them.

    It stands in the graded notebook, which is written last: what has it is recorded whole.
    """
    shown = [(name, digest(outputs)) for name, outputs in verdict.outputs.items()]
    recorded = dataclasses.replace(verdict, seconds=0.0, outputs={}, versions={})
    return digest(cells, skeleton, dataclasses.asdict(recorded), shown, handed_in, str(due))


class RecordScores(SaveAutoGrades):
    """nbgrader's own step, except that what could not be graded waits for a person instead of counting as nothing."""

    def _add_score(self, cell, resources) -> None:
        super()._add_score(cell, resources)
        name = cell.metadata["nbgrader"]["grade_id"]
        if name.removesuffix("-check") in resources["autograder"]["ungraded"]:
            grade = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
            grade.auto_score, grade.needs_manual_grade = None, True
            self.gradebook.db.commit()


def graded_notebook(cells: list[dict], skeleton: nbformat.NotebookNode, verdict: Verdict) -> nbformat.NotebookNode:
    """A student's notebook as nbgrader keeps it: their answers, what their cells showed, and a verdict under each question."""
    notebook = merged_notebook(cells, skeleton)
    theirs = {cell.id for cell in notebook.cells} - {cell.id for cell in skeleton.cells} | {
        cell.id for cell in skeleton.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    questions = {f"{question.name}-check": question for question in verdict.questions}
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            cell.source = harmless(cell.source) if cell.id in theirs else cell.source
            continue
        if cell.id in questions:
            cell.execution_count, cell.outputs = number, [_score_output(questions[cell.id], number)]
        else:
            outputs = verdict.outputs.get(cell.id, [])
            cell.execution_count, cell.outputs = number if outputs else None, [nbformat.from_dict(output) for output in outputs]
    if lines := [*([verdict.error] if verdict.error else []), *verdict.notes]:
        text = "**Noticed while grading**\n\n" + "\n".join(f"- {_plain_markdown(line)}" for line in lines)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, id="grading-notes"))
    return notebook


def _score_output(question: QuestionVerdict, number: int) -> nbformat.NotebookNode:
    """nbgrader reads the score from the plain text; people see the card."""
    return nbformat.v4.new_output("execute_result", execution_count=number, data={
        "text/plain": repr(float(question.score or 0)), "text/html": question_card(question)})


def _plain_markdown(text: str) -> str:
    return re.sub(r"([\\*_{}\[\]<>#|!&])", r"\\\1", printable(text))


def register(course: Course, assignment: str, parent) -> None:
    """Have the assignment in the gradebook as it is released now: nbgrader's `generate_assignment` is run when it is not."""
    name = notebook_name(assignment)
    cells = [cell for cell in course.skeleton(assignment).cells if cell.metadata.get("nbgrader")]
    sources = {cell.id: cell.source for cell in cells}
    points = {cell.id: cell.metadata.nbgrader.points for cell in cells if cell.metadata.nbgrader.grade}
    with Gradebook(parent.coursedir.db_url, parent.coursedir.course_id) as gradebook:
        try:
            notebook = gradebook.find_notebook(name, assignment)
            same = sources == {cell.name: cell.source for cell in notebook.source_cells} and \
                points == {cell.name: cell.max_score for cell in notebook.grade_cells}
        except MissingEntry:
            same = False
    if same:
        return
    parent.log.info("registering %s in the gradebook", assignment)
    coursedir = parent.coursedir
    student, coursedir.student_id = coursedir.student_id, "."
    try:
        GenerateAssignment(coursedir=coursedir, parent=parent.parent, config=Config(parent.config)).start()
    finally:
        coursedir.student_id = student
