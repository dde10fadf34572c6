"""What `autograder report` and `autograder similarity` cost after a class has been graded: seconds, and of the processor.

    python benchmarks/class_in_view.py [--students 500] [--assignment a4_cross_entropy]

The class is made up, without running anything: results by the two-parameter logistic model, with the key's own mistakes and some
that have no name; notebooks whose answers are random programs of 6 to 15 statements, every fiftieth a copy with other names.
The assignment must have been built.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autograder.authoring.course import find_course
from autograder.grading.key import Key, load

OPERATIONS = "reduce_sum exp log matmul reshape transpose cast square sqrt reduce_mean where concat gather one_hot tile".split()
SLOPE = 1.5
UNNAMED = 8  # wrong answers to a question that have no name
COPIED = 50  # one in so many


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=500)
    parser.add_argument("--assignment", default="a4_cross_entropy")
    options = parser.parse_args()
    course = find_course(Path(__file__).parents[1])
    key = load(course.key(options.assignment))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (f"{options.students} students, {options.assignment}", "seconds", "of the processor", "page"):
        table.add_column(column, justify="left" if not table.columns else "right")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "results.json").write_text(json.dumps(made_up_results(key, options.students)))
        write_notebooks(folder / "submitted", course.notebook(options.assignment), key, options.students)
        for command, arguments in (("report", ()), ("report", ("--anonymous",)), ("similarity", ())):
            page = folder / "page.html"
            seconds, processor = measured([command, options.assignment, "--results", folder / "results.json",
                                           "--submissions", folder / "submitted", "--to", page, *arguments], course.root)
            table.add_row(" ".join((command, *arguments)), f"{seconds:.1f}", f"{processor:.1f}",
                          f"{page.stat().st_size / 1000:.0f} kB")
    Console().print(table)


def measured(arguments: list, root: Path) -> tuple[float, float]:
    """Seconds of one of our commands from its start to its end, and of the processor."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-m", "autograder", *map(str, arguments)], cwd=root, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def made_up_results(key: Key, students: int) -> dict:
    """Results as `grade` writes them."""
    rng, submissions = random.Random(0), []
    for place in range(students):
        strength, questions = rng.gauss(0, 1), []
        for number, question in enumerate(key.questions):
            difficulty = 3 * number / max(1, len(key.questions) - 1) - 1.5
            chance = 1 / (1 + math.exp(SLOPE * (difficulty - strength)))
            kind = rng.choice([*question.hints, *(f"unnamed {i}" for i in range(UNNAMED))])
            cases = [{"name": case.name, "visible": case.visible, "passed": rng.random() < chance, "points": case.points,
                      "message": "", "outcome": kind} for case in question.cases]
            score = sum(case["points"] for case in cases if case["passed"])
            passed = score == question.max_score
            questions.append({"name": question.name, "status": "passed" if passed else "partial" if score else "failed",
                              "score": score, "max_score": question.max_score, "message": "Some values differ.",
                              "misconception": kind if kind in question.hints and not passed else None, "cases": cases})
        submissions.append({"student": f"student{place:03}", "status": "graded", "score": sum(one["score"] for one in questions),
                            "max_score": key.max_score, "seconds": 0.25, "error": None, "notes": [], "questions": questions})
    return {"assignment": key.assignment, "key": key.digest, "isolation": "none", "versions": {}, "submissions": submissions,
            "changes": []}


def write_notebooks(folder: Path, notebook: Path, key: Key, students: int) -> None:
    """Notebooks of the same students."""
    rng, blank, answers = random.Random(0), json.loads(notebook.read_text()), {}
    for place in range(students):
        if place % COPIED == COPIED - 1:
            answers = {name: re.sub(r"\bv(\d+)", r"mine_\1", text) for name, text in answers.items()}
        else:
            answers = {question.name: program(question.name, rng) for question in key.questions}
        for cell in blank["cells"]:
            cell["source"] = answers.get(cell.get("id"), cell["source"])
        path = folder / f"student{place:03}" / key.assignment / f"{key.notebook}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(blank))


def program(name: str, rng: random.Random) -> str:
    """A function of 6 to 15 statements."""
    names, lines = ["a", "b"], [f"def {name}(a, b):"]
    for i in range(rng.randrange(6, 16)):
        x, y, op = rng.choice(names), rng.choice(names), rng.choice(OPERATIONS)
        lines.append("    " + rng.choice([f"v{i} = tf.{op}({x}, axis={i})", f"v{i} = {x} * {y} + tf.{op}({x})",
                                          f"v{i} = [{x}[i] for i in range(len({y}))]", f"v{i} = {x} if {y} else np.{op}({y})",
                                          f"v{i} = {x} / tf.{op}({y}, axis=1, keepdims=True)"]))
        names.append(f"v{i}")
    return "\n".join([*lines, f"    return {names[-1]}"])


if __name__ == "__main__":
    main()
