"""How long grading takes: plain nbgrader, this grader with one and two jobs, and the lower bound, side by side in one run.

    python benchmarks/throughput.py [--students 24] [--again 200] [--json build/benchmarks/throughput.json]

The same submissions of `a4_cross_entropy` are graded by

(a) `nbgrader autograde`, the questions being ordinary test cells with hidden tests: each case's inputs and expected values,
    compared in the student's kernel. Demo cells are left out, which favours it;
(b) `autograder grade` with one and with two jobs, nothing cached, from the command's start to its end: without a gradebook, and
    recording everything in nbgrader's as (a) does;
(c) the same student code and the same calls in one process that has imported everything already: no grader could be faster.

Then `--again` different submissions are graded and recorded, and graded a second time: what an unchanged class costs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import nbformat
import numpy as np
import psutil
from clone import ROOT, copy_course
from rich.console import Console
from rich.table import Table

from autograder.authoring import samples
from autograder.authoring.course import find_course
from autograder.authoring.lesson import read_lesson, source_notebook
from autograder.authoring.question import load_questions
from autograder.files import atomic
from autograder.grading.key import load
from autograder.grading.submission import read_submission
from autograder.sandbox.sandbox import Sandbox, Spent
from autograder.sandbox.warm import WarmParent

NAME = "a4_cross_entropy"
BIN = Path(sys.executable).parent
out = Console()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--students", type=int, default=24)
    arguments.add_argument("--again", type=int, default=200, help="submissions of the repeated run; 0 leaves it out")
    arguments.add_argument("--json", type=Path, default=ROOT / "build" / "benchmarks" / "throughput.json")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        result = measure(Path(folder), options.students, options.again)
    with atomic(options.json) as file:
        file.write(json.dumps(result, indent=1).encode() + b"\n")
    show(result)
    out.print(f"written to {options.json}")


def measure(folder: Path, students: int, again: int) -> dict:
    course = copied_course(folder / "course")
    chosen = [sample for sample in samples.sample_class(course, NAME)
              if sample.misconception or sample.student in ("all-right", "blank", "half-finished")][:students]
    submitted = folder / "submitted"
    samples.write_class(chosen, submitted, NAME)
    grade = [str(BIN / "autograder"), "grade", NAME, "--submissions", str(submitted), "--fresh"]
    result: dict = {"students": len(chosen), "cores": os.cpu_count(), "seconds": {}, "peak_megabytes": {}}

    def timed(name: str, command: list[str], cwd: Path) -> None:
        with out.status(f"{name} …"):
            seconds, peak = run(command, cwd)
        result["seconds"][name] = seconds / len(chosen)
        result["peak_megabytes"][name] = peak

    lower = [sys.executable, __file__.replace("throughput.py", "lower_bound.py"), str(course.root), str(submitted), NAME]
    with out.status("lower bound …"):
        bound = subprocess.run(lower, check=True, capture_output=True, text=True)
    result["seconds"]["lower bound"] = float(bound.stdout) / len(chosen)
    for jobs in (1, 2):
        label = f"autograder, {jobs} job{'s' * (jobs > 1)}"
        timed(label, [*grade, "--jobs", str(jobs), "--no-gradebook"], course.root)
        timed(f"{label}, recorded", [*grade, "--jobs", str(jobs)], course.root)
    vanilla = vanilla_course(folder / "vanilla", course, chosen)
    timed("nbgrader autograde", [sys.executable, "-m", "nbgrader", "autograde", NAME], vanilla)
    result["graded by nbgrader"] = len(list((vanilla / "autograded").glob(f"*/{NAME}/*.ipynb")))
    result["memory"] = memory(course, submitted / "all-right" / NAME)
    if again:
        result["again"] = repeated(folder / "again", course, chosen, again)
    return result


def copied_course(root: Path):
    copy_course(root)
    subprocess.run([str(BIN / "autograder"), "build", NAME], cwd=root, check=True, capture_output=True)
    return find_course(root)


def run(command: list[str], cwd: Path) -> tuple[float, float]:
    """Seconds of a command and the peak memory of its processes in megabytes, shared pages counted once."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    peak, done = 0.0, threading.Event()

    def watch(process: psutil.Process) -> None:
        nonlocal peak
        while not done.wait(0.5):
            total = 0
            for one in [process, *process.children(recursive=True)]:
                try:
                    total += one.memory_full_info().pss
                except psutil.Error:
                    continue
            peak = max(peak, total / 2**20)

    start = time.perf_counter()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=cwd, env=environment, **pipes) as process:
        watcher = threading.Thread(target=watch, args=(psutil.Process(process.pid),))
        watcher.start()
        said = process.communicate()[0]
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
    if process.returncode not in (0, 1):  # nbgrader ends with 1 when a submission failed
        raise RuntimeError(f"{command[0]}: exit status {process.returncode}\n{said[-2000:]}")
    return seconds, peak


