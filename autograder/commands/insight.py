"""For instructors, after grading: `report`, the class in view, and `similarity`, answers that are alike."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import nbformat
import typer

from autograder.authoring.course import Course, CourseError, find_course
from autograder.authoring.lesson import read_lesson
from autograder.commands.screen import err, out
from autograder.delivery.leaks import LeakError, find_in, secrets
from autograder.files import atomic
from autograder.grading.batch import find_submissions
from autograder.grading.cache import PACKAGE, code_and_releases, contents, digest
from autograder.grading.feedback import hand_ins
from autograder.grading.key import Key, load
from autograder.grading.versions import release
from autograder.report.json import read

NEEDS = ("expected SciPy, which computes a class's statistics; it is not installed. `pip install '.[instructor]'` in the kit's "
         "clone.")
Submissions = Annotated[Path, typer.Option(help="Directory of STUDENT/ASSIGNMENT/NOTEBOOK.ipynb, from which answers are quoted.")]


def report(
    assignment: Annotated[str | None, typer.Argument(help="Id such as a4_cross_entropy.")] = None,
    everything: Annotated[bool, typer.Option(
        "--all", help="The course so far: a page of it, and one of each student, for the instructor.")] = False,
    results: Annotated[Path | None, typer.Option(help="What `grade` wrote (default build/results/ASSIGNMENT.json).")] = None,
    submissions: Submissions = Path("submitted"),
    reports: Annotated[Path | None, typer.Option(help="Where students' pages are (default build/reports/ASSIGNMENT).")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="For showing in class: no names, no hidden values.")] = False,
    to: Annotated[Path | None, typer.Option(
        help="The page; JSON and CSV go beside it (default build/class/ASSIGNMENT.html).")] = None,
):
    """The class in view: points, questions, named mistakes and groups of unnamed ones, who needs a look."""
    course = find_course()
    if everything == bool(assignment):
        raise CourseError("expected the id of an assignment, or --all. Received: " + ("both" if everything else "neither"))
    if assignment is None:
        out.print(f"report: {write_course_report(course, anonymous)}", soft_wrap=True, markup=False)
        return
    course.require([assignment])
    results = results or course.results(assignment)
    data = read_results(results, assignment)
    to = to or class_file(course, assignment, anonymous)
    if to.suffix != ".html" or to.with_suffix(".json").resolve() == results.resolve():
        raise CourseError(f"expected a file ending in .html for --to, and no results beside it under its name. Received: {to}")
    reports = reports or course.reports(assignment)
    written = write_class_report(course, load(course.key(assignment)), data, submissions, reports, to, anonymous)
    out.print("\n".join(f"report: {path}" for path in written), soft_wrap=True, markup=False)


def similarity(
    assignment: Annotated[str, typer.Argument(help="Id such as a4_cross_entropy.")],
    submissions: Submissions = Path("submitted"),
    results: Annotated[Path | None, typer.Option(
        help="What `grade` wrote: a shared wrong answer weighs more (default build/results/ASSIGNMENT.json, if there).")] = None,
    to: Annotated[Path | None, typer.Option(help="The page (default build/class/ASSIGNMENT-similarity.html).")] = None,
):
    """Answers that are alike beyond what the class has in common, side by side: evidence, not proof."""
    course = find_course()
    course.require([assignment])
    require_scipy()
    from autograder.report.answers import read_answers  # lazy, as below
    from autograder.report.similarity import similar
    from autograder.report.similarity_page import similarity_page

    if not submissions.is_dir() or not (folders := find_submissions(submissions, assignment)[0]):
        raise CourseError(f"expected {submissions}/STUDENT/{assignment}/; found no submission there. Name the directory with "
                          "--submissions DIR.")
    key, skeleton = load(course.key(assignment)), course.skeleton(assignment)
    there = results or course.results(assignment)
    wrong = _wrong_alike(read_results(there, assignment), key) if results or there.is_file() else {}
    answers = read_answers(folders, skeleton, key.notebook)
    pairs = similar(answers, _given(course, assignment, skeleton, key), wrong)
    to = to or class_folder(course) / f"{assignment}-similarity.html"
    write_private({to: similarity_page(assignment, pairs, answers)}, public=False)
    count = f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'} of {len(answers)} notebooks"
    out.print(f"{count} alike beyond what the class has in common: evidence, not proof\nreport: {to}", soft_wrap=True,
              markup=False)


def _wrong_alike(data: dict[str, Any], key: Key) -> dict[str, list[list[str]]]:
    """By question, students whose wrong answers have no name and gave the same."""
    from autograder.report.overview import wrong_alike

    return {question.name: wrong_alike(data, question.name) for question in key.questions}


def _given(course: Course, assignment: str, skeleton: nbformat.NotebookNode, key: Key) -> dict[str, list[str]]:
    """By question, what is nobody's own: the release's code and the reference's."""
    released = [cell.source for cell in skeleton.cells if cell.cell_type == "code"]
    reference = {cell.question: cell.source for cell in read_lesson(course.solution(assignment)) if cell.question}
    return {question.name: [*released, reference.get(question.name, "")] for question in key.questions}


