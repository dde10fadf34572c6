"""The command line. Exit status: 0 done, 1 something could not be graded, 2 wrong usage."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

# Before anything imports TensorFlow: its start-up messages are no news to anyone.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same rounding in build and sandbox
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# nbformat's validator looks for this optional module, which takes most of a second to import, to check IRIs; notebooks have none.
sys.modules.setdefault("rfc3987_syntax", None)

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from autograder.authoring import audit as auditing
from autograder.authoring import build as building
from autograder.authoring import samples
from autograder.authoring.course import Course, CourseError, find_course
from autograder.authoring.question import DeclarationError
from autograder.commands import deliver
from autograder.files import atomic
from autograder.grading.batch import Job, find_submissions, grade_all
from autograder.grading.key import Key, KeyFileError, load
from autograder.grading.submission import Unreadable
from autograder.grading.verdict import Status, Verdict
from autograder.report.html import student_page
from autograder.report.json import results
from autograder.report.terminal import class_table, verdict_table
from autograder.sandbox.isolation import LEVELS, IsolationError, choose, findings, obstacle
from autograder.sandbox.sandbox import Limits, SandboxError
from autograder.student.check import check_notebook

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False,
                  help="Build, check and grade the assignments of a Keras/TensorFlow course.")
app.add_typer(deliver.export, name="export")
app.command()(deliver.ci)
app.command()(deliver.collect)
app.command(name="gradescope", hidden=True)(deliver.gradescope_run)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

DEMO_LIMITS = Limits(cell_seconds=10, case_seconds=5, submission_seconds=120)  # the sample class hangs on purpose


@app.command()
def build(
    assignments: Annotated[list[str] | None, typer.Argument(help="Ids such as a4_cross_entropy; all by default.")] = None,
):
    """Turn [bold]solutions/[/bold] into released notebooks, examples, hidden keys and nbgrader sources."""
    course = find_course()
    with building.processes(os.cpu_count() or 1) as run:
        build_all(course, course.require(assignments or []), run)


@app.command(name="check")
def check_command(notebook: Annotated[Path, typer.Argument(help="The notebook you are working on.")]):
    """Try a notebook's answers on the visible cases; needs neither key nor course."""
    with err.status("Running the notebook …"):
        verdict, visible = check_notebook(notebook)
    out.print(verdict_table(verdict, f"{notebook.name}: {verdict.score} of the {visible.max_score} points of visible cases"))
    if verdict.error:
        raise SandboxError(verdict.error)


@app.command()
def grade(
    assignment: Annotated[str, typer.Argument(help="Id such as a4_cross_entropy.")],
    submissions: Annotated[Path, typer.Option(help="Directory of STUDENT/ASSIGNMENT/NOTEBOOK.ipynb.")] = Path("submitted"),
    jobs: Annotated[int, typer.Option(min=1, help="How many submissions to grade at a time.")] = os.cpu_count() or 1,
    isolation: Annotated[str, typer.Option(help="Walls around student code: auto, bubblewrap, landlock or process.")] = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Grade again what the cache knows.")] = False,
    gradebook: Annotated[bool, typer.Option(help="Record the results in nbgrader's gradebook, too.")] = True,
    json_file: Annotated[Path | None, typer.Option(
        "--json", help="Where to write the results (default build/results/ASSIGNMENT.json).")] = None,
    reports: Annotated[Path | None, typer.Option(
        help="Where to write a page per student (default build/reports/ASSIGNMENT).")] = None,
):
    """Grade every submission of an assignment with the hidden key."""
    course = find_course()
    course.require([assignment])
    if not submissions.is_dir():
        raise CourseError(f"expected a directory of submissions at {submissions}; found none. Name it with --submissions DIR.")
    answer_key = _key(course, assignment)
    if fresh:
        shutil.rmtree(course.cache(assignment), ignore_errors=True)
    verdicts = grade_class(course, answer_key, submissions, jobs, isolation, course.limits,
                           json_file or course.root / "build" / "results" / f"{assignment}.json",
                           reports or course.root / "build" / "reports" / assignment)
    if gradebook:
        with err.status("Recording in nbgrader's gradebook …"):
            record_class(course, assignment, submissions, verdicts)
    if any(question.status == Status.UNGRADED for verdict in verdicts for question in verdict.questions):
        raise typer.Exit(1)


