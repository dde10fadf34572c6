"""Where the time of a right submission goes, of each assignment, beside its lower bound: a table.

    python benchmarks/profile.py [ASSIGNMENT …] [--rounds 3] [--json build/benchmarks/profile.json]

A worker is started once and has graded the notebook once before; then, each round, the notebook is graded as it is, and graded
with nothing ruled out: the difference is what watching costs. The lower bound is the same code and the grader's calls in
processes that have imported everything and check nothing (`lower_bound.py`). Medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

from rich.console import Console
from rich.table import Table

from autograder.authoring import samples
from autograder.authoring.course import find_course
from autograder.commands.instructor import job_of
from autograder.files import atomic
from autograder.grading.grade import grade
from autograder.grading.key import load
from autograder.grading.submission import find_notebook, read_submission
from autograder.sandbox.sandbox import Child, Sandbox

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("process and walls", "reading the source", "cells", "cases", "watching", "the rest")
out = Console()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("assignments", nargs="*")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--json", type=Path, default=ROOT / "build" / "benchmarks" / "profile.json")
    options = arguments.parse_args()
    course = find_course(ROOT)
    chosen = course.require(options.assignments)
    subprocess.run([sys.executable, "-m", "autograder", "build", *chosen], cwd=ROOT, check=True, capture_output=True)
    result = {}
    for name in chosen:
        with out.status(f"{name} …"), tempfile.TemporaryDirectory(prefix="profile-") as folder:
            result[name] = measure(course, name, Path(folder), options.rounds)
    with atomic(options.json) as file:
        file.write(json.dumps(result, indent=1).encode() + b"\n")
    out.print(table(result))
    out.print(f"written to {options.json}")


def measure(course, name: str, folder: Path, rounds: int) -> dict[str, float]:
    """Seconds by part, of the start, of the whole, and of the lower bound."""
    made = samples.sample_class(course, name, 0)
    samples.write_class([sample for sample in made if sample.student == "all-right"], folder, name)
    key = load(course.key(name))
    job = job_of(course, key, course.limits, "auto", None)
    lenient = replace(key, questions=tuple(replace(question, forbid=()) for question in key.questions))
    path, notes = find_notebook(folder / "all-right" / name, key.notebook)
    submission = read_submission(path, job.skeleton, "all-right", notes)
    with job.warm("auto") as parent, Sandbox(parent, job.limits) as sandbox:
        start = time.perf_counter()
        sandbox.start()
        seconds = {"start": time.perf_counter() - start}
        graded(submission, key, sandbox, job)
        seen = [(graded(submission, key, sandbox, job), graded(submission, lenient, sandbox, job)) for _ in range(rounds)]
    bound = subprocess.run([sys.executable, __file__.replace("profile.py", "lower_bound.py"), str(course.root), str(folder), name,
                            str(rounds)], check=True, capture_output=True, text=True)
    seconds["lower bound"] = float(bound.stdout)

    def median(of) -> float:
        return statistics.median(of(watched, free) for watched, free in seen)

    seconds["process and walls"] = median(lambda watched, free: watched["walls"])
    seconds["reading the source"] = median(lambda watched, free: watched["Inspect"])
    seconds["cells"] = median(lambda watched, free: watched["RunCell"])
    seconds["cases"] = median(lambda watched, free: free["Exercise"])
    seconds["watching"] = median(lambda watched, free: watched["Exercise"] - free["Exercise"])
    seconds["the whole"] = median(lambda watched, free: watched["the whole"])
    seconds["the rest"] = seconds["the whole"] - sum(seconds[part] for part in PARTS[:-1])
    return seconds


def graded(submission, key, sandbox, job) -> Counter:
    """Seconds of one grading: of each kind of request, of processes, of the whole."""
    spent: Counter = Counter()
    inner = [0.0]  # of requests within what is timed

    def timed(function, what):
        def run(self, *arguments, **options):
            start, before = time.perf_counter(), inner[0]
            try:
                return function(self, *arguments, **options)
            finally:
                taken = time.perf_counter() - start - (inner[0] - before)
                spent[what(arguments)] += taken
                inner[0] += taken
        return run

    originals = {name: vars(Child)[name] for name in ("__init__", "close", "_request")}
    try:
        Child.__init__ = timed(originals["__init__"], lambda _: "walls")
        Child.close = timed(originals["close"], lambda _: "walls")
        Child._request = timed(originals["_request"], lambda arguments: type(arguments[0]).__name__)
        start = time.perf_counter()
        verdict = grade(submission, key, sandbox, None, job.observers)
        spent["the whole"] = time.perf_counter() - start
    finally:
        for name, function in originals.items():
            setattr(Child, name, function)
    automatic = sum(question.max_score for question in key.questions)
    if verdict.score != automatic:
        raise RuntimeError(f"{key.assignment}: expected {automatic} points. Received: {verdict.score}")
    return spent


def table(result: dict) -> Table:
    made = Table(title="seconds of a right submission", caption="the start of a worker comes once for many submissions")
    for name in ("assignment", *PARTS, "the whole", "lower bound", "times", "start"):
        made.add_column(name, justify="left" if name == "assignment" else "right")
    for name, seconds in result.items():
        made.add_row(name, *(f"{seconds[part]:.2f}" for part in (*PARTS, "the whole", "lower bound")),
                     f"{seconds['the whole'] / seconds['lower bound']:.2f}", f"{seconds['start']:.1f}")
    return made


if __name__ == "__main__":
    main()
