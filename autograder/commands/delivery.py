"""For what travels between students, the grader and grade books: `export`, `collect`, `gradescope`."""

from __future__ import annotations

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
from autograder.delivery.collect import read_roster
from autograder.delivery.export import export_classroom, export_classroom50, export_gradescope
from autograder.delivery.gradescope import grade_container
from autograder.files import atomic
from autograder.grading.submission import printable
from autograder.report.csv import grade_table
from autograder.report.junit import junit as junit_xml
from autograder.report.lms import Filled, LmsError
from autograder.report.lms import canvas as fill_canvas
from autograder.report.lms import moodle as fill_moodle
from autograder.report.standing import Standing, counted, remarks

out = Console(highlight=False, soft_wrap=True)
export = typer.Typer(no_args_is_help=True, help="Hand assignments out to GitHub and Gradescope, and grades to grade books.")

Assignment = Annotated[str, typer.Argument(help="Id such as a4_cross_entropy.")]
Results = Annotated[Path, typer.Argument(help="What `autograder grade` wrote: build/results/ASSIGNMENT.json.")]
Exported = Annotated[Path, typer.Option("--template", help="The file as the learning management system exported it.")]
Filled_in = Annotated[Path, typer.Option("--to", help="Where to write the filled-in file.")]
Scale = Annotated[bool, typer.Option(help="Convert points when the maximum there is another.")]


@export.command()
def classroom(assignment: Assignment,
              to: Annotated[Path, typer.Option(help="The student repository: a new folder, or a clone to bring up to date.")]):
    """A complete student repository with a GitHub workflow that checks each push."""
    files = export_classroom(_course(assignment), assignment, to)
    out.print(f"{to}: {len(files)} files, nothing hidden in them. Next: git init, commit, push, mark it as a template.")


@export.command()
def classroom50(assignment: Assignment, to: Annotated[Path, typer.Option(help="A new folder.")],
                slug: Annotated[str | None, typer.Option(help="The assignment's name in Classroom 50.")] = None):
    """A bundle for Classroom 50, of visible cases only."""
    files = export_classroom50(_course(assignment), assignment, to, slug)
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
    _write_filled(fill_canvas(_text(template), _results(results), column, scale), to)


@export.command()
def moodle(results: Results, template: Exported, to: Filled_in,
           column: Annotated[str | None, typer.Option(help="The header of the grades (Grade).")] = None,
           identity: Annotated[str | None, typer.Option(help="The header of the students' names as submitted.")] = None,
           scale: Scale = False):
    """Fill in a grading worksheet exported from Moodle."""
    _write_filled(fill_moodle(_text(template), _results(results), column, scale, identity), to)


@export.command()
def csv(results: Results, to: Annotated[Path, typer.Option(help="Where to write the table.")]):
    """Points of every question as a table for spreadsheets."""
    _write(to, "\ufeff" + grade_table(_results(results)))  # the mark, because spreadsheets guess another encoding without it
    out.print(str(to))


@export.command()
def junit(results: Results, to: Annotated[Path, typer.Option(help="Where to write the XML.")]):
    """Every case as a test in JUnit's XML."""
    _write(to, junit_xml(_graded(results)))
    out.print(str(to))


def collect(folder: Annotated[Path, typer.Argument(help="Holds the cloned repositories.")],
            roster: Annotated[Path | None, typer.Option(help="CSV with github_username and identifier.")] = None,
            assignment: Annotated[list[str] | None, typer.Option(help="Look for this one only; may be repeated.")] = None,
            to: Annotated[Path, typer.Option(help="Where submissions go.")] = Path("submitted")):
    """Turn cloned student repositories into submissions for `autograder grade`."""
    if not folder.is_dir():
        raise CourseError(f"expected a directory of cloned repositories at {folder}; found none")
    course = find_course()
    course.require(assignment or [])
    found, absent = collect_repositories(folder, course, to, read_roster(roster) if roster else None, assignment)
    taken = [item for item in found if not item.problem]
    for item in taken:
        commit = f"{item.commit.hash[:10]} of {item.commit.time:%Y-%m-%d %H:%M} UTC" if item.commit else "no commit"
        out.print(escape(f"{item.repository} -> {to / item.student / item.assignment}  {commit}"))
    for item in found:
        if item.problem:
            out.print(f"[yellow]{escape(item.repository)}: not taken: {escape(item.problem)}")
    for student in absent:
        out.print(f"[yellow]{escape(student)}: no repository")
    repositories = len({item.repository for item in found})
    out.print(f"{len(taken)} submission{'s' * (len(taken) != 1)} from {repositories} "
              f"{'repository' if repositories == 1 else 'repositories'}")
    if len(taken) < len(found):
        raise typer.Exit(1)


def gradescope_run(root: Annotated[Path, typer.Argument(help="Gradescope's folder.")] = Path("/autograder")):
    """Grade the submission in a Gradescope container: what run_autograder calls."""
    print(grade_container(root))


def _course(assignment: str):
    course = find_course()
    course.require([assignment])
    return course


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise LmsError(f"expected a file at {path}; found none") from None
    except UnicodeDecodeError:
        raise LmsError(f"{path}: expected UTF-8 text, as it was exported; a spreadsheet may have saved it anew") from None


def _results(path: Path) -> dict:
    """What was graded, with the points that count: the gradebook's, where it has the assignment. Says which are not final."""
    found = _graded(path)
    there = _standings(found["assignment"])
    out.print(escape("points: nbgrader's gradebook" if there is not None else
                     f"points: {path}, because there is no gradebook that has {found['assignment']}"))
    for line in remarks(found, there):
        out.print(f"[yellow]{escape(printable(line))}")
    return counted(found, there or {})


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


def _write(path: Path, text: str) -> None:
    with atomic(path) as file:
        file.write(text.encode())


def _write_filled(filled: Filled, path: Path) -> None:
    _write(path, filled.text)
    out.print(f"{escape(str(path))}: {len(filled.filled)} grade{'s' * (len(filled.filled) != 1)} in the column "
              f"{escape(filled.column)}")
    for names, what in ((filled.changed, "had another grade before"),
                        (filled.without_row, "graded here, without a row of their own there"),
                        (filled.without_score, "could not be graded, left as they were"),
                        (filled.closed, "excused, not assigned or locked there, left as they were"),
                        (filled.without_result, "without a result here, left as they were")):
        if names:
            out.print(f"[yellow]{len(names)} {what}: {escape('; '.join(names))}")
