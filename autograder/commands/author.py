"""For authors: `author`, `build`, `audit`."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID
from rich.text import Text

from autograder.authoring import audit as auditing
from autograder.authoring import build as building
from autograder.authoring import honest, mutation, samples, separation
from autograder.authoring.arrival import doors
from autograder.authoring.blame import DeclarationError
from autograder.authoring.course import Course, find_course
from autograder.authoring.preview import preview
from autograder.commands.instructor import hidden_key, job_of, place_of, warn
from autograder.commands.screen import INTERRUPTED, fail, out, progress_bar
from autograder.files import Scratch, atomic
from autograder.grading import said
from autograder.grading.batch import find_submissions, grade_all
from autograder.grading.cache import question_digests
from autograder.grading.key import Key, load
from autograder.report import mistakes, mutants
from autograder.sandbox.isolation import choose

LOOK_SECONDS = 0.1


def build(
    assignments: Annotated[list[str] | None, typer.Argument(help="Ids such as a4_cross_entropy; all by default.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute every answer again, whatever has changed.")] = False,
    cluster: Annotated[str | None, typer.Option(help="Compute answers on many machines; as that of `grade`.")] = None,
):
    """Turn [bold]solutions/[/bold] into released notebooks, examples, hidden keys and nbgrader sources."""
    course = find_course()
    named = assignments or [*course.introductions, *course.assignments]
    graded = [name for name in named if name not in course.introductions]
    course.require(graded)
    for lesson in (name for name in named if name not in graded):
        building.introduce(course, lesson)
        out.print(f"[green]built[/green] {lesson}: nothing of it is graded")
    if graded:
        with answering(course, graded, cluster) as run:
            build_all(course, graded, run, fresh)
    write_index(course)


@contextlib.contextmanager
def answering(course: Course, assignments: list[str], cluster: str | None) -> Iterator[Callable]:
    """A `run` for `build_all`, on the processors of this machine or on a cluster; when that is lost, the command ends."""
    if cluster is None:
        with building.processes(os.cpu_count() or 1) as run:
            yield run
        return
    place = place_of(cluster)
    from autograder.authoring.spread import spread  # lazy: as in `place_of`
    from autograder.grading.cluster import ClusterError

    try:
        with spread(place, course, assignments, warn) as run:
            yield run
    except ClusterError as error:
        fail(f"{error}. What was computed is kept: the same command goes on from there.", 1)


def write_index(course: Course) -> None:
    """The way in as a page, beside the lessons' README where there is one; of the lessons that have been built."""
    from autograder.report.lessons import contents, index_page  # lazy: no other command needs Markdown

    readme = course.root / "assignments" / "README.md"
    if not readme.is_file():
        return
    lessons = [contents(name, course.notebook(name).relative_to(readme.parent).as_posix(), course.skeleton(name).cells,
                        [file.name for file in course.released_files(name)],
                        doors(course.lessons, course.notebook(name).relative_to(readme.parent).as_posix()) if course.kit else {})
               for name in sorted([*course.introductions, *course.assignments]) if course.notebook(name).is_file()]
    path = readme.with_name("index.html")
    page = index_page(course.name, readme.read_text(encoding="utf-8"), lessons, course.lessons).encode()
    if not path.is_file() or path.read_bytes() != page:
        with atomic(path) as file:
            file.write(page)


def author(assignment: Annotated[str, typer.Argument(help="An id such as a4_cross_entropy.")]):
    """Build an assignment whenever you save one of its files, and show which case catches which mistake. Ctrl-C ends it."""
    course = find_course()
    course.require([assignment])
    with progress_bar() as progress:
        progress.add_task("loading TensorFlow", total=None)
        building.ready()
    known: dict[str, str] | None = None
    # Processes start when many answers are wanted, and stay for the next time.
    with building.processes(os.cpu_count() or 1) as run, preview(course.notebook(assignment)) as address:
        out.print(f"{address}   the notebook as students get it" if address else
                  "no preview: it needs nbconvert, which the extra `instructor` installs", soft_wrap=True)
        for _ in changes(course.solution(assignment)):
            try:
                known = _workshop(course, assignment, known, run)
            except DeclarationError as error:
                out.print(Text(f"✗ {error}", style="red"), soft_wrap=True)


