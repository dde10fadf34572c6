"""For pytest: `pytest cross_entropy.ipynb` shows every visible case as a test, and so does an editor's panel of tests.

Loaded in every run of pytest where the kit is installed, so it imports nothing of the kit until it comes upon a notebook with the
examples of an assignment beside it; to anything else it is not there. Needs no pytest to be installed for the rest of the kit.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from autograder.grading.key import CaseKey, QuestionKey
    from autograder.student.ci import Push

EXAMPLES = "examples.npz"  # `grading.key` has it, too, and loads the grader
CHECKED: pytest.StashKey[list[Push]] = pytest.StashKey()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A notebook of an assignment: the one that the examples beside it are of, or another that is named on the command line."""
    if file_path.suffix != ".ipynb" or not _is_key(file_path.parent / EXAMPLES):
        return None
    from autograder.grading.key import KeyFileError, load

    try:
        ours = load(file_path.parent / EXAMPLES).notebook == file_path.stem
    except KeyFileError:
        ours = False  # nobody's, unless it is asked for: then `collect` says what is wrong
    return Notebook.from_parent(parent, path=file_path) if ours or parent.session.isinitpath(file_path) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The points of each notebook, and oddities of its file."""
    for push in terminalreporter.config.stash.get(CHECKED, []):
        points = sum(question.max_score for question in push.verdict.questions)
        score = "?" if push.verdict.score is None else push.verdict.score
        more = f"hidden cases and what a person reads hold {push.total - points} more."
        terminalreporter.write_line(f"{push.notebook.name}: {score} of the {points} points of visible cases; {more}")
        for note in push.verdict.notes:
            terminalreporter.write_line(f"note: {note}")


def _is_key(path: Path) -> bool:
    """Does a file look like examples of ours? Without loading NumPy: somebody else's may be of this name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "manifest.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


class Notebook(pytest.File):
    """A notebook, whose cells are run once, when the first of its cases is asked for."""

    push: Push | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """The visible cases, in the order of the questions.

        Raises:
            CollectError: the notebook or its examples cannot be read; one line says why.
        """
        from autograder.grading.key import KeyFileError, load
        from autograder.grading.submission import Unreadable, read_cells
        from autograder.student.check import visible_part
        from autograder.student.ci import cell_lines

        try:
            key = visible_part(load(self.path.parent / EXAMPLES))
            read_cells(self.path)
        except (KeyFileError, Unreadable) as error:
            raise self.CollectError(str(error)) from None
        lines = cell_lines(self.path, {question.name for question in key.questions})
        for question in key.questions:
            for case in question.cases:
                yield Case.from_parent(self, question=question, case=case, line=lines.get(question.name, 1))

    def checked(self) -> Push:
        """The verdict on the whole notebook."""
        if self.push is None:
            from autograder.student.ci import check_push

            self.push = check_push(self.path)
            self.config.stash.setdefault(CHECKED, []).append(self.push)
        return self.push


class Case(pytest.Item):
    """A visible case, named by what the check in the notebook calls it."""

    def __init__(self, question: QuestionKey, case: CaseKey, line: int, parent: Notebook):
        words = f"{question.name}: {case.description.rstrip('.')}"
        alike = sum(other.description == case.description for other in question.cases) > 1
        # A colon or a bracket ends a name in the arguments of pytest; a shell runs what is in backticks.
        words = " ".join(words.replace("::", ":").replace("[", "(").replace("]", ")").replace("`", "").split())
        super().__init__(words + f" ({case.name})" * alike, parent)
        self.question, self.case, self.line, self.notebook = question.name, case.name, line, parent

    def setup(self) -> None:
        """Check the notebook; what could not be checked is an error, and no lost point."""
        verdict = self.notebook.checked().verdict
        if not self._found():
            said = [question.message for question in verdict.questions if question.name == self.question]
            pytest.fail(verdict.error or "".join(said) or "This case could not be checked.", pytrace=False)

    def runtest(self) -> None:
        """Fail with the words of the check, when the case is lost."""
        for question, case in self._found():
            if not case.passed:
                pytest.fail(case.message or question.message, pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the answer is in the notebook's file, its first line being 0."""
        return self.path, self.line - 1, self.name

    def _found(self) -> list:
        return [(question, case) for question in self.notebook.checked().verdict.questions if question.name == self.question
                for case in question.cases if case.name == self.case]