def class_folder(course: Course) -> Path:
    """Where reports about the class are."""
    return course.root / "build" / "class"


def class_file(course: Course, name: str, anonymous: bool = False) -> Path:
    """Where the class report of an assignment is, or that of the course."""
    return class_folder(course) / f"{name}{'-anonymous' * anonymous}.html"


def read_results(path: Path, assignment: str) -> dict[str, Any]:
    """What `grade` wrote.

    Raises:
        CourseError: there is nothing, or something else.
    """
    try:
        data = read(path)
        if data["assignment"] != assignment:
            raise CourseError(f"{path}: expected the results of {assignment}. Received: those of {data['assignment']}.")
        cases = (case for one in data["submissions"] for question in one["questions"] for case in question["cases"])
        if any("outcome" not in case for case in cases):
            raise CourseError(f"{path} was written by an earlier release. Run `autograder grade {assignment}` again.")
        return data
    except FileNotFoundError:
        raise CourseError(f"expected results at {path}; found none. Run `autograder grade {assignment}` first.") from None
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, CourseError):
            raise
        raise CourseError(f"{path}: expected what `autograder grade` writes; this is something else "
                          f"({type(error).__name__}).") from None


def write_class_report(course: Course, key: Key, data: dict[str, Any], submissions: Path, reports: Path, to: Path,
                       anonymous: bool = False) -> list[Path]:
    """Write the page, and the same as JSON and CSV beside it.

    Args:
        data: the results.
        submissions: where the notebooks are, from which unnamed wrong answers are quoted; nothing is, where they are not.
        reports: where students' pages are.
    Returns:
        What was written.
    Raises:
        CourseError: SciPy is not installed.
        LeakError: an anonymous report would give something hidden away.
    """
    require_scipy()
    _record(course, to).unlink(missing_ok=True)  # of a page that is replaced
    from autograder.report import overview as overviews  # lazy, here and below: SciPy and matplotlib take seconds to import
    from autograder.report.csv import class_csv
    from autograder.report.overview_page import class_page

    view = overviews.overview(data, key, hand_ins(course.hand_ins(key.assignment)))
    if anonymous:
        view = overviews.anonymous(view)
    else:
        _add_stubs(view, course, key, submissions)
    content = {to: class_page(view, student_pages(reports, to), anonymous),
               to.with_suffix(".json"): json.dumps(view, indent=1, ensure_ascii=False) + "\n",
               to.with_suffix(".csv"): "\ufeff" + class_csv(view)}
    if anonymous:
        refuse_leaks(content, course, [key.assignment])
    write_private(content, anonymous)
    return list(content)


def write_course_report(course: Course, anonymous: bool) -> Path:
    """Write the page of the course so far, the same as JSON, and a page for each student; returns the first.

    Raises:
        CourseError: nothing has been graded, or SciPy is not installed.
        LeakError: an anonymous report would give something hidden away.
    """
    require_scipy()
    from autograder.report.course_page import course_page, course_student_page  # lazy, as in `write_class_report`
    from autograder.report.course_view import course_so_far

    graded = [name for name in course.assignments if course.results(name).is_file()]
    if not graded:
        raise CourseError(f"expected results in {course.results('').parent}; found none. Run `autograder grade` first.")
    view = course_so_far([read_results(course.results(name), name) for name in graded])
    to, students = class_file(course, "course", anonymous), class_folder(course) / "students"
    linked = {name for name in graded if class_file(course, name, anonymous).is_file()}
    page = course_page(course.name, view, student_pages(students, to),
                       lambda name: quote(class_file(course, name, anonymous).name) if name in linked else "", anonymous)
    content = {to: page, to.with_suffix(".json"): json.dumps(view | {"students": []} if anonymous else view, indent=1) + "\n"}
    if anonymous:
        refuse_leaks(content, course, graded)
    else:
        pages = {name: student_pages(course.reports(name), students / "x.html") for name in graded}
        for one in view["students"]:
            content[students / f"{one['student']}.html"] = course_student_page(
                course.name, view, one, lambda name, student=one["student"]: pages[name](student))  # type: ignore[misc]
    write_private(content, anonymous)
    return to


