"""For instructors: `grade`, `doctor`."""

from __future__ import annotations

import datetime
import functools
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from autograder.authoring import build as building
from autograder.authoring.course import Course, CourseError, find_course
from autograder.commands.insight import class_file, class_report_of, ready_to_report
from autograder.commands.screen import INTERRUPTED, err, fail, out, progress_bar
from autograder.files import atomic
from autograder.grading.batch import Job, find_submissions, grade_all
from autograder.grading.cache import unwritable
from autograder.grading.feedback import read_feedback, remember
from autograder.grading.key import EXAMPLES, Key, KeyFileError, load
from autograder.grading.submission import printable
from autograder.grading.verdict import Status, Verdict
from autograder.grading.versions import WORDS, installed, notice
from autograder.report.changes import changes, changes_table
from autograder.report.html import student_page
from autograder.report.json import read, results, write
from autograder.report.outline import outline
from autograder.report.terminal import class_summary, class_table
from autograder.sandbox.isolation import LEVELS, choose, findings, obstacle, weaker
from autograder.sandbox.sandbox import Limits

if TYPE_CHECKING:  # distributed is an extra, and takes a second to import
    from autograder.grading.cluster import Place

NAMED = 4  # students in the bar, of those who are being graded
SMALL = 60  # submissions of which each has a line in the table


