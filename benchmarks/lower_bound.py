"""What `throughput.py` compares with: student code and the grader's calls in one warm process, without any isolation.

    python benchmarks/lower_bound.py COURSE SUBMITTED ASSIGNMENT [ROUNDS]

Prints the seconds that all submissions took together, imports and a warm-up left out. With `ROUNDS`, the median of so many
rounds, each in a process of its own, forked from one that has imported everything: what TensorFlow does first is in it then, as
it is for whoever gives a submission a process. It grades nothing: it runs the cells that grading runs, and makes the calls that
the answer key asks for.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"  # as in a sandbox
os.environ["MPLBACKEND"] = "Agg"
sys.stdout, answer = sys.stderr, sys.stdout

from autograder import probes
from autograder.authoring.course import find_course
from autograder.grading.key import load
from autograder.grading.submission import read_submission


def main() -> None:
    course, submitted, name = find_course(Path(sys.argv[1])), Path(sys.argv[2]).resolve(), sys.argv[3]
    key, skeleton = load(course.key(name)), course.skeleton(name)
    os.chdir(course.release(name))
    sys.path.insert(0, os.getcwd())  # as a notebook's directory is
    own = probes.own_probes(course.release(name))
    submissions = [read_submission(folder / name / f"{key.notebook}.ipynb", skeleton, folder.name)
                   for folder in sorted(submitted.iterdir())]
    if len(sys.argv) > 4:
        print(statistics.median(forked(submissions, key, own) for _ in range(int(sys.argv[4]))), file=answer)
        return
    run(submissions[0], key, own)  # TensorFlow sets itself up at its first operations
    start = time.perf_counter()
    for submission in submissions:
        run(submission, key, own)
    print(time.perf_counter() - start, file=answer)


def forked(submissions, key, own) -> float:
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401

    receives, sends = os.pipe()
    start = time.perf_counter()
    if os.fork() == 0:
        for submission in submissions:
            run(submission, key, own)
        os.write(sends, str(time.perf_counter() - start).encode())
        os._exit(0)
    os.close(sends)
    with os.fdopen(receives) as channel:
        taken = float(channel.read())
    os.wait()
    return taken


def run(submission, key, own) -> None:
    namespace: dict = {"__name__": "__main__"}
    for cell in submission.cells:
        try:
            exec(compile(cell.source, cell.id, "exec"), namespace)
        except Exception:
            continue
    for question in key.questions:
        for case in question.cases:
            try:
                probes.exercise(namespace[question.name], case.probe, case.inputs, f"{question.name}/{case.name}", own)
            except Exception:
                continue


if __name__ == "__main__":
    main()
