"""Verdicts that need not be found again: kept by what was handed in, what it was graded with, and how.

One file a submission, named by its canonical content (the cells that are run) and by everything else that decides how they
run. In it, a verdict a question, each under the digest of that question's key: a changed question is graded again, alone.
Files are written whole, so that a run ended at any moment goes on where it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from autograder.files import atomic
from autograder.grading.key import EXAMPLES, Key, QuestionKey
from autograder.grading.submission import Submission
from autograder.grading.verdict import CaseVerdict, QuestionVerdict, Status, Verdict
from autograder.grading.versions import installed, release
from autograder.inside import wire
from autograder.sandbox.sandbox import Limits

PACKAGE = Path(__file__).resolve().parents[1]
DECIDE = ("inside", "sandbox", "grading")  # rooms whose code decides a verdict


class Cache:
    """The verdicts of an assignment's submissions.

    Args:
        folder: where the files are; None keeps nothing.
        files: what the release ships, which submissions may read.
    """

    def __init__(self, folder: Path | None, key: Key, files: tuple[Path, ...], limits: Limits, isolation: str):
        self._folder, self.isolation = folder, isolation
        self.questions = question_digests(key)
        self._circumstances = digest(code_and_releases(DECIDE), isolation, dataclasses.asdict(limits),
                                     contents(file for file in files if file.name != EXAMPLES))

    def load(self, submission: Submission) -> Verdict | None:
        """What is known of a submission: a verdict that holds the questions whose keys have not changed."""
        if (path := self._path(submission)) is None:
            return None
        try:
            data = json.loads(path.read_bytes())
            questions = tuple(_question(item) for name, item in data["questions"].items()
                              if data["digests"][name] == self.questions.get(name))
            return Verdict(submission.student, "graded", 0, data["seconds"], None, questions, tuple(data["notes"]),
                           self.isolation, data["outputs"], versions=installed())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # missing, or not readable: it is graded again

    def save(self, submission: Submission, verdict: Verdict) -> None:
        """Keep a verdict, unless something could not be graded or the worker did not serve to the end."""
        path = self._path(submission)
        if path is None or not verdict.certain or any(q.status == Status.UNGRADED for q in verdict.questions):
            return
        automatic = [question for question in verdict.questions if question.name in self.questions]
        data = {"digests": {question.name: self.questions[question.name] for question in automatic},
                "questions": {question.name: dataclasses.asdict(question) for question in automatic},
                "notes": verdict.notes, "seconds": verdict.seconds, "outputs": verdict.outputs}
        with contextlib.suppress(OSError):  # a disk that is full or read-only costs time later, and nobody a verdict
            with atomic(path, mode=0o600) as file:
                file.write(json.dumps(data).encode())

    def _path(self, submission: Submission) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{digest(self._circumstances, content(submission), submission.notes)[:40]}.json"


def content(submission: Submission) -> str:
    """A digest of what is run of a submission."""
    return digest([dataclasses.astuple(cell) for cell in submission.cells])


def unwritable(folder: Path) -> str | None:
    """Why nothing can be kept in a folder, in the system's words; None when something can."""
    try:
        with atomic(folder / "trial") as file:
            file.write(bytes(2**16))
        (folder / "trial").unlink()
    except OSError as error:
        return error.strerror
    return None


def question_digests(key: Key) -> dict[str, str]:
    """A digest of all that decides a question's verdict: its own key, and those of the questions it may use.

    What other questions ask does not matter; that they exist does: their answers are not searched for what this one forbids.
    """
    digests: dict[str, str] = {}
    names = [question.name for question in key.questions]
    for question in key.questions:
        own = hashlib.sha256(wire.pack(dataclasses.asdict(question))).hexdigest()
        digests[question.name] = digest(own, names, [digests[name] for name in question.uses])
    return digests


def unchanged(questions: tuple[QuestionKey, ...], known: Verdict | None) -> dict[str, QuestionVerdict]:
    """The verdicts that can be taken over."""
    verdicts = {verdict.name: verdict for verdict in known.questions} if known else {}
    return {question.name: verdicts[question.name] for question in questions if question.name in verdicts}


def _question(item: dict) -> QuestionVerdict:
    return QuestionVerdict(**{**item, "cases": tuple(CaseVerdict(**case) for case in item["cases"])})


def digest(*parts) -> str:
    """SHA-256 of plain data, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def contents(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Files by name, each with a digest of what is in it."""
    return [(path.name, _digest_of(path)) for path in files]


def _digest_of(path: Path) -> str:
    with open(path, "rb") as file:  # results of ten thousand students are not to be in memory whole
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_and_releases(rooms: Iterable[str]) -> list:
    """The code in these rooms of the kit, and the releases that run answers: another patch release counts, too."""
    code = [(f"{room}/{path.name}", _digest_of(path)) for room in rooms for path in sorted((PACKAGE / room).glob("*.py"))]
    return [code, installed(), release("ipython")]
