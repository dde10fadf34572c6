"""What `throughput.py` compares with: student code and the grader's calls in one warm process, without any isolation.

    python benchmarks/lower_bound.py COURSE SUBMITTED

Prints the seconds that all submissions took together, imports and a warm-up left out. It grades nothing: it runs the cells that
grading runs, and makes the calls that the answer key asks for.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["MPLBACKEND"] = "Agg"
sys.stdout, answer = sys.stderr, sys.stdout

from autograder import probes
from autograder.authoring.course import find_course
from autograder.grading.key import load
from autograder.grading.submission import read_submission

NAME = "a4_cross_entropy"


def main() -> None:
    course = find_course(Path(sys.argv[1]))
    key, skeleton = load(course.key(NAME)), course.skeleton(NAME)
    folders = sorted(Path(sys.argv[2]).iterdir())
    os.chdir(course.release(NAME))
    submissions = [read_submission(folder / NAME / "cross_entropy.ipynb", skeleton, folder.name) for folder in folders]
    run(submissions[0], key)  # TensorFlow sets itself up at its first operations
    start = time.perf_counter()
    for submission in submissions:
        run(submission, key)
    print(time.perf_counter() - start, file=answer)


def run(submission, key) -> None:
    namespace: dict = {"__name__": "__main__"}
    for cell in submission.cells:
        try:
            exec(compile(cell.source, cell.id, "exec"), namespace)
        except Exception:
            continue
    for question in key.questions:
        for case in question.cases:
            try:
                probes.exercise(namespace[question.name], case.probe, case.inputs, f"{question.name}/{case.name}")
            except Exception:
                continue


if __name__ == "__main__":
    main()