def changes(folder: Path) -> Iterator[None]:
    """Now, and whenever one of a folder's Python files has changed since. Looked at, not listened to: any file system will do."""
    seen: dict[Path, int] | None = None
    while True:
        now = seen
        with contextlib.suppress(OSError):  # an editor is about to put another in its place
            now = {path: path.stat().st_mtime_ns for path in folder.glob("*.py")}
        if now != seen:
            seen = now
            yield
        time.sleep(LOOK_SECONDS)


def _workshop(course: Course, assignment: str, known: dict[str, str] | None, run) -> dict[str, str]:
    """Build, and show what is new; `known` and what is returned are digests of questions."""
    begun = time.monotonic()
    with progress_bar() as progress:
        progress.add_task("references", total=None)
        cases = building.references(course, assignment)  # at once: most of what goes wrong does so here
    if cases and known is not None:
        out.print(Text(f"the reference gives an answer in {cases} case{'s' * (cases != 1)} that changed, "
                       f"{time.monotonic() - begun:.1f} s", style="dim"), soft_wrap=True)
    with progress_bar() as progress:
        task = progress.add_task("reading", total=None)
        started = building.start(course, assignment, run)
        progress.update(task, total=len(started.asked))
        key, problems = building.together(started, functools.partial(_asked, progress, task))
    if not problems:
        building.write(started, key)
    digests = question_digests(key)
    if known is None:
        out.print(mistakes.summary(key))
    for question in key.questions:
        if known is not None and digests[question.name] != known.get(question.name):
            out.print(mistakes.grid(question))
    for problem in problems:
        out.print(Text(f"✗ {problem}", style="red"), soft_wrap=True)
    found = cases + sum(len(asked.missing) for asked in started.asked)
    out.print(Text(f"{'not written' if problems else 'written'}: {found} of {sum(len(asked.digests) for asked in started.asked)} "
                   f"answers computed, {time.monotonic() - begun:.1f} s", style="dim"))
    return digests