def _key(course: Course, assignment: str) -> Key:
    """The hidden key, with a warning when the solution has changed since it was built."""
    answer_key = load(course.key(assignment))
    if answer_key.source != building.source_digest(course.solution(assignment)):
        err.print(f"[yellow]solutions/{assignment} has changed since the key was built: run `autograder build {assignment}`.")
    return answer_key


@app.command()
def audit(
    assignments: Annotated[list[str] | None, typer.Argument(help="Ids such as a4_cross_entropy; all by default.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many notebooks to grade at a time.")] = os.cpu_count() or 1,
):
    """Grade the reference, a blank notebook and every known mistake: is each worth what it should be, and named rightly?"""
    course, unfair = find_course(), 0
    for assignment in course.require(assignments or []):
        answer_key, made = _key(course, assignment), auditing.notebooks(course, assignment)
        with tempfile.TemporaryDirectory() as folder, _progress() as progress:
            samples.write_class(made, Path(folder), assignment)
            task = progress.add_task(f"auditing {assignment}", total=len(made))
            job = _job(course, answer_key, course.limits, choose("auto"), None)
            verdicts = grade_all(find_submissions(Path(folder), assignment)[0], job, jobs,
                                 lambda _, task=task: progress.advance(task))
        if len(verdicts) < len(made):
            _fail("stopped before all notebooks were graded", 1)
        found = list(auditing.problems(made, verdicts, answer_key))
        unfair += len(found)
        points = sum(question.max_score for question in answer_key.questions)
        out.print(f"[red]✗[/red] {assignment}: {len(found)} of {len(made)} notebooks do not get what they should" if found else
                  f"[green]✓[/green] {assignment}: reference {points}, blank 0, {len(made) - 2} mistakes lose points and are "
                  "named", soft_wrap=True)
        for line in found:
            out.print(Text(f"  {line}"), soft_wrap=True)
    if unfair:
        raise typer.Exit(1)


def _job(course: Course, answer_key: Key, limits: Limits, isolation: str, cache: Path | None) -> Job:
    assignment = answer_key.assignment
    return Job(answer_key, course.skeleton(assignment), tuple(course.released_files(assignment)), limits, isolation,
               (course.root,), cache)


def record_class(course: Course, assignment: str, submissions: Path, verdicts: list[Verdict]) -> None:
    from autograder.nbgrader.gradebook import RecordError, record  # lazy: nbgrader takes a second to import

    logger = logging.getLogger("autograder.nbgrader")
    logger.setLevel(logging.ERROR)
    try:
        new = record(course, assignment, submissions, verdicts, logger)
    except RecordError as error:
        _fail(error, 1)
    out.print(f"gradebook: {new} of {len(verdicts)} recorded, the others unchanged" if new < len(verdicts) else
              f"gradebook: {new} recorded", "· `nbgrader formgrader` shows them")


@app.command()
def doctor():
    """Show what isolation this machine offers to student code, and how to get more."""
    table = Table(title="isolation", title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for column in ("", "needs", "found", "to do"):
        table.add_column(column, overflow="fold")
    for finding in findings():
        mark = Text("✓", style="green") if finding.good else Text("✗", style="red")
        table.add_row(mark, finding.what, Text(finding.found), Text("" if finding.good else finding.advice))
    out.print(table)
    levels = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "level", "what it lacks"):
        levels.add_column(column, overflow="fold")
    for level, lacks in LEVELS.items():
        mark = Text("✓", style="green") if obstacle(level) is None else Text("✗", style="red")
        levels.add_row(mark, level, lacks)
    out.print(levels)
    level = choose("auto")
    out.print(f"student code runs in a [bold]{level}[/bold] of this account: good against accidents, not against a "
              "determined attacker" if level == "process" else f"student code runs behind [bold]{level}[/bold]")


