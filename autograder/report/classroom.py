"""Results for GitHub Classroom's reporter action: for each question, what one of its graders would have reported.

The reporter shows a question's points twice: its notice adds up the tests' scores, its table multiplies the share of passed
tests by the maximum. Both agree when all tests of a question carry the same points, so a case worth more counts as several tests.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from autograder.grading.verdict import QuestionVerdict, Status, Verdict
from autograder.report.escape import log_line, one_line

VERSION = 1
LONGEST_NAME, LONGEST_MESSAGE = 120, 200


def question_results(verdict: Verdict) -> dict[str, dict[str, Any]]:
    """Each question's result by its name, all numbers whole."""
    return {question.name: _result(question) for question in verdict.questions if question.status != Status.MANUAL}


def not_run() -> dict[str, Any]:
    """The result to report where no check ran. Worth nothing, so that it adds no points to lose."""
    message = "The check did not run. The step before this one says why."
    return {"version": VERSION, "status": "error", "max_score": 0, "tests": [_test("not run", "error", 0, message)]}


def encoded(result: dict[str, Any]) -> str:
    """The form in which a step hands its result to the reporter."""
    return base64.b64encode(json.dumps(result, ensure_ascii=False).encode("utf-8", "replace")).decode()


def _result(question: QuestionVerdict) -> dict[str, Any]:
    if question.status == Status.UNGRADED:
        tests = [_test(question.name, "error", 0, question.message)]
        return {"version": VERSION, "status": "error", "max_score": question.max_score, "tests": tests}
    share = math.gcd(*(case.points for case in question.cases))
    tests = []
    for case in question.cases:
        parts = case.points // share
        for part in range(1, parts + 1):
            name = one_line(case.description, LONGEST_NAME) + (f" ({part} of {parts})" if parts > 1 else "")
            tests.append(_test(name, "pass" if case.passed else "fail", share if case.passed else 0, case.message))
    return {"version": VERSION, "status": "pass" if question.status == Status.PASSED else "fail", "max_score": question.max_score,
            "tests": tests}


def _test(name: str, status: str, score: int, message: str) -> dict[str, Any]:
    # Line 0 is the reporter's "no line"; the time of one case is not measured, and the reporter does not show it.
    return {"name": log_line(name), "status": status, "score": score, "message": log_line(message, LONGEST_MESSAGE),
            "test_code": "", "filename": "", "line_no": 0, "execution_time": "0s"}
