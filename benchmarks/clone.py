"""A clone of the course, for measurements and tests that build and grade in it."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copy_course(root: Path) -> None:
    """Copy what git would hand to a clone of the course, without what is generated."""
    for name in ("solutions", "data", "assignments"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "course.toml", root)
