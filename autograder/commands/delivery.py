"""For what travels between students, the grader and grade books: `export`, `collect`, `gradescope`."""

from __future__ import annotations

import codecs
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from autograder.authoring.course import CourseError, find_course
from autograder.commands.screen import fail
from autograder.delivery.collect import collect as collect_repositories
from autograder.delivery.download import Download, is_download
from autograder.delivery.export import export_classroom50, export_gradescope, export_repository
from autograder.delivery.gradescope import grade_container
from autograder.delivery.roster import read_roster
from autograder.files import atomic
from autograder.grading.feedback import Kind
from autograder.grading.submission import printable
from autograder.report.csv import grade_table
from autograder.report.junit import junit as junit_xml
from autograder.report.lms import Filled, LmsError
from autograder.report.lms import canvas as fill_canvas
from autograder.report.lms import moodle as fill_moodle
from autograder.report.lms import table as fill_table
from autograder.report.standing import Standing, counted, remarks

out = Console(highlight=False, soft_wrap=True)
export = typer.Typer(no_args_is_help=True, help="Hand assignments out to GitHub, GitLab and Gradescope, grades to grade books.")

Assignment = Annotated[str, typer.Argument(help="Id such as a4_cross_entropy.")]
Repository = Annotated[Path, typer.Option("--to", help="The student repository: a new folder, or a clone to update.")]
Told = Annotated[Kind, typer.Option("--feedback", help="Checks tell mistakes by their names, or only what is wrong.")]
Results = Annotated[Path, typer.Argument(help="What `autograder grade` wrote: build/results/ASSIGNMENT.json.")]
Exported = Annotated[Path, typer.Option("--template", help="The file as the learning management system exported it.")]
Filled_in = Annotated[Path, typer.Option("--to", help="Where to write the filled-in file.")]
Scale = Annotated[bool, typer.Option(help="Convert points when the maximum there is another.")]


@export.command()
def classroom(assignment: Assignment,
              to: Repository,
              workflow: Annotated[bool, typer.Option(help="Check each push; Classroom 50 has a workflow of its own.")] = True,
              feedback: Told = Kind.NAMED):
    """A complete student repository with a GitHub workflow that checks each push."""
    files = export_repository(_course(assignment), assignment, to, "github" if workflow else "classroom50", feedback)
    out.print(f"{to}: {len(files)} files, nothing hidden in them. Next: git init, commit, push, mark it as a template.")


@export.command()
def gitlab(assignment: Assignment, to: Repository, feedback: Told = Kind.NAMED):
    """A complete student repository with a GitLab pipeline that checks each push."""
    files = export_repository(_course(assignment), assignment, to, "gitlab", feedback)
    out.print(f"{to}: {len(files)} files, nothing hidden in them. Next: git init, commit, push; students fork it or import it.")


@export.command()
def classroom50(assignment: Assignment, to: Annotated[Path, typer.Option(help="A new folder.")],
                slug: Annotated[str | None, typer.Option(help="The assignment's name in Classroom 50.")] = None,
                feedback: Told = Kind.NAMED):
    """A bundle for Classroom 50, of visible cases only."""
    files = export_classroom50(_course(assignment), assignment, to, slug, feedback)
    name = next(file for file in files if file.endswith("/autograder.py")).split("/")[0]
    out.print(f"{to}/{name}: copy it to CLASSROOM/autograders/ in your classroom50 repository.\n"
              f"{to}/runtime.json: give it to `gh teacher assignment add --runtime`.")


@export.command()
def gradescope(assignment: Assignment, to: Annotated[Path | None, typer.Option(help="A folder (build/gradescope).")] = None):
    """An autograder for Gradescope, with the hidden key: keep it to yourself."""
    course = _course(assignment)
    path = export_gradescope(course, assignment, to or course.root / "build" / "gradescope")
    out.print(f"{path}: upload it under Configure Autograder. It holds the hidden key.")