def grade(
    assignment: Annotated[str, typer.Argument(help="Id such as a4_cross_entropy.")],
    submissions: Annotated[Path, typer.Option(help="Directory of STUDENT/ASSIGNMENT/NOTEBOOK.ipynb.")] = Path("submitted"),
    jobs: Annotated[int, typer.Option(min=1, help="How many submissions to grade at a time.")] = os.cpu_count() or 1,
    cluster: Annotated[str | None, typer.Option(help="Grade on many machines: tls://host:port of a Dask scheduler, local:N for N "
                                                     "processes here, or a TOML file that describes the cluster.")] = None,
    isolation: Annotated[str, typer.Option(help="Walls around student code: auto, bubblewrap, landlock or process.")] = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Grade again what the cache knows.")] = False,
    feedback: Annotated[str | None, typer.Option(
        help="What students are told of mistakes with a name: named, plain (only what is wrong), half (of the students, another "
             "half each time), or a CSV file with the columns student and feedback. Default: course.toml's, else named.")] = None,
    sharing: Annotated[bool, typer.Option(help="Run an answer that several students have, with all that it reaches, once for "
                                               "them all.")] = True,
    gradebook: Annotated[bool, typer.Option(help="Record the results in nbgrader's gradebook, too.")] = True,
    student: Annotated[list[str], typer.Option(help="Grade only this student; can be given more than once. Everybody else's "
                                                    "results stay as they are.")] = [],  # noqa: B006
    full: Annotated[bool, typer.Option("--full", help=f"A line for every student, also above {SMALL}.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No table, and no bar.")] = False,
    json_file: Annotated[Path | None, typer.Option(
        "--json", help="Where to write the results (default build/results/ASSIGNMENT.json).")] = None,
    reports: Annotated[Path | None, typer.Option(
        help="Where to write a page per student (default build/reports/ASSIGNMENT).")] = None,
):
    """Grade every submission of an assignment with the hidden key."""
    course = find_course()
    course.require([assignment])
    if gradebook and find_spec("nbgrader") is None:
        raise CourseError("expected nbgrader, whose gradebook the results are recorded in; it is not installed. "
                          "`pip install '.[instructor]'` in the kit's clone, or pass --no-gradebook.")
    if not submissions.is_dir():
        raise CourseError(f"expected a directory of submissions at {submissions}; found none. Name it with --submissions DIR.")
    answer_key = hidden_key(course, assignment)
    cache = course.cache(assignment)
    if fresh:
        shutil.rmtree(cache, ignore_errors=True)
    in_view = json_file.with_name(f"{json_file.stem}-class.html") if json_file else class_file(course, assignment)
    json_file = json_file or course.results(assignment)
    reports = reports or course.reports(assignment)
    # Verdicts that could not be removed are not believed.
    kept = None if fresh and cache.exists() else cache
    job = replace(job_of(course, answer_key, course.limits, isolation, kept), share=sharing)
    if feedback is not None:
        try:
            job = replace(job, feedback=read_feedback(feedback, Path.cwd()))
        except ValueError as error:
            raise CourseError(str(error)) from None
    table = None if quiet else class_table if full else by_size
    verdicts = grade_class(job, submissions, jobs, json_file, reports, student, table, cluster, course.address(assignment),
                           functools.partial(ready_to_report, gradebook))
    out.print(f"results: {short_path(json_file)}\nreports: {short_path(reports)}/STUDENT.html\n", soft_wrap=True)
    remember(course.hand_ins(assignment), verdicts)
    if gradebook:
        record_class(course, assignment, submissions, verdicts, quiet)
    failed = any(question.status == Status.UNGRADED for verdict in verdicts for question in verdict.questions)
    del verdicts  # whose memory the class report may need
    if page := class_report_of(course, answer_key, json_file, submissions, reports, in_view):
        out.print(f"the class in view: {short_path(page)}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def hidden_key(course: Course, assignment: str) -> Key:
    """The hidden key, with a warning when the solution has changed since it was built."""
    answer_key = load(course.key(assignment))
    if answer_key.source != building.source_digest(course.solution(assignment)):
        err.print(f"[yellow]solutions/{assignment} has changed since the key was built: run `autograder build {assignment}`.")
    return answer_key


def job_of(course: Course, answer_key: Key, limits: Limits, isolation: str, cache: Path | None) -> Job:
    """What every submission of the key's assignment is graded with."""
    assignment = answer_key.assignment
    return Job(answer_key, course.skeleton(assignment), tuple(course.released_files(assignment)), limits, isolation,
               (course.root,), cache, feedback=course.feedback)


def grade_class(job: Job, submissions: Path, jobs: int, json_file: Path, reports: Path, only: Sequence[str] = (),
                table: Callable[[list[Verdict], Key, int], Group] | None = class_table, cluster: str | None = None,
                address: str = "", meanwhile: Callable[[], None] = lambda: None) -> list[Verdict]:
    """Grade a directory of submissions, print the table, write the JSON and a page per student: after Ctrl-C, none of it.

    Args:
        only: students to grade; everybody, when it names none.
        table: what shows the verdicts; None for a quiet run.
        cluster: where they are graded, as `cluster.read_place` reads it; None for `jobs` on this machine.
        address: of the released notebook in the web, for students' pages; "" where there is none.
        meanwhile: what can be done while the sandbox starts on this machine.
    """
    assignment = job.key.assignment
    spread = cluster and on_cluster(cluster)
    handed_in, absent = find_submissions(submissions, assignment)
    if not handed_in:
        raise CourseError(f"expected {submissions}/STUDENT/{assignment}/; found no submission there")
    if unknown := sorted(set(only) - {student for student, _ in handed_in}):
        raise CourseError(f"expected students with a directory {submissions}/STUDENT/{assignment}/. "
                          f"Received: {', '.join(map(printable, unknown))}")
    handed_in = [item for item in handed_in if not only or item[0] in only]
    if lacks := weaker(job.isolation if cluster and job.isolation in LEVELS else choose(job.isolation)):
        err.print(f"[yellow]{lacks} Run `autograder doctor` for more.", soft_wrap=True)
    if differ := notice(job.key.versions, installed()):
        err.print(f"[yellow]{differ} Run `autograder build {assignment}` to compute them with these.", soft_wrap=True)
    if problem := job.cache and unwritable(job.cache):
        err.print(f"[yellow]{escape(short_path(job.cache))} cannot be written ({problem}): what is graded now is not kept there.",
                  soft_wrap=True)
    with progress_bar(hidden=table is None) as progress:
        bar = bar_of_class(progress, len(handed_in))
        verdicts = spread(handed_in, job, *bar) if spread else grade_all(handed_in, job, jobs, *bar, meanwhile)
    if len(verdicts) < len(handed_in):  # earlier results are whole, and stay
        kept = " What was graded is kept: the same command goes on from there." if job.cache and not problem else ""
        err.print(f"[yellow]stopped: {len(handed_in) - len(verdicts)} of {len(handed_in)} submissions are not graded.{kept}",
                  soft_wrap=True)
        raise typer.Exit(INTERRUPTED)
    changed = write_results(results(verdicts, job.key), json_file, others=bool(only))
    lesson, today = outline(assignment, job.skeleton.cells, address), datetime.date.today()
    for verdict in verdicts:
        with atomic(reports / f"{verdict.student}.html") as file:
            file.write(student_page(verdict, lesson, today).encode())
    if table:
        out.print(table(verdicts, job.key, out.width))
    if table and absent and not only:
        names = ", ".join(absent[:10]) + (f" and {len(absent) - 10} more" if len(absent) > 10 else "")
        out.print(Text(f"no directory {assignment}: {names}", style="bright_black"))
    if changed:
        out.print(changes_table(changed, out.width))
    return verdicts


def place_of(cluster: str) -> Place:
    """The cluster that `--cluster` names.

    Raises:
        CourseError: there is no such cluster, or nothing to reach it with.
    """
    if find_spec("distributed") is None:
        raise CourseError("expected Dask's distributed, which clusters run on; it is not installed. "
                          "`pip install '.[cluster]'` in the kit's clone, or do without --cluster.")
    from autograder.grading.cluster import read_place  # lazy: distributed takes a second to import

    try:
        return read_place(cluster)
    except ValueError as error:
        raise CourseError(str(error)) from None


def warn(line: str) -> None:
    """A sentence that an instructor should see, though all goes on."""
    err.print(Text(line, style="yellow"), soft_wrap=True)


def on_cluster(cluster: str) -> Callable[..., list[Verdict]]:
    """`grade_all` on a cluster, without its `jobs`; when that is lost, the command ends with what to do.

    Raises:
        CourseError: as for `place_of`.
    """
    place = place_of(cluster)
    from autograder.grading.cluster import ClusterError, grade_on  # lazy: as in `place_of`

    def spread(handed_in: list[tuple[str, Path]], job: Job, done: Callable[[Verdict], None],
               begin: Callable[[str], None]) -> list[Verdict]:
        try:
            return grade_on(place, handed_in, job, done, begin, warn)
        except ClusterError as error:
            kept = " What was graded is kept: the same command goes on from there." if job.cache else ""
            fail(f"{error}.{kept}", 1)

    return spread


def by_size(verdicts: list[Verdict], key: Key, width: int) -> Group:
    """A line for every student of a small class, a large one at a glance."""
    return (class_table if len(verdicts) <= SMALL else class_summary)(verdicts, key, width)


def write_results(data: dict, json_file: Path, others: bool) -> list[dict]:
    """Write an assignment's results, with what is different from those that the file held.

    Args:
        others: keep what the file says of students who are not in `data`.
    Returns:
        Whose points have changed; see `changes`.
    """
    try:
        earlier = read(json_file)
        data["changes"] = changes(earlier, data)
        if others:
            new = {submission["student"] for submission in data["submissions"]}
            kept = [submission for submission in earlier["submissions"] if submission["student"] not in new]
            if kept and earlier["key"] != data["key"]:
                err.print(f"[yellow]the results of {len(kept)} others are of an earlier key: without --student all are graded.")
            data["submissions"] = sorted([*kept, *data["submissions"]], key=lambda submission: submission["student"])
    except FileNotFoundError:
        data["changes"] = []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        err.print(f"[yellow]{short_path(json_file)} held no results to compare with: it is replaced.", soft_wrap=True)
        data["changes"] = []
    with atomic(json_file) as file:
        write(data, file)
    return data["changes"]


def bar_of_class(progress: Progress, total: int) -> tuple[Callable[[Verdict], None], Callable[[str], None]]:
    """`done` and `begin` of `grade_all` that show who is being graded."""
    task = progress.add_task("", total=total)
    now: list[str] = []

    def show(graded: int):
        what = "grading" if progress.tasks[0].completed else "starting the sandbox for"  # which loads TensorFlow, once
        names = ", ".join(now[:NAMED]) + f" and {len(now) - NAMED} more" * (len(now) > NAMED)
        progress.update(task, description=f"{what} {printable(names)}", advance=graded)

    def begin(student: str):
        now.append(student)
        show(0)

    def done(verdict: Verdict):
        now.remove(verdict.student)
        show(1)

    return done, begin


def short_path(path: Path) -> str:
    """The path as it is typed in the working directory."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def record_class(course: Course, assignment: str, submissions: Path, verdicts: list[Verdict], quiet: bool = False) -> None:
    """Write what is new to nbgrader's gradebook, and say how much that was."""
    from autograder.nbgrader.gradebook import RecordError, record  # lazy: nbgrader takes a second to import

    with progress_bar(hidden=quiet) as progress:
        task = progress.add_task("recording in nbgrader's gradebook", total=len(verdicts))
        try:
            new = record(course, assignment, submissions, verdicts, _shown_log(), lambda: progress.advance(task))
        except RecordError as error:
            progress.stop()
            fail(error, 1)
        except KeyboardInterrupt:
            progress.stop()
            left = len(verdicts) - int(progress.tasks[task].completed)
            err.print(f"[yellow]stopped: {left} of {len(verdicts)} submissions are not recorded in the gradebook. Results and "
                      "reports are written; the same command goes on from there.", soft_wrap=True)
            raise typer.Exit(INTERRUPTED) from None
    others = "unchanged or not graded" if any(verdict.score is None for verdict in verdicts) else "unchanged"
    out.print(f"gradebook: {new} of {len(verdicts)} recorded, the others {others}" if new < len(verdicts) else
              f"gradebook: {new} recorded", "· `jupyter lab`, Nbgrader, Formgrader shows them", soft_wrap=True)


def _shown_log() -> logging.Logger:
    """nbgrader's log, of which warnings are shown, a line each."""
    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord):
            err.print(Text(record.getMessage(), style="yellow"), soft_wrap=True)

    logger = logging.Logger("autograder.nbgrader", logging.WARNING)
    logger.addHandler(Lines())
    return logger


def doctor():
    """Show what isolation this machine offers to student code, and which releases answers and keys are computed with."""
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
    out.print("\n[bold]versions[/bold]")
    here = installed()
    out.print(", ".join(f"{word} {here[name] or 'is missing'}" for name, word in WORDS.items()), soft_wrap=True)
    for line in _other_versions(here):
        err.print(f"[yellow]{line}", soft_wrap=True)


def _other_versions(here: dict[str, str]) -> Iterator[str]:
    """A line for each of the course's keys and examples that other releases computed, or that cannot be read."""
    try:
        course = find_course()
    except CourseError:  # outside a course there are none
        return
    for path in (path for name in course.assignments for path in (course.key(name), course.release(name) / EXAMPLES)):
        try:
            if path.exists() and (differ := notice(load(path).versions, here)):
                yield f"{path.relative_to(course.root)}: {differ}"
        except KeyFileError as error:
            yield str(error)
