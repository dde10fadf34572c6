"""A question's mistakes beside its cases, for its author's terminal."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autograder.authoring.separation import Mistake, mistakes, nearest
from autograder.grading.key import Key, QuestionKey

MARKS = {"": ("·", "dim"), "raises": ("!", "yellow"), "shared": ("○", "cyan"), "told": ("●", "green")}
LEGEND = "● caught, told from all others   ○ caught   ! raises   · not caught   * visible"


def summary(key: Key) -> Table:
    """A line a question: its cases, its mistakes, those that a visible case tells from all others, and the nearest,
    with the tolerances that it is away."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("question", "points", "cases", "mistakes", "told", "away", "the nearest"):
        table.add_column(name, justify="left" if name in ("question", "the nearest") else "right", overflow="fold")
    for question in key.questions:
        found = mistakes(question)
        closest = nearest(found)
        table.add_row(question.name, str(question.max_score), str(len(question.cases)), str(len(found)),
                      str(sum(bool(mistake.told_by) for mistake in found)),
                      *((away(closest.away), closest.name) if closest else ()))
    return table


def grid(question: QuestionKey) -> RenderableType:
    """Mistakes × cases."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(question.name, overflow="fold", style="bold")
    for number, case in enumerate(question.cases, 1):
        table.add_column(f"{number}{'*' * case.visible}", justify="center")
    table.add_column("away", justify="right")
    for mistake in mistakes(question):
        table.add_row(mistake.name, *(Text(*MARKS[mistake.seen[case.name]]) for case in question.cases), _away(mistake))
    cases = "  ".join(f"{number} {case.name} ({case.points})" for number, case in enumerate(question.cases, 1))
    return Group(table, Text(cases, style="dim"), Text(LEGEND, style="dim"))


def away(tolerances: float) -> str:
    """How far from a right answer."""
    return "∞" if math.isinf(tolerances) else f"{tolerances:.3g}" if tolerances < 1000 else f"{tolerances:.0f}" \
        if tolerances < 1e6 else f"{tolerances:.0e}"


def _away(mistake: Mistake) -> Text:
    return Text(away(mistake.away), style="dim" if math.isinf(mistake.away) else "red" if mistake.away < 10 else "")
