"""Results for Classroom 50: the `result.json` that an assignment's `autograder.py` leaves behind."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from autograder.grading.verdict import Status, Verdict
from autograder.report.escape import one_line

SCHEMA = "classroom50/result/v1"
# What the runner sets, and the key each becomes. It adds the repository's owner and the kind of assignment itself.
GIVEN = {"classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "submission": "SUBMISSION_TAG", "commit": "COMMIT_URL",
         "release": "RELEASE_URL"}


def result(verdict: Verdict, environment: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    """A result of one test a question.

    Args:
        environment: with the variables that the runner sets.
        now: an aware time.
    Raises:
        KeyError: one of the variables is missing.
        ValueError: a question has no score; Classroom 50 wants a failed run then, and no result.
    """
    questions = [question for question in verdict.questions if question.status != Status.MANUAL]
    if verdict.score is None:
        raise ValueError(verdict.error or "a question could not be graded")
    return {
        "schema": SCHEMA,
        **{key: environment[variable] for key, variable in GIVEN.items()},
        "review": environment.get("REVIEW_URL") or environment["COMMIT_URL"],
        "datetime": now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": sum(question.score for question in questions),
        "max-score": sum(question.max_score for question in questions),
        "tests": [{"test-name": question.name, "passed": question.status == Status.PASSED, "score": question.score,
                   "max-score": question.max_score, "message": one_line(question.message)} for question in questions]}