def refuse_leaks(content: dict[Path, str], course: Course, assignments: list[str]) -> None:
    """Raises LeakError where what is to be shown holds something hidden."""
    for assignment in assignments:
        hidden = secrets(course, assignment)
        found = {what for path, text in content.items() for what in find_in(path.name, text.encode("utf-8", "replace"), hidden)}
        if found:
            raise LeakError(f"expected a report that can be shown in class; it would hold {'; '.join(sorted(found))}. Nothing "
                            "was written.")


def write_private(content: dict[Path, str], public: bool) -> None:
    """Write files, which only their owner can read unless they are public."""
    for path, text in content.items():
        with atomic(path, mode=0o644 if public else 0o600) as file:
            file.write(text.encode("utf-8", "replace"))


def require_scipy() -> None:
    """Raises CourseError where SciPy is not installed."""
    if find_spec("scipy") is None:
        raise CourseError(NEEDS)


def student_pages(reports: Path, beside: Path) -> Callable[[str], str]:
    """From a student's name to the address of their page, as it is told in a file."""
    place = quote(os.path.relpath(reports.resolve(), beside.resolve().parent))
    return lambda student: f"{place}/{quote(student, errors='replace')}.html"


def _add_stubs(view: dict[str, Any], course: Course, key: Key, submissions: Path) -> None:
    """Give groups of unnamed wrong answers the answer of one of their students, as a misconception to be worded."""
    from autograder.report.answers import read_answers, stub

    examples = {item["example"] for question in view["questions"] for item in question["unnamed"] if item["ran"]}
    if not examples or not submissions.is_dir():
        return
    folders = [(student, folder) for student, folder in find_submissions(submissions, key.assignment)[0] if student in examples]
    answers = read_answers(folders, course.skeleton(key.assignment), key.notebook)
    for question in view["questions"]:
        for place, item in enumerate(question["unnamed"], 1):
            source = answers.get(item["example"], {}).get(question["name"], "") if item["ran"] else ""
            item["stub"] = stub(source, question["name"], f"{question['name'].lower()}_unnamed_{place}")


def ready_to_report(gradebook: bool = False) -> None:
    """Import what `class_report_of`, and perhaps the gradebook, will need: it takes most of a second."""
    for name in ("report.overview", "report.overview_page", *["nbgrader.gradebook"] * gradebook):
        importlib.import_module(f"autograder.{name}")


def class_report_of(course: Course, key: Key, results: Path, submissions: Path, reports: Path, to: Path) -> Path | None:
    """What `grade` writes by itself: the page, or None and a line that says why there is none. Grades do not depend on it.

    A page that was made of the same stays: importing what draws it would be most of an unchanged class's time.
    """
    files, record = [to, to.with_suffix(".json"), to.with_suffix(".csv")], _record(course, to)
    made_of = _made_of(course, key, results, submissions, [str(to.resolve()), student_pages(reports, to)("")])
    try:
        if all(path.is_file() for path in files) and record.read_text() == made_of:
            return to
    except (OSError, UnicodeDecodeError):
        pass  # there is none, or none of ours: it is made anew
    try:
        written = write_class_report(course, key, read_results(results, key.assignment), submissions, reports, to)
        write_private({record: made_of}, public=False)
        return written[0]
    except CourseError as error:
        err.print(f"no class report: {error}", style="yellow", soft_wrap=True, markup=False)
        return None


def _record(course: Course, to: Path) -> Path:
    """Where is remembered what `grade` made a class's page of, wherever that is."""
    return class_folder(course) / f"{to.stem}.made"


def _made_of(course: Course, key: Key, results: Path, submissions: Path, places: list[str]) -> str:
    """A digest of all that decides a class's page; hand-ins tell of answers that changed without a change of the results."""
    files = [results, course.hand_ins(key.assignment), *sorted((PACKAGE / "report").glob("*.jinja"))]
    code = code_and_releases(("report", "grading", "commands")), [release(name) for name in ("scipy", "matplotlib")]
    return digest(contents(path for path in files if path.is_file()), key.digest, places, submissions.is_dir(), code)
