"""The grader's memory while it grades a class that wants it: `python benchmarks/grader_memory.py [STUDENTS]` prints each peak.

Every kind of notebook is graded as a class of its own, by `autograder grade` in a tiny course; the figure is the largest
resident set of the grader's own process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from measured import own_process

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

MOST = 300  # megabytes
JOBS = 2
PICTURE = ('import base64, os\nfrom IPython.display import display\n'
           'display({"image/png": base64.b64encode(b"\\x89PNG\\r\\n\\x1a\\n" + os.urandom(2_000_000)).decode()}, raw=True)\n')
FORGED = ('import os, struct\n'
          'items = b\'{"data":[\' + b"[]," * 1_300_000 + b\'[]],"arrays":[]}\'\n'
          'for descriptor in range(3, 64):\n'
          '    try:\n'
          '        os.write(descriptor, struct.pack("<QI", len(items), len(items)))\n'
          '        while items:\n'
          '            items = items[os.write(descriptor, items):]\n'
          '    except OSError:\n'
          '        pass\n')
LARGE = "import numpy as np\ndef double(x): return np.zeros((1500, 1000), 'float32')\nquadruple = double\n"


def code(*sources: str, outputs: list = ()) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": list(outputs), "execution_count": None}
        for source in sources]})


KINDS = {
    "honest": lambda: code("def double(x): return 2 * x"),
    "100 MB of outputs": lambda: code("x = 1", outputs=[{"output_type": "stream", "name": "stdout", "text": "x" * 100 * 2**20}]),
    "45 MB of outputs": lambda: code("x = 1", outputs=[{"output_type": "stream", "name": "stdout", "text": "x" * 45 * 2**20}]),
    "45 MB of wide characters": lambda: '{"cells": [], "metadata": "\U0001f600' + "x" * 45 * 2**20 + '"}',
    "many cells": lambda: code(*["x = 1"] * 300_000),
    "deep JSON": lambda: "[" * 40 * 2**20,
    "tiny lists": lambda: '{"cells": [' + "[]," * 15 * 2**20 + "[]]}",
    "tiny lists in a small file": lambda: '{"cells": [' + "[]," * 340_000 + "[]]}",
    "pictures": lambda: code(*[PICTURE] * 100),
    "pictures, process after process": lambda: code(*[PICTURE + f"if {number} % 5 == 4: os._exit(0)" for number in range(20)]),
    "a forged reply of tiny lists": lambda: code(FORGED),
    "a large answer to every case": lambda: code(LARGE),
}


def measure(kind: str, students: int, course) -> tuple[int, int, float]:
    """Grade a class of one kind; exit status, megabytes, seconds."""
    with tempfile.TemporaryDirectory() as place:
        first = Path(place, "submitted", "s0", "a0_doubling", "doubling.ipynb")
        first.parent.mkdir(parents=True)
        first.write_text(KINDS[kind]())
        for number in range(1, students):
            other = Path(place, "submitted", f"s{number}", "a0_doubling", "doubling.ipynb")
            other.parent.mkdir(parents=True)
            os.link(first, other)
        command = [sys.executable, "-m", "autograder", "grade", "a0_doubling", "--submissions", str(Path(place, "submitted")),
                   "--no-gradebook", "--fresh", "--jobs", str(JOBS)]
        found = own_process(command, course.root, Path(place, "said.txt"))
        return found.status, found.megabytes, found.seconds


def main(students: int) -> int:
    from conftest import write_tiny

    from autograder.authoring.build import build

    worst = 0
    with tempfile.TemporaryDirectory() as place:
        course = write_tiny(Path(place))
        build(course, "a0_doubling")
        for kind in KINDS:
            status, megabytes, seconds = measure(kind, students, course)
            worst = max(worst, megabytes)
            print(f"{kind:34} {megabytes:4} MB {seconds:6.1f} s" + (f"  exit status {status}" if status else ""), flush=True)
    print(f"largest: {worst} MB of {MOST}")
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 4))
