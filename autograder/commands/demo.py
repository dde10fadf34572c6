"""For newcomers: `demo`, the whole kit on a made-up class."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from autograder.authoring import build as building
from autograder.authoring import samples
from autograder.authoring.course import Course, CourseError, find_course
from autograder.commands.author import build_all
from autograder.commands.insight import class_report_of, ready_to_report
from autograder.commands.instructor import grade_class, job_of, short_path
from autograder.commands.screen import out, progress_bar
from autograder.grading.key import load
from autograder.sandbox.sandbox import Limits

# Its key is computed in less time than a process takes to start, and its mistakes are known from the first lecture on.
FIRST = "a4_cross_entropy"
LIMITS = Limits(cell_seconds=5, case_seconds=5, submission_seconds=120)  # the sample class hangs on purpose


def demo(
    assignments: Annotated[list[str] | None, typer.Argument(help=f"Ids such as a8_attention; {FIRST} by default.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All assignments of the course, one after the other.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="How many submissions to grade at a time.")] = os.cpu_count() or 1,
    mistakes: Annotated[int, typer.Option(min=1, help="How many known mistakes of each question to make.")] = 1,
):
    """Build an assignment, make a sample class of good, wrong, broken and hostile notebooks, and grade it."""
    course = find_course()
    if not course.assignments:
        raise CourseError(f"expected a lesson at {course.root}/solutions/ASSIGNMENT/lesson.py; found none")
    first = FIRST if FIRST in course.assignments else course.assignments[0]
    chosen = course.require([] if everything else assignments or [first])
    folder = course.root / "build" / "demo"
    if folder.exists():
        shutil.rmtree(folder)
    with progress_bar() as progress:
        progress.add_task("loading TensorFlow", total=None)
        building.ready()
    with contextlib.nullcontext(map) if chosen == [first] else building.processes(os.cpu_count() or 1) as run:
        for assignment in chosen:
            build_all(course, [assignment], run)
            _grade_samples(course, assignment, jobs, mistakes, folder / assignment)
    _suggest("try", [(f"{_program()} check {short_path(course.notebook(chosen[0]))}", ""),
                     (f"{_program()} doctor", "this machine's isolation"),
                     *([] if everything else [(f"{_program()} demo --all", "all assignments")])])


def _grade_samples(course: Course, assignment: str, jobs: int, mistakes: int, folder: Path) -> None:
    made = samples.demo_class(course, assignment, mistakes)
    samples.write_class(made, folder / "submitted", assignment)
    # Without a cache: what is shown has just been graded.
    job = job_of(course, load(course.key(assignment)), LIMITS, "auto", cache=None)
    submitted, results, reports = folder / "submitted", folder / "results.json", folder / "reports"
    verdicts = grade_class(job, submitted, jobs, results, reports, address=course.address(assignment), meanwhile=ready_to_report)
    overview = class_report_of(course, job.key, results, submitted, reports, folder / "class.html")
    named = [verdict.student for verdict in verdicts if any(question.misconception for question in verdict.questions)]
    page = reports / f"{(named or [verdicts[0].student])[0]}.html"
    _suggest("open", [(short_path(page), "what this student gets"),
                      (short_path(overview), "the class in view") if overview else (short_path(results), "the class, as data")])


def _suggest(verb: str, rows: list[tuple[str, str]]) -> None:
    for number, (what, why) in enumerate(rows):
        out.print(Text.assemble((f"{'' if number else verb:5}", "bold"), f"{what:49} ", (why, "bright_black")), soft_wrap=True)


def _program() -> str:
    """How this program is called from here."""
    path = Path(sys.executable).with_name("autograder")
    return "autograder" if shutil.which("autograder") == str(path) else short_path(path)
