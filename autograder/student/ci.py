"""What a student's repository runs at every push: check the visible cases, and say how it went in every form that CI shows.

Student code runs in a process of its own, and nothing it prints gets into the log, the summary or the results. Whatever the
notebook is, there are results.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from autograder.files import atomic
from autograder.grading.key import EXAMPLES, Key, KeyFileError, load
from autograder.grading.submission import Unreadable, find_notebook, read_cells
from autograder.grading.verdict import Status, Verdict, broken, unreadable
from autograder.report import classroom, classroom50
from autograder.report.escape import log_line, workflow_command
from autograder.report.html import student_page
from autograder.report.json import results
from autograder.report.junit import junit
from autograder.report.outline import Outline, outline
from autograder.report.summary import job_summary
from autograder.sandbox.sandbox import Limits
from autograder.student.check import check_notebook, visible_part

LIMITS = Limits(submission_seconds=300)
FILES = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")  # where a step leaves word for the runner
MOST_ANNOTATIONS = 10  # of each kind, in one step: GitHub drops the others
LEVEL = {"partial": "warning", "missing": "notice"}  # anything else that lost points is an error


@dataclasses.dataclass(frozen=True)
class Push:
    """A checked notebook: the verdict on its visible cases, their key, and the points of the whole assignment."""

    notebook: Path
    verdict: Verdict
    key: Key
    total: int


def check_push(notebook: Path, release: Path | None = None, limits: Limits = LIMITS) -> Push:
    """Check a notebook, whatever it is; where it is missing, what grading would take for it.

    Args:
        release: a folder with the examples and data to use in place of those beside the notebook.
    """
    try:
        whole = load((release or notebook.parent) / EXAMPLES)
    except KeyFileError:
        error = f"expected {EXAMPLES} as it came with the assignment; it is missing or damaged. Restore it."
        return Push(notebook, Verdict(notebook.stem, "unreadable", 0, 0.0, error, ()), Key("", notebook.stem, "", (), {}), 0)
    key, found = visible_part(whole), notebook
    notes: tuple[str, ...] = ()
    try:
        if not notebook.is_file():
            found, notes = find_notebook(notebook.parent, notebook.stem)
        verdict, _ = check_notebook(found, limits, release or notebook.parent)
        verdict = dataclasses.replace(verdict, student=notebook.stem, notes=(*notes, *verdict.notes))
    except Unreadable as error:
        verdict = unreadable(notebook.stem, key, str(error))
    except Exception as error:  # our fault until shown otherwise
        verdict = broken(notebook.stem, key, f"checking failed ({type(error).__name__}: {error})")
    return Push(found, verdict, key, whole.max_score)


def report(push: Push, folder: Path, environment: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write every report of a push into a folder; `environment` tells where the pushed notebook can be read."""
    data = results([push.verdict], push.key)
    content = {"results.json": json.dumps(data, indent=1, ensure_ascii=False) + "\n", "junit.xml": junit(data),
               "classroom.json": json.dumps(classroom.question_results(push.verdict), indent=1) + "\n",
               "summary.md": job_summary(push.verdict, push.total, data["isolation"]),
               "report.html": student_page(push.verdict, _outline(push, environment), datetime.date.today())}
    for name, text in content.items():
        with atomic(folder / name) as file:
            file.write(text.encode("utf-8", "replace"))


def ci(notebook: Path, folder: Path, release: Path | None = None, classroom50_file: Path | None = None,
       environment: Mapping[str, str] = os.environ, say: Callable[[str], None] = print) -> bool:
    """Check a notebook, write its reports, and tell GitHub when it runs there.

    Args:
        folder: where the reports go.
        classroom50_file: where Classroom 50 wants its result, when that is what runs this.
        say: writes a line to the log.
    Returns:
        Whether everything could be checked; lost points are no failure of the check.
    """
    with _on_guard(environment, say):
        push = check_push(notebook, release)
    report(push, folder, environment)
    for line in log_lines(push):
        say(line)
    if environment.get("GITHUB_ACTIONS") == "true":
        for line in github_annotations(push):
            say(line)
    if path := environment.get("GITHUB_OUTPUT"):
        with open(path, "a", encoding="utf-8") as file:
            file.writelines(f"{name}={classroom.encoded(result)}\n"
                            for name, result in classroom.question_results(push.verdict).items())
    if path := environment.get("GITHUB_STEP_SUMMARY"):
        with open(path, "a", encoding="utf-8") as file:
            file.write((folder / "summary.md").read_text(encoding="utf-8"))
    checked = bool(push.key.questions) and all(question.status != Status.UNGRADED for question in push.verdict.questions)
    if classroom50_file and checked:
        outcome = classroom50.result(push.verdict, environment, datetime.datetime.now(datetime.UTC))
        with atomic(classroom50_file) as file:
            file.write(json.dumps(outcome, indent=1).encode() + b"\n")
    return checked


