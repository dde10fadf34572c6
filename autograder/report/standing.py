"""The points that count: a person's beside ours, as a grade book is to have them, and what is still missing from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Standing:
    """A submission as the gradebook has it.

    Attributes:
        points: by question, with extra credit; None where nobody has given any.
        automatic: those among them that grading gave; None where it gave none.
        waiting: questions that a person has to look at.
        failed: questions that we could not grade, and nobody has given points for.
        penalty: for being late.
    """

    points: Mapping[str, float | None]
    automatic: Mapping[str, float | None]
    waiting: tuple[str, ...]
    failed: tuple[str, ...]
    penalty: float = 0.0

    @property
    def raw(self) -> float | None:
        """The sum of the points given so far; None while a question could not be graded."""
        return None if self.failed else sum((points or 0.0 for points in self.points.values()), 0.0)

    @property
    def score(self) -> float | None:
        """What counts, after the penalty."""
        return None if self.raw is None else max(0.0, self.raw - self.penalty)


def counted(results: dict[str, Any], standings: Mapping[str, Standing | None]) -> dict[str, Any]:
    """Results as `autograder.report.json` gives them, with the points that count.

    Each submission gets `waiting`: its questions that a person has to look at, and `penalty`: points less for being late. A
    question's message says what came of its answer since. `absent` are students who have no points.

    Args:
        standings: by student; None for those without a submission.
    """
    submissions = [_counted(submission, standings.get(submission["student"])) for submission in results["submissions"]]
    others = set(standings) - {submission["student"] for submission in submissions}
    return results | {"submissions": submissions, "absent": sorted(name for name in others if not _handed_in(standings[name]))}


def status(submission: dict[str, Any]) -> str:
    """How a submission that was `counted` stands, in a word or three."""
    if submission["status"] == "unreadable":
        return "unreadable"
    return "ungraded" if submission["score"] is None else "by hand outstanding" if submission["waiting"] else "graded"


def remarks(results: dict[str, Any], shown: dict[str, Any], standings: Mapping[str, Standing | None] | None) -> list[str]:
    """What the reader of these results must know about their numbers, a line each.

    Args:
        shown: the results, `counted`.
        standings: of the gradebook; None when it does not have the assignment.
    """
    there, graded = standings or {}, results["submissions"]
    by_hand = [it for it in shown["submissions"] if status(it) == "by hand outstanding"]
    lists = {
        "not final, because a person has yet to look at some of it":
            [f"{it['student']} ({', '.join(it['waiting'])})" for it in by_hand],
        "not in the gradebook, with the points of these results":
            [it["student"] for it in graded
             if standings is not None and there.get(it["student"]) is None and it["score"] is not None],
        "graded otherwise since, and not recorded: with the gradebook's points":
            [it["student"] for it in graded if _newer(it, there.get(it["student"]))],
        "in the gradebook, and left out because these results do not have them":
            sorted({name for name in there if _handed_in(there[name])} - {it["student"] for it in graded})}
    return [f"{len(names)} {what}: {'; '.join(names)}" for what, names in lists.items() if names]


def _newer(submission: dict[str, Any], standing: Standing | None) -> bool:
    """Whether the results have automatic points that are not the gradebook's."""
    return standing is not None and any(
        question["score"] not in (None, standing.automatic.get(question["name"]))
        for question in submission["questions"] if question["status"] != "manual")


def _handed_in(standing: Standing | None) -> bool:
    return standing is not None and any(points is not None for points in standing.points.values())


def _counted(submission: dict[str, Any], standing: Standing | None) -> dict[str, Any]:
    if standing is None:
        waiting = [question["name"] for question in submission["questions"] if question["status"] == "manual"]
        return submission | {"waiting": waiting, "penalty": 0}
    questions = [question | {"score": _number(standing.points.get(question["name"], question["score"])),
                             "message": _message(question, standing)} for question in submission["questions"]]
    return submission | {"score": _number(standing.score), "questions": questions, "waiting": list(standing.waiting),
                         "penalty": _number(standing.penalty)}


def _message(question: dict[str, Any], standing: Standing) -> str:
    points, ours = standing.points.get(question["name"]), standing.automatic.get(question["name"])
    if question["name"] in standing.waiting or points is None:
        return question["message"]
    if question["status"] == "manual":
        return "A person has graded this answer." if points != ours else "Nothing is written here."
    return question["message"] if points == ours else f"{question['message']} A person has given these points.".strip()


def _number(points: float | None) -> float | None:
    """Whole points as they were declared, others to a hundredth."""
    return points if points is None else int(points) if points == int(points) else round(points, 2)
