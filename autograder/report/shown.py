"""How a verdict looks in a notebook, on a page and in a grade book alike: its mark, its tone, and every message once."""

from __future__ import annotations

import re

from autograder.grading.verdict import CaseVerdict, QuestionVerdict, Status

# White on them, and they on white, is 4.5 to 1 or more (WCAG 2, AA).
TONES = {"good": "#1f7a4d", "part": "#9a5b00", "bad": "#b83a31", "quiet": "#636b78"}
SIGNS = {Status.PASSED: ("✓", "good"), Status.PARTIAL: ("✗", "part"), Status.MISSING: ("·", "quiet"),
         Status.MANUAL: ("✎", "quiet"), Status.UNGRADED: ("?", "bad")}


def sign(status: str) -> tuple[str, str]:
    """The mark of a question's status, and its tone: one of `TONES`."""
    return SIGNS.get(Status(status), ("✗", "bad"))


def told(question: QuestionVerdict) -> list[tuple[list[CaseVerdict], str]]:
    """A question's cases, those with the same message together, with what of it neither the question nor others have said."""
    groups: dict[str, list[CaseVerdict]] = {}
    for case in question.cases:
        groups.setdefault(case.message, []).append(case)
    said, found = question.message, []
    for message, cases in groups.items():
        found.append((cases, unsaid(message, said)))
        said += f" {message}"
    return found


def unsaid(message: str, said: str) -> str:
    """A message without those of its first sentences that occur in what has been said; a colon ends none."""
    sentences = re.split(r"(?<=[.?!]) ", message)
    while sentences and sentences[0].casefold() in said.casefold():
        sentences.pop(0)
    return " ".join(sentences)