@export.command()
def canvas(results: Results, template: Exported, to: Filled_in,
           column: Annotated[str | None, typer.Option(help="The assignment's title or number in Canvas.")] = None,
           scale: Scale = False):
    """Fill in a grade book exported from Canvas."""
    text, encoding = _exported(template)
    _write_filled(fill_canvas(text, _results(results), column, scale), to, results, encoding)


@export.command()
def moodle(results: Results, template: Exported, to: Filled_in,
           column: Annotated[str | None, typer.Option(help="The header of the grades (Grade).")] = None,
           identity: Annotated[str | None, typer.Option(help="The header of the students' names as submitted.")] = None,
           unlocked: Annotated[str | None, typer.Option(help="Moodle's word for a grade that can be changed (Yes).")] = None,
           comments: Annotated[str | None, typer.Option(help="The header of the students' hints (Feedback comments).")] = None,
           scale: Scale = False):
    """Fill in a grading worksheet exported from Moodle, with each student's hints as feedback."""
    text, encoding = _exported(template)
    _write_filled(fill_moodle(text, _results(results), column, scale, identity, unlocked, comments), to, results, encoding)


@export.command()
def table(results: Results, template: Exported, to: Filled_in,
          column: Annotated[str, typer.Option(help="The header of the grades.")],
          identity: Annotated[str, typer.Option(help="The header of the students' names as submitted.")],
          maximum: Annotated[str, typer.Option(help="Points at most in that column, when its header does not say [100].")] = "",
          comments: Annotated[str | None, typer.Option(help="The header of a column for each student's hints.")] = None,
          scale: Scale = False):
    """Fill in any table: Brightspace, Blackboard, Sakai, a spreadsheet of your own."""
    text, encoding = _exported(template)
    _write_filled(fill_table(text, _results(results), column, identity, maximum, scale, comments), to, results, encoding)


@export.command()
def csv(results: Results, to: Annotated[Path, typer.Option(help="Where to write the table.")]):
    """Points of every question as a table for spreadsheets."""
    text = "\ufeff" + grade_table(_results(results))  # the mark, because spreadsheets guess another encoding without it
    _write(to, text, results)
    out.print(str(to))


@export.command()
def junit(results: Results, to: Annotated[Path, typer.Option(help="Where to write the XML.")]):
    """Every case as a test in JUnit's XML."""
    _write(to, junit_xml(_graded(results)), results)
    out.print(str(to))


def collect(source: Annotated[Path, typer.Argument(help="A folder of clones, or the zip of submissions from Canvas or Moodle.")],
            roster: Annotated[Path | None, typer.Option(
                help="CSV with identifier and github_username, team, canvas_id or moodle_id.")] = None,
            assignment: Annotated[list[str] | None, typer.Option(help="Look for this one only; may be repeated.")] = None,
            to: Annotated[Path, typer.Option(help="Where submissions go.")] = Path("submitted")):
    """Turn cloned repositories, or a download from Canvas or Moodle, into submissions for `autograder grade`."""
    course = find_course()
    asked = course.require(assignment) if assignment else []
    if not source.exists():
        raise CourseError(f"expected cloned repositories or a download at {source}; found nothing")
    if is_download(source):
        if len(asked) > 1:
            raise CourseError(f"expected one assignment, as {source} has. Received: {', '.join(asked)}")
        with Download(source) as download:
            people = read_roster(roster, download.system) if roster else None
            found, absent = download.collect(course, to, people, *asked)
    else:
        people = read_roster(roster) if roster else None
        found, absent = collect_repositories(source, course, to, people, asked or None)
    what = ("student", "students") if is_download(source) else ("repository", "repositories")
    taken = [item for item in found if not item.problem]
    for item in taken:
        commit = f"{item.commit.hash[:10]} of {item.commit.time:%Y-%m-%d %H:%M} UTC" if item.commit else ""
        out.print(escape(printable(f"{item.source} -> {to / item.student / item.assignment}  {commit}").strip()))
    for item in found:
        if said := f"not taken: {item.problem}" if item.problem else item.note:
            out.print(f"[yellow]{escape(printable(f'{item.source}: {said}'))}")
    for student in absent:
        out.print(f"[yellow]{escape(student)}: nothing there")
    for student in people.without if people else ():
        out.print(f"[yellow]{escape(student)}: no account in the roster")
    sources = len({item.source for item in found})
    out.print(f"{len(taken)} submission{'s' * (len(taken) != 1)} from {sources} {what[sources != 1]}")
    if len(taken) < len(found):
        raise typer.Exit(1)