# ---------------------------------------------------------------------------------------------------- plain nbgrader


def vanilla_course(root: Path, course, chosen) -> Path:
    """The same questions as an instructor would write them for nbgrader: tests in the notebook, hidden ones between markers."""
    folder = course.solution(NAME)
    notebook = source_notebook(read_lesson(folder), load_questions(folder))
    questions = {question.name: question for question in load(course.key(NAME)).questions}
    notebook.cells = [cell for cell in notebook.cells if "demo" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.id.endswith("-check"):
            cell.source = tests_of(questions[cell.id.removesuffix("-check")])
    source = root / "source" / NAME
    source.mkdir(parents=True)
    nbformat.write(notebook, source / "cross_entropy.ipynb")
    for file in course.released_files(NAME):
        shutil.copy(file, source)
    (root / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.root = {str(root)!r}\nc.CourseDirectory.db_assignments = []\n")
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    release = [sys.executable, "-m", "nbgrader", "generate_assignment", NAME]
    subprocess.run(release, cwd=root, check=True, capture_output=True, env=environment)
    released = nbformat.read(root / "release" / NAME / "cross_entropy.ipynb", as_version=4)
    for sample in chosen:
        answers = {cell["id"]: cell["source"] for cell in json.loads(sample.notebook)["cells"]}
        for cell in released.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = answers[cell.metadata.nbgrader.grade_id]
        place = root / "submitted" / sample.student / NAME
        place.mkdir(parents=True)
        nbformat.write(released, place / "cross_entropy.ipynb")
        for file in course.released_files(NAME):
            shutil.copy(file, place)
    return root


def tests_of(question) -> str:
    lines = ["### BEGIN HIDDEN TESTS", "from numpy import array, float32, float64, int32, int64, inf, nan"]
    for case in question.cases:
        arguments = ", ".join(literal(value) for value in case.inputs)
        if case.probe.name == "gradients":
            lines += [f"_values = [tf.constant(value) if isinstance(value, np.ndarray) else value for value in ({arguments},)]",
                      "_floats = [value for value in _values if tf.is_tensor(value) and value.dtype.is_floating]",
                      "with tf.GradientTape() as _tape:", "    _tape.watch(_floats)", f"    _output = {question.name}(*_values)",
                      "assert all(np.all(np.isfinite(gradient)) for gradient in _tape.gradient(_output, _floats))"]
        else:
            lines.append(f"_output = {question.name}(*[tf.constant(value) if isinstance(value, np.ndarray) else value "
                         f"for value in ({arguments},)])")
        lines.append(f"np.testing.assert_allclose(_output, {literal(case.expected['output'])}, {case.rtol}, {case.atol})")
    return "\n".join([*lines, "### END HIDDEN TESTS"])


def literal(value) -> str:
    if isinstance(value, np.ndarray):
        value = value.astype(np.float32) if value.dtype == np.float64 else value
        return f"array({value.tolist()!r}, dtype={value.dtype.name})" if value.ndim else repr(value.item())
    return f"array({value!r}, dtype=float32)" if isinstance(value, list) else repr(value)


# ---------------------------------------------------------------------------------------------------- memory, second run


def memory(course, submission: Path) -> dict:
    """Megabytes of the warm worker, and of one submission's process beyond what it shares with it."""
    with WarmParent(course.released_files(NAME), "auto", (course.root,)) as warm, Sandbox(warm, course.limits) as sandbox:
        sandbox.start()
        tree = [psutil.Process(warm.process.pid), *psutil.Process(warm.process.pid).children(recursive=True)]
        parent = max(process.memory_info().rss for process in tree)
        skeleton, key = course.skeleton(NAME), load(course.key(NAME))
        with sandbox.fork(Spent()) as child:
            for cell in read_submission(submission / "cross_entropy.ipynb", skeleton, "ada").cells:
                child.run_cell(cell.source, cell.id)
            for question in key.questions:
                for case in question.cases:
                    child.exercise(question.name, case.probe, case.inputs, "x", question.forbid)
            own = child.usage().memory
    return {"isolation": sandbox.isolation, "warm worker": parent / 2**20, "submission": own / 2**20}


def repeated(folder: Path, course, chosen, students: int) -> dict:
    """Seconds of grading and recording a class of different notebooks, and of grading it again unchanged."""
    for number in range(students):
        sample = chosen[number % len(chosen)]
        notebook = json.loads(sample.notebook)
        notebook["cells"].append({"cell_type": "code", "id": f"own-{number}", "metadata": {}, "outputs": [],
                                  "execution_count": None, "source": f"student = {number}"})
        place = folder / f"student-{number:03}" / NAME
        place.mkdir(parents=True)
        (place / "cross_entropy.ipynb").write_text(json.dumps(notebook))
    command = [str(BIN / "autograder"), "grade", NAME, "--submissions", str(folder), "--jobs", "2"]
    with out.status(f"{students} submissions, twice …"):
        recorded, _ = run([*command, "--fresh"], course.root)
        recorded_again, _ = run(command, course.root)
        graded, _ = run([*command, "--fresh", "--no-gradebook"], course.root)
        graded_again, _ = run([*command, "--no-gradebook"], course.root)
    return {"students": students, "recorded": recorded, "recorded again": recorded_again, "graded": graded,
            "graded again": graded_again}


def show(result: dict) -> None:
    seconds = result["seconds"]
    table = Table(title=f"{result['students']} submissions of {NAME}, {result['cores']} cores", title_justify="left", box=None)
    for column in ("", "seconds a submission", "nbgrader takes", "peak memory, MB"):
        table.add_column(column, justify="left" if not column else "right")
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        peak = result["peak_megabytes"].get(name)
        table.add_row(name, f"{value:.2f}", f"{seconds['nbgrader autograde'] / value:.1f} ×", f"{peak:,.0f}" if peak else "")
    out.print(table)
    overhead = seconds["autograder, 1 job"] - seconds["lower bound"]
    out.print(f"overhead of one job over the lower bound: {overhead:.2f} s a submission, start of the command included")
    kept = result["memory"]
    out.print(f"warm worker {kept['warm worker']:.0f} MB, a submission's own memory {kept['submission']:.0f} MB "
              f"({kept['isolation']})")
    if "again" in result:
        again = result["again"]
        each = again["recorded"] / again["students"]
        out.print(f"{again['students']} submissions, graded and recorded, 2 jobs: {again['recorded']:.1f} s, {each:.2f} s each; "
                  f"nbgrader takes {seconds['nbgrader autograde'] / each:.1f} × as long")
        for what in ("recorded", "graded"):
            first, second = again[what], again[f"{what} again"]
            out.print(f"{what}: {first:.1f} s; again, unchanged: {second:.1f} s ({second / first:.1%})")


if __name__ == "__main__":
    main()
