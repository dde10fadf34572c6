"""Pairs of answers that are alike, side by side, on one page for the instructor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from autograder.report.html import tables_page
from autograder.report.similarity import ENOUGH, ENOUGH_AMONG_ALL, Pair, groups_of

MOST_PAIRS = 50  # that are shown
MOST_LINES = 400  # of one answer
LONGEST_LINE = 300  # characters of it


def similarity_page(assignment: str, pairs: Sequence[Pair], answers: Mapping[str, Mapping[str, str]]) -> str:
    """A self-contained HTML page.

    Args:
        pairs, answers: as `similar` gives and gets them.
    """
    shown = [{"students": pair.students, "weight": pair.weight, "share": pair.share,
              "most": max(pair.matches, key=lambda match: match.share), "matches": [
        {"question": match.question, "share": match.share, "shared": match.shared, "wrong_alike": match.wrong_alike, "sides": [
            (student, _marked(answers[student][match.question], lines)) for student, lines in zip(pair.students, match.lines)]}
        for match in pair.matches]} for pair in pairs[:MOST_PAIRS]]
    return tables_page("similarity.html.jinja", str, assignment=assignment, students=len(answers), found=len(pairs), pairs=shown,
                       groups=groups_of(pairs), enough=ENOUGH, enough_in_all=ENOUGH_AMONG_ALL,
                       bits=math.log2(len(answers) / 2 + 1))


def _marked(source: str, lines: frozenset[int]) -> list[tuple[str, bool]]:
    return [(line[:LONGEST_LINE], number in lines) for number, line in enumerate(source.splitlines()[:MOST_LINES], 1)]