def gradescope_run(root: Annotated[Path, typer.Argument(help="Gradescope's folder.")] = Path("/autograder")):
    """Grade the submission in a Gradescope container: what run_autograder calls."""
    print(grade_container(root))


def _course(assignment: str):
    course = find_course()
    course.require([assignment])
    return course


def _exported(path: Path) -> tuple[str, str]:
    """A file's text and its encoding: UTF-16 when it is marked so, as Blackboard's is, else UTF-8."""
    try:
        content = path.read_bytes()
        encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
        return content.decode(encoding), encoding
    except OSError as error:
        raise LmsError(f"expected the exported file at {path}; {error.strerror}") from None
    except UnicodeDecodeError:
        raise LmsError(f"{path}: expected UTF-8 text, as it was exported; a spreadsheet may have saved it anew") from None


def _results(path: Path) -> dict:
    """What was graded, with the points that count: the gradebook's, where it has the assignment. Says which are not final."""
    found = _graded(path)
    there = _standings(found["assignment"])
    out.print(escape("points: nbgrader's gradebook" if there is not None else
                     f"points: {path}, because there is no gradebook that has {found['assignment']}"))
    shown = counted(found, there or {})
    for line in remarks(found, shown, there):
        out.print(f"[yellow]{escape(printable(line))}")
    return shown


def _standings(assignment: str) -> dict[str, Standing | None] | None:
    """Where everybody stands in the gradebook; None when none has the assignment, as results can be exported anywhere."""
    if find_spec("nbgrader") is None:
        return None
    from autograder.nbgrader.gradebook import RecordError, standings  # lazy: nbgrader takes a second to import

    try:
        return standings(find_course(), assignment)
    except CourseError:
        return None
    except RecordError as error:
        fail(error, 1)


def _graded(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found["assignment"], found["submissions"]
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseError(f"expected results that `autograder grade` wrote in {path} ({type(error).__name__})") from None


def _write(path: Path, text: str, results: Path, encoding: str = "utf-8") -> None:
    if path.resolve() == results.resolve():
        raise CourseError(f"expected another file for --to than the results. Received: {path}")
    with atomic(path) as file:
        file.write(text.encode(encoding))


def _write_filled(filled: Filled, path: Path, results: Path, encoding: str) -> None:
    _write(path, filled.text, results, encoding)
    hints = f", hints in {filled.comments}" if filled.comments else ""
    out.print(escape(f"{path}: {len(filled.filled)} grade{'s' * (len(filled.filled) != 1)} in the column {filled.column}{hints}"))
    if not filled.maximum:
        out.print("[yellow]the file does not say how many points there are at most: compare it with the assignment's")
    for names, what in ((filled.changed, "had another grade before"),
                        (filled.above, "above the maximum: Moodle, for one, leaves such a grade out when it imports"),
                        (filled.commented, "had a comment of another kind before, which was kept"),
                        (filled.without_row, "graded here, without a row of their own there"),
                        (filled.without_score, "could not be graded, left as they were"),
                        (filled.closed, "excused, not assigned or locked there, left as they were"),
                        (filled.without_result, "without a result here, left as they were")):
        if names:
            out.print(f"[yellow]{len(names)} {what}: {escape(printable('; '.join(names)))}")