def audit(
    assignments: Annotated[list[str] | None, typer.Argument(help="Ids such as a4_cross_entropy; all by default.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many notebooks to grade at a time.")] = os.cpu_count() or 1,
    mutate: Annotated[bool, typer.Option("--mutate", help="Try wrong answers derived from each reference, instead.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="With --mutate: so many of each question at most.")] = None,
):
    """Grade the reference, a blank notebook and every known mistake: is each worth what it should be, and named rightly?"""
    course = find_course()
    audited = functools.partial(_mutated, limit=limit) if mutate else functools.partial(_audited, jobs=jobs)
    with building.processes(jobs) as run:
        loose = [name for name in course.require(assignments or []) if not audited(course, name, run=run)]
    raise typer.Exit(int(bool(loose)))


def _audited(course: Course, assignment: str, jobs: int, run) -> bool:
    """Say what the grader makes of an assignment's answers and mistakes; False when something would be unfair."""
    key, made = hidden_key(course, assignment), auditing.notebooks(course, assignment)
    with Scratch() as folder, progress_bar() as progress:
        samples.write_class(made, Path(folder), assignment)
        task = progress.add_task(f"auditing {assignment}", total=len(made))
        job = job_of(course, key, course.limits, choose("auto"), None)
        done = functools.partial(_advance, progress, task)
        verdicts = grade_all(find_submissions(Path(folder), assignment)[0], job, jobs, done)
    if len(verdicts) < len(made):
        fail("stopped before all notebooks were graded", INTERRUPTED)
    found, fair = list(auditing.problems(made, verdicts, key)), True
    points = sum(question.max_score for question in key.questions)
    out.print(f"[red]✗[/red] {assignment}: {len(found)} of {len(made)} notebooks do not get what they should" if found else
              f"[green]✓[/green] {assignment}: reference {points}, blank 0, {len(made) - 2} mistakes lose points and are named",
              soft_wrap=True)
    mistaken = {f"{question.name}.{item.name}": item for question in key.questions for item in separation.mistakes(question)}
    near, unseen = separation.nearest(mistaken.values()), [name for name, item in mistaken.items() if not item.shown]
    try:
        constant = auditing.forged(course, assignment, key, run)
        far, words = max(honest.farthest(course, assignment, key, run), default=(0.0, "none fits"))
        fair = far <= 1
        closest = f"{mistakes.away(near.away)} tolerances away ({near.name})" if near else "none that is declared"
        out.print(Text(f"  the nearest mistake is {closest}, a right answer written otherwise at most {far:.2g} ({words})"),
                  soft_wrap=True)
        names = f": {', '.join(name for name, _ in constant)}" if constant else ""
        out.print(f"  replies that know nothing of a hidden case's inputs could earn {sum(points for _, points in constant)} "
                  f"points{names}", soft_wrap=True)
    except DeclarationError as error:
        fair = False
        out.print(Text(f"  {error}"), soft_wrap=True)
    out.print(Text(f"  visible cases show {len(mistaken) - len(unseen)} of {len(mistaken)} mistakes before handing in"
                   f"{': all but ' * bool(unseen)}{', '.join(unseen)}"), soft_wrap=True)
    told = said.capacity(key)
    out.print(f"  a report can carry {max(told['cases'].values(), default=0):.1f} bits about a hidden case at most, "
              f"{told['seconds']:.1f} about a submission's time", soft_wrap=True)
    for line in found:
        out.print(Text(f"  {line}"), soft_wrap=True)
    return fair and not found


def _mutated(course: Course, assignment: str, limit: int | None, run) -> bool:
    """Say what became of an assignment's mutants; False when too many of them earn all points."""
    key, reasons, found = hidden_key(course, assignment), mutation.listed(course.solution(assignment)), []
    with progress_bar() as progress:
        task = progress.add_task(f"mutants of {assignment}", total=None)
        for fate in mutation.fates(course, assignment, key, limit, run):
            found.append(fate)
            progress.update(task, description=f"mutants of {assignment}: {fate.question}", completed=len(found))
    counts = mutation.tally(found, reasons)
    tight = counts.killed >= mutation.KILLED
    out.print(mutants.line(assignment, counts), soft_wrap=True)
    for line in mutants.details(found, reasons, whole=limit is None):
        out.print(line, soft_wrap=True)
    return tight


def build_all(course: Course, assignments: list[str], run, fresh: bool = False) -> None:
    """Build those assignments that have changed, or all of them, with a `run` of `building.processes`."""
    with progress_bar() as progress:
        task = progress.add_task("loading TensorFlow", total=len(assignments))
        kept = [] if fresh else [assignment for assignment in assignments if building.unchanged(course, assignment)]
        for assignment in kept:
            progress.advance(task)
            progress.print(_built("unchanged", load(course.key(assignment))), soft_wrap=True)
        # All are started before one is waited for, so that no process is idle between them. Later lessons take longer: the last
        # come first, and what remains for the end is short.
        changed = [assignment for assignment in reversed(assignments) if assignment not in kept]
        for started in [building.start(course, assignment, run, fresh) for assignment in changed]:
            built = building.finish(started, functools.partial(_name, progress, task, started.assignment))
            progress.advance(task)
            progress.print(_built("built", built), soft_wrap=True)


def _advance(progress: Progress, task: TaskID, _) -> None:
    progress.advance(task)


def _asked(progress: Progress, task: TaskID, question: str) -> None:
    progress.update(task, description=question, advance=1)


def _name(progress: Progress, task: TaskID, assignment: str, question: str) -> None:
    progress.update(task, description=f"{assignment}: {question}")


def _built(how: str, key: Key) -> str:
    cases = [case for question in key.questions for case in question.cases]
    mistakes = sum(len(question.hints) for question in key.questions)
    return f"[green]{how}[/green] {key.assignment}: {len(key.questions)} questions, {len(cases)} cases " \
        f"({sum(case.visible for case in cases)} visible), {mistakes} misconceptions"
