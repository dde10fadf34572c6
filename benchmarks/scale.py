"""Classes of 10, 100, 1,000 and 10,000: `python benchmarks/scale.py [STUDENTS …]` (default 10 100) measures and prints a table.

Each class is graded on this machine and on a Dask cluster of as many processes on it, graded again unchanged, and recorded with
its reports. Every step's figures go to build/scale/figures.json as soon as it is done: a run that was ended goes on where it was,
and says so. The table is of all that is there, and so is build/scale/scale.png. `--fresh` begins anew.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from clone import ROOT, copy_course
from measured import own_process
from rich.console import Console
from rich.table import Table

from autograder.authoring import samples
from autograder.authoring.course import find_course

NAME = "a4_cross_entropy"
PLACE = ROOT / "build" / "scale"
FIGURES = PLACE / "figures.json"
JOBS = 2
STEPS = {  # each a command's arguments; in this order, because what is cached makes the difference
    "graded, --jobs 2": ["--fresh", "--no-gradebook", "--jobs", str(JOBS)],
    "graded, --cluster local:2": ["--fresh", "--no-gradebook", "--cluster", f"local:{JOBS}"],
    "again, unchanged": ["--no-gradebook", "--jobs", str(JOBS)],
    "again, unchanged, recorded": ["--jobs", str(JOBS)],
}
out = Console(width=150, highlight=False)


def course() -> Path:
    """A built clone of the course; the one of an earlier run, if there is one."""
    root = PLACE / "course"
    if not (root / "built").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        copy_course(root)
        subprocess.run([sys.executable, "-m", "autograder", "build", NAME], cwd=root, check=True, capture_output=True)
        (root / "built").touch()
    return root


def hand_in(root: Path, students: int) -> tuple[Path, int]:
    """A class of notebooks that all differ, samples in turn with a cell of each student's own; its folder, how many samples."""
    folder = PLACE / f"class-{students}"
    made = [sample for sample in samples.sample_class(find_course(root), NAME)
            if sample.misconception or sample.student in ("all-right", "blank", "half-finished")]
    notebook = find_course(root).notebook(NAME).name
    for number in range(students):
        place = folder / f"student-{number:05}" / NAME
        if not (place / notebook).exists():
            cells = json.loads(made[number % len(made)].notebook)
            cells["cells"].append({"cell_type": "code", "id": f"own-{number}", "source": f"student = {number}", "metadata": {},
                                   "outputs": [], "execution_count": None})
            place.mkdir(parents=True, exist_ok=True)
            (place / notebook).write_text(json.dumps(cells))
    return folder, len(made)


def measured(command: list[str], cwd: Path) -> dict:
    """Seconds of a command, and processor seconds and megabytes of its own process."""
    found = own_process(command, cwd, PLACE / "said.txt")
    if found.status:
        raise SystemExit(f"{' '.join(command)}: exit status {found.status}\n{(PLACE / 'said.txt').read_text()[-2000:]}")
    return {"seconds": found.seconds, "processor": found.processor, "megabytes": found.megabytes}


def measure(students: int, figures: dict) -> None:
    """Take the steps of one class that are not in `figures` yet, and put them there."""
    root = course()
    folder, distinct = hand_in(root, students)
    for step, arguments in STEPS.items():
        if f"{students} {step}" in figures:
            out.print(f"{students} {step}: measured before")
            continue
        load = os.getloadavg()[0]
        out.print(f"{students} {step} … ({time.strftime('%H:%M:%S')}, load {load:.1f} on {os.cpu_count()} processors)")
        if step.endswith("recorded"):
            (root / "gradebook.db").unlink(missing_ok=True)
        command = [sys.executable, "-m", "autograder", "grade", NAME, "--submissions", str(folder), "--quiet", *arguments]
        figures[f"{students} {step}"] = measured(command, root) | {
            "students": students, "step": step, "distinct answers": min(distinct, students), "load": load}
        FIGURES.write_text(json.dumps(figures, indent=1))


def show(figures: dict) -> None:
    table = Table(title=f"{NAME}, {os.cpu_count()} processors", title_justify="left", box=None)
    for column in ("students", "sets of answers", "", "seconds", "seconds each", "main process: ms of processor each",
                   "its peak, MB", "load"):
        table.add_column(column, justify="left" if not column else "right")
    for one in figures.values():
        table.add_row(f"{one['students']:,}", str(one["distinct answers"]), one["step"], f"{one['seconds']:.1f}",
                      f"{one['seconds'] / one['students']:.3f}", f"{one['processor'] / one['students'] * 1000:.1f}",
                      str(one["megabytes"]), f"{one['load']:.1f}")
    out.print(table)
    sizes = sorted({one["students"] for one in figures.values()})
    here, there = ({size: figures[f"{size} {step}"]["processor"] for size in sizes if f"{size} {step}" in figures}
                   for step in list(STEPS)[:2])
    both = [size for size in sizes if size in here and size in there]
    for small, large in zip(both, both[1:]):  # what does not grow with the class (imports, certificates) is not a submission's
        more = [(spent[large] - spent[small]) / (large - small) * 1000 for spent in (there, here)]
        out.print(f"main process, ms of processor for each submission more, {small:,} to {large:,}: cluster {more[0]:.1f}, "
                  f"jobs {more[1]:.1f}; Dask's part {more[0] - more[1]:.1f}")


def draw(figures: dict) -> None:
    from matplotlib import pyplot  # after the measurements, whose machine it would load

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="tight")
    for step in STEPS:
        found = sorted((one["students"], one) for one in figures.values() if one["step"] == step)
        for axes, what in ((left, "seconds"), (right, "megabytes")):
            axes.loglog([size for size, _ in found], [one[what] for _, one in found], "o-", label=step)
    right.axhline(300, color="grey", linestyle=":")
    left.set(xlabel="submissions", ylabel="seconds")
    right.set(xlabel="submissions", ylabel="peak of the main process, MB")
    left.legend()
    figure.savefig(PLACE / "scale.png", dpi=100)


def main(arguments: list[str]) -> None:
    if "--fresh" in arguments:
        shutil.rmtree(PLACE, ignore_errors=True)
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for students in [int(argument) for argument in arguments if argument != "--fresh"] or [10, 100]:
        measure(students, figures)
    show(figures)
    draw(figures)


if __name__ == "__main__":
    main(sys.argv[1:])
