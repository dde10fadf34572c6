"""nbgrader with this grader inside: its commands, gradebook and pages as they are, its execution of student code replaced.

`nbgrader_config.py` of a course calls `configure(get_config(), __file__)`. Then

- `nbgrader generate_assignment` releases the notebook that `autograder build` wrote and registers it in the gradebook,
- `nbgrader autograde`, and the button of formgrader, grade in the sandbox, in parallel, from the cache where nothing changed,
- `nbgrader export` writes a CSV with points per question.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from autograder.authoring.course import Course, CourseError, find_course

NEEDS_SOURCE = ("generate_assignment", "assign", "autograde")


def configure(c, file: str | Path) -> None:
    """Fill in nbgrader's configuration object for the course that holds `file`, the configuration file itself."""
    from autograder.nbgrader import autograde, pages

    try:
        course = find_course(Path(file).resolve().parent)
        _require_build(course, sys.argv)
    except CourseError as error:
        sys.exit(f"autograder: {error}")
    if str(course.root) not in sys.path:
        sys.path.append(str(course.root))  # plugins that are named in the settings lie there, wherever a command is started
    c.CourseDirectory.root = str(course.root)
    c.CourseDirectory.source_directory = "build/source"  # generated: nbgrader hands out whatever else lies beside a notebook
    c.CourseDirectory.release_directory = "assignments"
    c.GenerateAssignment.force = True  # the release is generated, and committed
    c.GenerateAssignment.preprocessors = [
        *(f"nbgrader.preprocessors.{name}" for name in ("ClearSolutions", "ClearOutput", "CheckCellMetadata", "ComputeChecksums",
                                                        "SaveCells")), "autograder.nbgrader.release.DropChecksums"]
    c.Autograde.autograde_preprocessors = []  # those a course adds see a graded notebook before it is written
    # In formgrader's and the feedback's pages: what nbconvert makes of Markdown runs nothing (its own `sanitize_html` is not
    # looked at by nbgrader's templates).
    c.HTMLExporter.filters = {"markdown2html": "autograder.nbgrader.pages.markdown2html"}
    c.ExchangeFactory.release_feedback = "autograder.nbgrader.exchange.ReleaseFeedback"
    c.ExportApp.plugin_class = "autograder.nbgrader.export.PointsPerQuestion"
    if shutil.which("alembic") is None:  # nbgrader makes a new gradebook with that program, wherever `nbgrader` was started from
        os.environ["PATH"] = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    autograde.install()
    pages.guard()


def _require_build(course: Course, command: list[str]) -> None:
    """Before nbgrader says in twenty lines that it found nothing."""
    if len(command) < 2 or command[1] not in NEEDS_SOURCE:
        return
    for name in course.assignments:
        if name not in command[2:]:
            continue
        if not course.nbgrader_source(name).is_dir() or not course.key(name).is_file():
            raise CourseError(f"expected {name} to be built; found no key or no nbgrader source. Run `autograder build {name}`.")
