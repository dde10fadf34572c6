"""Results as data, the form that every other report is a view of."""

from __future__ import annotations

from typing import Any

from autograder.grading.key import Key
from autograder.grading.verdict import Verdict


def results(verdicts: list[Verdict], key: Key) -> dict[str, Any]:
    """The results of an assignment, ready for `json.dump`."""
    return {"assignment": key.assignment, "key": key.digest, "isolation": isolation_of(verdicts),
            "versions": {"key": key.versions, "grader": dict(next((it.versions for it in verdicts if it.versions), {}))},
            "submissions": [_submission(verdict) for verdict in verdicts]}


def isolation_of(verdicts: list[Verdict]) -> str:
    """How the submissions were isolated; "none" where nothing ran."""
    return next((verdict.isolation for verdict in verdicts if verdict.isolation), "none")


def _submission(verdict: Verdict) -> dict[str, Any]:
    return {
        "student": verdict.student, "status": verdict.status, "score": verdict.score, "max_score": verdict.max_score,
        "seconds": verdict.seconds, "error": verdict.error, "notes": list(verdict.notes),
        "questions": [{
            "name": question.name, "status": question.status, "score": question.score, "max_score": question.max_score,
            "message": question.message, "misconception": question.misconception,
            "closure": question.closure,
            "cases": [{"name": case.name, "visible": case.visible, "passed": case.passed, "points": case.points,
                       "message": case.message, "outcome": case.outcome} for case in question.cases]}
            for question in verdict.questions]}
