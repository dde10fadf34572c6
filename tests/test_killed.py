"""Thirty times `kill -9` while a class is graded and recorded: in the end everything is as if nothing had happened."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest
from test_nbgrader import NAME, hand_in, make_course, source

from autograder.authoring.build import build
from autograder.authoring.course import find_course

pytestmark = pytest.mark.corpus
STUDENTS = ("ada", "bob", "cy", "dora")
ROWS = ("select s.student_id, c.name, auto_score, manual_score, needs_manual_grade from grade x "
        "join submitted_notebook n on n.id = x.notebook_id join submitted_assignment s on s.id = n.assignment_id "
        "join base_cell c on c.id = x.cell_id")


def start(course):
    return subprocess.Popen([sys.executable, "-m", "autograder", "grade", NAME, "--jobs", "2"], cwd=course.root, start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(course.root / "tmp")})


def whole_run(course):
    run = start(course)
    _, said = run.communicate(timeout=600)
    assert run.returncode == 0, said


def everything(course):
    """What a run leaves, but for seconds and what changed: the files' contents, and the gradebook's rows."""
    folders = ("autograded", "submitted", "build/reports", "build/results", "build/cache", "tmp")
    files = {str(path.relative_to(course.root)) for folder in folders for path in (course.root / folder).rglob("*")}
    results = json.loads((course.root / "build" / "results" / f"{NAME}.json").read_text())
    for submission in results["submissions"]:
        submission["seconds"] = 0
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as database:
        rows = sorted(database.execute(ROWS).fetchall())
    return {file for file in files if "cache" not in file}, results["submissions"], rows


def leftovers(course):
    return sorted(path.name for path in course.root.rglob("*") if path.name.endswith(".part") or path.name.startswith("autograder-run-"))


def test_thirty_runs_that_are_killed_lose_nothing_and_leave_nothing(tmp_path):
    course = make_course(tmp_path / "course")
    build(course, NAME)
    (course.root / "tmp").mkdir()
    chance, killed = random.Random(14), 0
    for student in STUDENTS:
        hand_in(course, student)
    started = time.monotonic()
    whole_run(course)
    usual = time.monotonic() - started
    (course.root / "gradebook.db").unlink()  # to be killed while it is made, too
    for number in range(30):
        factor = chance.choice([2, 3, 4])  # somebody hands in anew
        hand_in(course, chance.choice(STUDENTS), source("double", f"def double(x):\n    return {factor} * x  # {number}"))
        started, run = time.monotonic(), start(course)
        try:
            run.wait(usual * chance.uniform(0.05 if number < 5 else 0.4, 1.05))
            usual = min(usual, time.monotonic() - started)  # the first run made the gradebook, too
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=60)
        killed += run.returncode == -signal.SIGKILL
    assert killed > 15
    while any(str(course.root) in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])):
        time.sleep(0.1)  # workers of the run that was killed last, which end with it
    for path in course.root.rglob("*"):  # what is younger than a minute may be somebody's who is at work
        if path.name.endswith(".part") or path.name.startswith("autograder-run-"):
            os.utime(path, (0, 0))
    whole_run(course)
    undisturbed = find_course(shutil.copytree(course.root, tmp_path / "undisturbed", ignore=shutil.ignore_patterns(
        "gradebook.db", "autograded", "reports", "results", "cache")))
    whole_run(undisturbed)
    assert everything(course) == everything(undisturbed)
    assert leftovers(course) == []
