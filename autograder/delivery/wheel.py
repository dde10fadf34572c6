"""The package as a wheel for students, and what it pins: what `autograder check` and `autograder ci` need, built once and kept.

It holds the rooms listed here: no course, no key, no tests, nothing of nbgrader's. Its version ends with a digest of its content:
an installer takes two wheels of one version for the same, and would leave the older one where it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import autograder
from autograder.authoring.course import CourseError
from autograder.files import Scratch
from autograder.grading.versions import TENSORFLOW, release

ROOMS = ("inside", "sandbox", "grading", "authoring", "report", "student", "delivery", "commands")  # all but nbgrader's
ROOT = Path(__file__).resolve().parents[2]
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
    sources = _sources()
    version = version_of(sources)
    folder = cache / version
    if not (found := list(folder.glob("*.whl"))):
        with Scratch() as scratch:
            # Built from a copy: setuptools would pack whatever an earlier build left beside the sources.
            copy = Path(scratch, "kit")
            for path in sources:
                target = copy / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            (copy / "README.md").write_text(README, encoding="utf-8")
            names = copy / "autograder" / "__init__.py"
            names.write_text(names.read_text(encoding="utf-8").replace(
                f'"{autograder.__version__}"', f'"{version}"'), encoding="utf-8")
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


def _sources() -> list[Path]:
    package = ROOT / "autograder"
    rooms = (path for room in ROOMS for path in (package / room).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sorted([*package.glob("*.py"), *rooms]) + [ROOT / "pyproject.toml", ROOT / "requirements.txt", ROOT / "LICENSE"]


def version_of(sources: list[Path]) -> str:
    """The kit's release and, as its local part, a digest of these files."""
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return f"{autograder.__version__}+{digest.hexdigest()[:12]}"


def constraints() -> str:
    """One release of everything that the wheel needs, as a constraints file.

    It is what is installed here, with which the expected values were computed; of what other platforms need, what is locked.
    """
    lines = []
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, pinned, rest = line.partition("==")
        if pinned:
            locked, apart, marker = rest.partition(" ;")
            lines.append(f"{name}=={release(*TENSORFLOW if name in TENSORFLOW else (name,)) or locked}{apart}{marker}\n")
    return "".join(lines)