def _outline(push: Push, environment: Mapping[str, str]) -> Outline:
    """The pushed notebook from afar, with its address at this commit where GitHub or GitLab runs this."""
    try:
        cells = read_cells(push.notebook)
    except Unreadable:
        cells = []
    address = ""
    root = environment.get("GITHUB_WORKSPACE") or environment.get("CI_PROJECT_DIR")
    with contextlib.suppress(KeyError, ValueError):
        path = push.notebook.resolve().relative_to(Path(root or "").resolve()).as_posix()
        if environment.get("GITHUB_ACTIONS") == "true":
            at = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/blob/{GITHUB_SHA}/"
        else:
            at = "{CI_PROJECT_URL}/-/blob/{CI_COMMIT_SHA}/"
        address = at.format_map(environment) + quote(path)
    return outline(push.key.assignment, cells, address)


def log_lines(push: Push) -> list[str]:
    """The results as lines of a log, none of which a runner could take for a command."""
    verdict = push.verdict
    width = max([0, *(len(question.name) for question in verdict.questions)])
    lines = [f"{_sign(question)} {question.name:{width}}  {'?' if question.score is None else question.score}"
             f"/{question.max_score}  {log_line(question.message)}" for question in verdict.questions]
    if verdict.error:
        lines.insert(0, f"{push.notebook.name}: {log_line(verdict.error)}")
    lines += [f"note: {log_line(note)}" for note in verdict.notes]
    if verdict.questions and verdict.score is not None:
        lines.append(f"{verdict.score} of {sum(question.max_score for question in verdict.questions)} points of visible cases, "
                     f"about {verdict.seconds:.1f} s")
    return lines


def github_annotations(push: Push) -> list[str]:
    """A GitHub annotation for each question that lost points, at its cell."""
    if push.verdict.status == "unreadable":  # one reason, not one for each question
        return [workflow_command("error", push.verdict.error or "", file=str(push.notebook), title="not checked")]
    lines = cell_lines(push.notebook, {question.name for question in push.verdict.questions})
    made: dict[str, list[str]] = {}
    for question in push.verdict.questions:
        if question.score == question.max_score:
            continue
        level = LEVEL.get(question.status, "error")
        score = "?" if question.score is None else question.score
        made.setdefault(level, []).append(workflow_command(
            level, question.message, file=str(push.notebook), line=lines.get(question.name, 1),
            title=f"{question.name}: {score} of {question.max_score} points"))
    return [line for found in made.values() for line in found[:MOST_ANNOTATIONS]]


def cell_lines(notebook: Path, names: set[str]) -> dict[str, int]:
    """The line of a notebook's file at which each named cell's source begins, as far as it can be told."""
    try:
        cells, text = read_cells(notebook), notebook.read_text(encoding="utf-8-sig")
    except (Unreadable, OSError, ValueError):
        return {}
    lines: dict[str, int] = {}
    position = 0
    for cell in cells:
        first = next((line for line in cell["source"].splitlines() if line.strip()), None)
        if first is None:
            continue
        # Jupyter writes letters as they are, other tools escape them.
        found = max(text.find(json.dumps(first, ensure_ascii=ascii)[1:-1], position) for ascii in (True, False))
        if found >= 0:
            position = found + 1
            name = cell["grade_id"] or cell["id"]
            if name in names:
                lines.setdefault(name, text.count("\n", 0, found) + 1)
    return lines


def _sign(question) -> str:
    return "✓" if question.score == question.max_score else "·" if question.status == "missing" else "✗"


@contextlib.contextmanager
def _on_guard(environment: Mapping[str, str], say: Callable[[str], None]):
    """While student code runs, the runner obeys no command in the log, and the files it reads afterwards stay as they were."""
    before = {}
    for name in FILES:
        with contextlib.suppress(KeyError, OSError):
            before[name] = Path(environment[name]).read_bytes()
    token = secrets.token_hex(16)
    on_github = environment.get("GITHUB_ACTIONS") == "true"
    if on_github:
        say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        for name, content in before.items():
            Path(environment[name]).write_bytes(content)
        if on_github:
            say(f"::{token}::")
