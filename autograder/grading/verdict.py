"""What a submission earned and why: the values that grading ends in and every report is a view of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from autograder.grading.key import Key, QuestionKey


class Status(StrEnum):
    """How a question ended. `UNGRADED` is our fault and never zero points; `MANUAL` waits for a person."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    MISSING = "missing"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    UNGRADED = "ungraded"
    MANUAL = "manual"


WRONG = (Status.PARTIAL, Status.FAILED, Status.CRASHED, Status.TIMEOUT)  # attempted, and points were lost


@dataclass(frozen=True)
class CaseVerdict:
    """One case, won or lost whole. `message` states the fact, then the advice; it holds no hidden value.

    Attributes:
        outcome: a digest of what a lost case gave, the same for answers that went wrong in the same way; "" when nothing ran. A
            hidden case's is for the instructor alone; no export holds it.
    """

    name: str
    description: str
    visible: bool
    passed: bool
    points: int
    message: str
    outcome: str = ""


@dataclass(frozen=True)
class QuestionVerdict:
    """What a question earned, and why. `score` is None when we could not grade it, and when a person will.

    Attributes:
        closure: a digest of the answer and all that it reaches, where verdicts are shared: who has the same has the same verdict;
            "" where it is not known.
    """

    name: str
    status: Status
    score: int | None
    max_score: int
    message: str
    misconception: str | None
    cases: tuple[CaseVerdict, ...]
    closure: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a submission earned.

    Attributes:
        status: "graded" or "unreadable".
        seconds: of grading, as a power of two.
        error: one line when something went wrong.
        notes: oddities of the notebook, a line each.
        isolation: of the sandbox that ran it; "" when none did.
        outputs: what its cells printed and displayed, as nbformat outputs by cell; on disk where a class is graded.
        versions: the releases that ran it, as `versions.installed` names them; none when nothing ran.
        certain: whether the sandbox's worker served to the end; a verdict from which it had to be replaced is not kept for later.
        died: whether a case ended its process, which can have been for lack of time.
        content: a digest of what was run; "" where nothing could be.
        feedback: what the student is told, one of `feedback.Kind`.
    """

    student: str
    status: str
    max_score: int
    seconds: float
    error: str | None
    questions: tuple[QuestionVerdict, ...]
    notes: tuple[str, ...] = ()
    isolation: str = ""
    outputs: Mapping[str, list] = field(default_factory=dict)
    certain: bool = True
    versions: Mapping[str, str] = field(default_factory=dict)
    died: bool = False
    content: str = ""
    feedback: str = "named"

    @property
    def score(self) -> int | None:
        """The sum of what was graded here, or None when something could not be; a person's points come on top."""
        scores = [question.score for question in self.questions if question.status != Status.MANUAL]
        known = [score for score in scores if score is not None]
        return sum(known) if len(known) == len(scores) else None


def compact(verdict: Verdict, known: dict[Any, Any]) -> Verdict:
    """The same verdict, of parts that are in `known` already as far as others came to the same: a class has few that differ."""
    questions = tuple(replace(question, cases=tuple(known.setdefault(case, case) for case in question.cases))
                      for question in verdict.questions)
    return replace(verdict, questions=tuple(known.setdefault(question, question) for question in questions))


def unreadable(student: str, key: Key, error: str) -> Verdict:
    """The verdict on a submission that is no notebook: no points, and one line that says why."""
    message = f"The notebook could not be read: {error}"
    questions = tuple(no_points(question, Status.MISSING, message) for question in key.questions)
    return Verdict(student, "unreadable", key.max_score, 0.0, error, questions + by_hand(key))


def broken(student: str, key: Key, error: str) -> Verdict:
    """The verdict when grading itself failed: not zero points, but no score."""
    return Verdict(student, "graded", key.max_score, 0.0, error,
                   tuple(ungraded(question) for question in key.questions) + by_hand(key))


def ungraded(question: QuestionKey) -> QuestionVerdict:
    return QuestionVerdict(question.name, Status.UNGRADED, None, question.max_score,
                           "This question could not be graded. That is not your fault: tell your instructor.", None, ())


def by_hand(key: Key) -> tuple[QuestionVerdict, ...]:
    """The written answers, whose points a person gives."""
    return tuple(QuestionVerdict(name, Status.MANUAL, None, points, "A person reads and grades this answer.", None, ())
                 for name, points in key.written.items())


def no_points(question: QuestionKey, status: Status, message: str) -> QuestionVerdict:
    """The verdict on a question of which no case is won."""
    cases = tuple(CaseVerdict(case.name, case.description, case.visible, False, case.points, message) for case in question.cases)
    return QuestionVerdict(question.name, status, 0, question.max_score, message, None, cases)
