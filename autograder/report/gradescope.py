"""Results for Gradescope: the `results.json` of one submission, hidden cases shown once grades are published."""

from __future__ import annotations

from typing import Any

from autograder.grading.verdict import Status, Verdict
from autograder.report.escape import one_line


def gradescope(verdict: Verdict, isolation: str) -> dict[str, Any]:
    """The results of a graded submission, one test a case.

    While any test is not visible, Gradescope shows students no total: the visible tests only.

    Raises:
        ValueError: a question has no score. No results are the right thing then: Gradescope calls the run failed.
    """
    if verdict.score is None:
        raise ValueError(verdict.error or "a question could not be graded")
    tests = [
        {"name": f"{question.name}: {one_line(case.description, 120)}", "number": f"{number}.{part}",
         "score": case.points if case.passed else 0, "max_score": case.points, "status": "passed" if case.passed else "failed",
         # A question's own message is built from all of its cases: it stays out of what students see early.
         "output": one_line(case.message), "output_format": "text", "name_format": "text",
         "visibility": "visible" if case.visible else "after_published"}
        for number, question in enumerate(verdict.questions, 1) for part, case in enumerate(question.cases, 1)]
    by_hand = sum(question.max_score for question in verdict.questions if question.status == Status.MANUAL)
    lines = [verdict.error and f"The notebook could not be read: {verdict.error}",
             by_hand and f"{by_hand} more points are given by a person.", *verdict.notes,
             "More cases are shown when grades are published.", f"isolation: {isolation}"]
    return {"tests": tests, "output": "\n".join(one_line(line) for line in lines if line), "output_format": "text",
            "test_output_format": "text", "test_name_format": "text", "stdout_visibility": "hidden",
            "execution_time": round(verdict.seconds), "extra_data": {"isolation": isolation}}
