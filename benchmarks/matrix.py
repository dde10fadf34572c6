"""Does the course hold with other releases of its libraries? Keys built with each set of them, side by side, and the corpora.

    python benchmarks/matrix.py [ASSIGNMENT …] [--sets latest …] [--python 3.13] [--no-corpora]

A set is `lowest` (of each library in pyproject.toml the oldest that it allows), `locked` (requirements.lock), `latest` (the
newest releases), or `pre-release` (with release candidates). For each

- a virtual environment is made in `build/matrix/SET` with uv; what cannot be installed is a line of the table;
- the keys of the assignments, by default all, are built in a copy of the course, with one secret;
- they are compared with the locked ones: a case agrees when its inputs are the same and every expected number lies within a tenth
  of the question's tolerance; a mistake agrees when the grader would take what it gives in both for the same answer;
- every known mistake goes through the whole grader (`pytest -m corpus`).

All sets take the Python that runs this file, or the one named. Exit status 1 when a set that could be installed does not agree or
fails its corpora.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from clone import copy_course
from rich.console import Console
from rich.table import Table

from autograder.authoring.course import find_course
from autograder.grading.compare import difference
from autograder.grading.diagnose import same_outcome
from autograder.grading.key import Key, load
from autograder.inside import wire

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "build" / "matrix"
NEEDED = ("--requirement", "pyproject.toml", "--all-extras")
SETS = {"locked": ("--require-hashes", "--requirement", "requirements.lock"),
        "lowest": ("--resolution", "lowest-direct", *NEEDED),
        "latest": NEEDED,
        "pre-release": ("--prerelease", "allow", *NEEDED)}
SHOWN = ("tensorflow", "keras", "numpy")
SHARE = 0.1  # of a question's tolerance, which a key may differ from the locked one
PROCESSES = 2  # of pytest
LAST_LINES = 3  # of what a failed command says; uv explains itself in as many


class Failed(Exception):
    """A step did not work; the message is what it said last."""


@dataclass
class Row:
    """What is known of a set: versions by name, and what each step came to."""

    name: str
    versions: dict[str, str]
    cases: str = ""
    mistakes: str = ""
    corpora: str = ""
    problem: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--python", default=sys.executable, help="which Python, as uv understands it")
    parser.add_argument("--no-corpora", action="store_true", help="build and compare only")
    options = parser.parse_args()
    assignments = find_course(ROOT).require(options.assignments)
    rows = []
    for name in ("locked", *(name for name in options.sets if name != "locked")):
        say(f"== {name}")
        row = Row(name, {})
        rows.append(row)
        try:
            install(name, options.python)
            row.versions = versions(name)
            build(name, assignments)
            if name != "locked":
                agreement(row, assignments)
            if name in options.sets and not options.no_corpora:
                row.corpora = corpora(name, assignments)
        except Failed as error:
            row.problem = str(error)
            if name == "locked":
                break  # with what should the others be compared?
    Console(width=max(100, Console().width)).print(table(rows, assignments))
    if any(row.problem and row.versions for row in rows) or rows[0].problem:
        raise SystemExit(1)


def install(name: str, python: str) -> None:
    """Make the set's virtual environment, with this kit in it."""
    folder = PLACE / name
    run([uv(), "venv", "--quiet", "--clear", "--python", python, folder])
    install = [uv(), "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    run([*install, *SETS[name]])
    run([*install, "--no-deps", "--editable", "."])


def versions(name: str) -> dict[str, str]:
    lines = run([uv(), "pip", "list", "--quiet", "--format", "freeze", "--python", PLACE / name / "bin" / "python"]).splitlines()
    found = dict(line.split("==") for line in lines if "==" in line)
    found["tensorflow"] = found.get("tensorflow") or found["tensorflow-cpu"]
    return {shown: found[shown] for shown in SHOWN}


def build(name: str, assignments: list[str]) -> None:
    """Build the keys in a copy of the course, one assignment after the other: a set that cannot build one says which."""
    course = PLACE / f"{name}-course"
    shutil.rmtree(course, ignore_errors=True)
    copy_course(course)
    for assignment in assignments:
        run([PLACE / name / "bin" / "autograder", "build", assignment], course, AUTOGRADER_SECRET="the same in every set")


def agreement(row: Row, assignments: list[str]) -> None:
    """Compare a set's keys with the locked ones."""
    cases, mistakes, differ = [], [], []
    for assignment in assignments:
        locked, other = (load(find_course(PLACE / f"{name}-course").key(assignment)) for name in ("locked", row.name))
        for where, same in case_by_case(locked, other):
            cases.append(same)
            differ += [] if same else [f"{assignment}.{where}"]
        for where, same in mistake_by_mistake(locked, other):
            mistakes.append(same)
            if not same:
                say(f"   another outcome: {assignment}.{where}")
    row.cases, row.mistakes = (f"{sum(found)} of {len(found)}" for found in (cases, mistakes))
    if differ:
        row.problem = f"other numbers: {', '.join(differ[:3])}{' …' if len(differ) > 3 else ''}"


def case_by_case(locked: Key, other: Key):
    """(question.case, does it agree?) of every case."""
    for mine, theirs in zip(locked.questions, other.questions, strict=True):
        for a, b in zip(mine.cases, theirs.cases, strict=True):
            same = wire.pack(a.inputs) == wire.pack(b.inputs) and \
                difference(a.expected, b.expected, a.rtol * SHARE, a.atol * SHARE) is None
            yield f"{mine.name}.{a.name}", same


def mistake_by_mistake(locked: Key, other: Key):
    """(question.case: mistake, does the grader see the same?) of every known mistake on every case."""
    for mine, theirs in zip(locked.questions, other.questions, strict=True):
        for a, b in zip(mine.cases, theirs.cases, strict=True):
            for mistake, outcomes in a.misconceptions.items():
                same = all(same_outcome(x, y, a) for x, y in zip(outcomes, b.misconceptions[mistake], strict=True))
                yield f"{mine.name}.{a.name}: {mistake}", same


def corpora(name: str, assignments: list[str]) -> str:
    """Send every known mistake of the assignments through the grader; pytest's last line."""
    command = [PLACE / name / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", "-n", str(PROCESSES), "-m", "corpus",
               "-k", " or ".join(assignments)]
    return run(command, says="stdout").strip().splitlines()[-1].strip("= ")


def run(command: list, folder: Path = ROOT, says: str = "stderr", **environment: str) -> str:
    """What a command prints.

    Args:
        says: where it says what went wrong, "stdout" or "stderr".
    Raises:
        Failed: with its last lines, when it does not end well.
    """
    done = subprocess.run([str(part) for part in command], cwd=folder, env=os.environ | environment, text=True,
                          capture_output=True)
    if done.returncode:
        said = [line.strip("= ") for line in getattr(done, says).splitlines() if line.strip()]
        raise Failed(" ".join(said[-LAST_LINES:]) or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def uv() -> str:
    """The program uv: the one that the Makefile installs, or one on the path."""
    mine = ROOT / "build" / "uv" / "bin" / "uv"
    if found := str(mine) if mine.exists() else shutil.which("uv"):
        return found
    raise SystemExit("expected the program uv in build/uv or on the path; found none. Run `make matrix`, which installs it.")


def table(rows: list[Row], assignments: list[str]) -> Table:
    made = Table(title=f"{len(assignments)} assignments, compared with the locked set", title_justify="left", box=None,
                 pad_edge=False)
    for column in ("set", *SHOWN, "cases agree", "mistakes agree", "corpora", ""):
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(row.name, *(row.versions.get(name, "") for name in SHOWN), row.cases, row.mistakes, row.corpora, row.problem)
    return made


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