@app.command()
def demo(
    assignments: Annotated[list[str] | None, typer.Argument(help="Ids such as a4_cross_entropy; all by default.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many submissions to grade at a time.")] = os.cpu_count() or 1,
    mistakes: Annotated[int, typer.Option(min=1, help="How many known mistakes of each question to make.")] = 2,
):
    """Build assignments, make a sample class of good, wrong and broken notebooks, and grade it."""
    course = find_course()
    chosen = course.require(assignments or [])
    folder = course.root / "build" / "demo"
    if folder.exists():
        shutil.rmtree(folder)
    with building.processes(os.cpu_count() or 1) as run:
        for assignment in chosen:
            build_all(course, [assignment], run)
            submitted = folder / assignment / "submitted"
            samples.write_class(samples.sample_class(course, assignment, mistakes), submitted, assignment)
            grade_class(course, load(course.key(assignment)), submitted, jobs, "auto", DEMO_LIMITS,
                        folder / assignment / "results.json", folder / assignment / "reports")


def build_all(course: Course, assignments: list[str], run) -> None:
    """Build assignments with a `run` of `building.processes`."""
    with _progress() as progress:
        task = progress.add_task("building", total=len(assignments))
        for assignment in assignments:
            built = building.build(course, assignment, run, lambda name, assignment=assignment: progress.update(
                task, description=f"{assignment}: {name}"))
            progress.advance(task)
            cases = [case for question in built.questions for case in question.cases]
            mistakes = sum(len(question.hints) for question in built.questions)
            progress.print(f"[green]built[/green] {assignment}: {len(built.questions)} questions, {len(cases)} cases "
                           f"({sum(case.visible for case in cases)} visible), {mistakes} misconceptions")


def grade_class(course: Course, answer_key: Key, submissions: Path, jobs: int, isolation: str, limits: Limits, json_file: Path,
                reports: Path) -> list[Verdict]:
    """Grade a directory of submissions, print the table, write the JSON and a page per student."""
    assignment = answer_key.assignment
    handed_in, absent = find_submissions(submissions, assignment)
    if not handed_in:
        raise CourseError(f"expected {submissions}/STUDENT/{assignment}/; found no submission there")
    isolation = choose(isolation)
    if isolation == "process":
        err.print(f"[yellow]isolation: process. Student code can read this account's files: {obstacle()}. "
                  "Run `autograder doctor` for more.", soft_wrap=True)
    if isolation == "landlock":
        err.print(f"[yellow]isolation: landlock. Beside bubblewrap it lacks something: {LEVELS[isolation]}.", soft_wrap=True)
    job = _job(course, answer_key, limits, isolation, course.cache(assignment))
    with _progress() as progress:
        task = progress.add_task(f"grading {assignment}", total=len(handed_in))
        verdicts = grade_all(handed_in, job, jobs, done=lambda verdict: progress.advance(task))
    with atomic(json_file) as file:
        file.write(json.dumps(results(verdicts, answer_key), indent=1, ensure_ascii=False).encode() + b"\n")
    for verdict in verdicts:
        with atomic(reports / f"{verdict.student}.html") as file:
            file.write(student_page(verdict, assignment).encode())
    out.print(class_table(verdicts, answer_key, out.width))
    if absent:
        names = ", ".join(absent[:10]) + (f" and {len(absent) - 10} more" if len(absent) > 10 else "")
        out.print(Text(f"no directory {assignment}: {names}", style="bright_black"))
    if len(verdicts) < len(handed_in):
        err.print(f"[yellow]stopped: {len(handed_in) - len(verdicts)} submissions were not graded")
    out.print(f"results: {_short_path(json_file)}\nreports: {_short_path(reports)}/STUDENT.html\n", soft_wrap=True)
    return verdicts


def _short_path(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _progress() -> Progress:
    return Progress(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                    TimeRemainingColumn(compact=True), console=err, transient=True)


def main() -> None:
    """Run the command line; errors are one line on stderr."""
    try:
        app()
    except (CourseError, DeclarationError, IsolationError, KeyFileError, Unreadable) as error:
        _fail(error, 2)
    except (SandboxError, OSError) as error:
        _fail(error, 1)


def _fail(error: Exception, status: int) -> None:
    err.print("autograder: " + str(error).replace("[", "\\["), style="red", soft_wrap=True)
    sys.exit(status)
