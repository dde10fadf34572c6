"""A push's results as the Markdown page that GitHub shows for a job: totals first, then the questions, then the cases."""

from __future__ import annotations

from autograder.grading.verdict import Verdict
from autograder.report.escape import markdown

SIGNS = {"passed": "✅", "partial": "🟡", "missing": "⬜", "ungraded": "⚠️"}  # anything else is ❌
MOST_NOTES = 20


def job_summary(verdict: Verdict, total: int, isolation: str) -> str:
    """Markdown for `$GITHUB_STEP_SUMMARY`.

    Args:
        verdict: on the visible cases.
        total: points of the whole assignment, hidden cases included.
    """
    points = "could not be checked" if verdict.score is None or not verdict.questions else \
        f"{verdict.score} of {sum(question.max_score for question in verdict.questions)} points"
    lines = [f"## Visible cases: {points}", ""]
    if verdict.error:
        lines += [f"**{markdown(verdict.error)}**", ""]
    if verdict.questions:
        lines += ["| | question | points | |", "|:-:|:--|--:|:--|"]
        for question in verdict.questions:
            score = "?" if question.score is None else question.score
            lines.append(f"| {SIGNS.get(question.status, '❌')} | {markdown(question.name)} | {score} of {question.max_score} "
                         f"| {markdown(question.message)} |")
        lines.append("")
    if verdict.notes:
        lines += [f"- {markdown(note)}" for note in verdict.notes[:MOST_NOTES]]
        if len(verdict.notes) > MOST_NOTES:
            lines.append(f"- and {len(verdict.notes) - MOST_NOTES} more remarks")
        lines.append("")
    cases = [(question, case) for question in verdict.questions for case in question.cases if question.status != "missing"]
    if cases:
        lines += ["<details><summary>Every case</summary>", "", "| | question | case | points | |", "|:-:|:--|:--|--:|:--|"]
        for question, case in cases:
            lines.append(f"| {'✅' if case.passed else '❌'} | {markdown(question.name)} | {markdown(case.description)} "
                         f"| {case.points if case.passed else 0} of {case.points} | {markdown(case.message)} |")
        lines += ["", "</details>", ""]
    if verdict.questions:
        lines.append("These cases are examples. Your grade comes from your instructor's own run, which has other cases, for "
                     f"{total} points in all. Checked in about {verdict.seconds:.1f} s, isolation: {isolation}.")
    return "\n".join(lines) + "\n"
