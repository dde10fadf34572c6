"""The package as a wheel for students: what `autograder check` and `autograder ci` need, built once and kept.

It holds the rooms listed here: no course, no key, no tests, nothing of nbgrader's and nothing that only tests need.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from autograder.authoring.course import CourseError
from autograder.files import Scratch

ROOMS = ("inside", "sandbox", "grading", "authoring", "report", "student", "delivery", "commands")  # all but nbgrader's
ROOT = Path(__file__).resolve().parents[2]
OTHERS = "# For instructors"  # the line of requirements.txt below which students need nothing
README = "What students run: see the README of the repository this file came with.\n"


def student_wheel(cache: Path) -> Path:
    """The wheel, built when the package has changed since it was built last.

    Args:
        cache: a directory to keep it in.
    Raises:
        CourseError: the package's own sources are not here, or building failed.
    """
    if not (ROOT / "pyproject.toml").is_file():
        raise CourseError(f"expected the kit's sources in {ROOT}; found no pyproject.toml. Export from a clone of the kit.")
    package = ROOT / "autograder"
    sources = sorted([*package.glob("*.py"), *(path for room in ROOMS for path in (package / room).rglob("*")
                                               if path.is_file() and path.suffix != ".pyc")])
    sources += [ROOT / "pyproject.toml", ROOT / "requirements.txt", ROOT / "LICENSE"]
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    folder = cache / digest.hexdigest()[:16]
    if not (found := list(folder.glob("*.whl"))):
        with Scratch() as scratch:
            # Built from a copy: setuptools would pack whatever an earlier build left beside the sources.
            copy = Path(scratch, "kit")
            for path in sources:
                target = copy / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            (copy / "README.md").write_text(README, encoding="utf-8")
            (copy / "requirements.txt").write_text(student_requirements(), encoding="utf-8")
            made = Path(scratch, "made")
            command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(made), str(copy)]
            environment = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}  # the same bytes whenever it is built
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
                raise CourseError(f"expected pip to build a wheel of the kit; it says: {last}")
            folder.mkdir(parents=True, exist_ok=True)
            for path in made.glob("*.whl"):
                os.replace(shutil.copy(path, folder / f".{path.name}"), folder / path.name)
        found = list(folder.glob("*.whl"))
    return found[0]


def student_requirements() -> str:
    """`requirements.txt` without what only instructors and the tests need."""
    needed, mark, _ = (ROOT / "requirements.txt").read_text(encoding="utf-8").partition(OTHERS)
    if not mark:
        raise CourseError(f"requirements.txt: expected a line that begins with {OTHERS!r}; found none")
    return needed
