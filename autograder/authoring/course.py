"""Where a course keeps its things, and what `course.toml` says about it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder import data
from autograder.authoring.lesson import notebook_name
from autograder.grading.feedback import Feedback, Kind, read_feedback
from autograder.sandbox.sandbox import Limits


class CourseError(ValueError):
    """The course's files are not as they should be; the message is one line."""


@dataclass(frozen=True)
class Course:
    """A course: its root directory, name and limits, and what students are told of their mistakes.

    Attributes:
        lessons: the web address under which `assignments/` can be read; "" where there is none.
        kit: what pip installs this kit from where a notebook is opened without it; "" where that is not said.
    """

    root: Path
    name: str
    limits: Limits
    feedback: Feedback = Feedback()
    lessons: str = ""
    kit: str = ""

    @property
    def assignments(self) -> list[str]:
        """Ids of the assignments, sorted: lessons with questions."""
        return [name for name in self._lessons() if (self.solution(name) / "questions.py").is_file()]

    @property
    def introductions(self) -> list[str]:
        """Ids of the lessons without a `questions.py`: they are handed out, and nothing of them is handed in or graded."""
        return [name for name in self._lessons() if not (self.solution(name) / "questions.py").is_file()]

    def _lessons(self) -> list[str]:
        return sorted(path.parent.name for path in (self.root / "solutions").glob("*/lesson.py"))

    def solution(self, assignment: str) -> Path:
        return self.root / "solutions" / assignment

    def release(self, assignment: str) -> Path:
        return self.root / "assignments" / assignment

    def notebook(self, assignment: str) -> Path:
        return self.release(assignment) / f"{notebook_name(assignment)}.ipynb"

    def address(self, assignment: str) -> str:
        """The web address of the released notebook; "" where there is none."""
        return f"{self.lessons}/{assignment}/{notebook_name(assignment)}.ipynb" if self.lessons else ""

    def key(self, assignment: str) -> Path:
        return self.root / "build" / "keys" / f"{assignment}.npz"

    def build_record(self, assignment: str) -> Path:
        """What the last build of `assignment` read and wrote, as a digest, and what it put beside the notebook, by name."""
        return self.root / "build" / "keys" / f"{assignment}.built"

    def answers(self, assignment: str) -> Path:
        """Where what the reference and the mistakes of `assignment` give on its cases is kept."""
        return self.root / "build" / "answers" / assignment

    def cache(self, assignment: str) -> Path:
        """Where the verdicts of `assignment` are kept."""
        return self.root / "build" / "cache" / assignment

    def results(self, assignment: str) -> Path:
        """What the last grading of `assignment` gave, as JSON."""
        return self.root / "build" / "results" / f"{assignment}.json"

    def hand_ins(self, assignment: str) -> Path:
        """What was handed in of `assignment` so far, as JSON Lines; see `feedback.remember`."""
        return self.root / "build" / "history" / f"{assignment}.jsonl"

    def reports(self, assignment: str) -> Path:
        """Where students' pages of `assignment` are."""
        return self.root / "build" / "reports" / assignment

    def nbgrader_source(self, assignment: str) -> Path:
        return self.root / "build" / "source" / assignment

    def data_file(self, name: str) -> Path:
        return self.root / "data" / name

    def released_files(self, assignment: str) -> list[Path]:
        """What the release ships beside the notebook, which every scratch directory holds too."""
        return sorted(path for path in self.release(assignment).iterdir()
                      if path.is_file() and path.suffix != ".ipynb" and not path.name.startswith("."))

    def skeleton(self, assignment: str) -> nbformat.NotebookNode:
        """The released notebook.

        Raises:
            CourseError: it has not been built.
        """
        path = self.notebook(assignment)
        if not path.is_file():
            raise CourseError(f"{path}: expected the released notebook; found none. Run `autograder build {assignment}`.")
        return nbformat.read(path, as_version=4)

    def require(self, assignments: list[str]) -> list[str]:
        """The assignments asked for, all of them when none is named.

        Raises:
            CourseError: one of them does not exist, or asks nothing.
        """
        if ungraded := [name for name in assignments if name in self.introductions]:
            raise CourseError(f"expected an assignment with questions; {ungraded[0]} has none (no questions.py): it is built and "
                              "handed out, and nothing of it is graded")
        if unknown := [name for name in assignments if name not in self.assignments]:
            raise CourseError(f"expected an assignment of this course ({', '.join(self.assignments) or 'it has none'}). "
                              f"Received: {', '.join(unknown)}")
        return assignments or self.assignments


def find_course(start: Path | None = None) -> Course:
    """The course that holds `start` (by default the working directory).

    Raises:
        CourseError: no `course.toml` up to the root of the file system, or one that cannot be read.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (path := folder / "course.toml").is_file():
            try:
                table = tomllib.loads(path.read_text(encoding="utf-8"))
                return Course(folder, str(table.get("name", folder.name)), Limits.from_table(table.get("limits", {})),
                              read_feedback(str(table.get("feedback", Kind.NAMED)), folder), _address(table.get("lessons", "")),
                              _requirement(table.get("kit", "")))
            except (tomllib.TOMLDecodeError, ValueError) as error:
                raise CourseError(f"{path}: {error}") from None
    raise CourseError(f"expected a course.toml in {start} or above it; found none. Run this inside a course.")


def _address(value: object) -> str:
    if value != "" and not (isinstance(value, str) and value.startswith(("https://", "http://"))):
        raise ValueError(f"lessons: expected a web address that begins with https://. Received: {value!r}")
    return value.rstrip("/")


def _requirement(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\w+.:/@%=~-]*", value):
        raise ValueError("kit: expected what pip installs the kit from, such as git+https://github.com/OWNER/KIT. "
                         f"Received: {value!r}")
    return value


def data_files(lesson_source: str) -> list[str]:
    """Names of the data sets that a lesson loads, by its calls of `data.<loader>(`."""
    return sorted({file for loader, file in data.FILES.items() if f"data.{loader}(" in lesson_source})
