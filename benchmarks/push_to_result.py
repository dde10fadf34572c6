"""How long a student waits for our part of a push: `autograder ci`, from its start to the last report written.

    python benchmarks/push_to_result.py [ASSIGNMENT …] [--runs N]

Each run starts as on a CI machine, with nothing warm but the file cache. What a workflow does besides (checking out, installing
or restoring packages, uploading) is not in it. The course must be built. On a machine that does other work at the same time,
the processor seconds say more than the clock.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from autograder.authoring import samples
from autograder.authoring.course import find_course


def seconds(folder: Path, notebook: str) -> tuple[float, float]:
    """Wall-clock and processor seconds of one run."""
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(folder / "output"),
                 "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])  # noqa: E731
    start, before = time.perf_counter(), used()
    subprocess.run([sys.executable, "-m", "autograder", "ci", notebook], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   env=os.environ | variables)
    return time.perf_counter() - start, used() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("assignments", nargs="*")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    course = find_course()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {arguments.runs} runs each")
    print(f"{'assignment':24} {'notebook':16} {'median':>8} {'slowest':>8} {'processor':>10}")
    for assignment in course.require(arguments.assignments):
        made = {sample.student: sample.notebook for sample in samples.sample_class(course, assignment)}
        for student in ("all-right", "blank", "half-finished", "not-json"):
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(shutil.copytree(course.release(assignment), Path(scratch, "repository")))
                notebook = course.notebook(assignment).name
                (folder / notebook).write_text(made[student], encoding="utf-8")
                times = [seconds(folder, notebook) for _ in range(arguments.runs)]
            walls, processor = zip(*times)
            print(f"{assignment:24} {student:16} {statistics.median(walls):6.1f} s {max(walls):6.1f} s "
                  f"{statistics.median(processor):8.1f} s")


if __name__ == "__main__":
    main()
