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
    """A line a question: its cases, its mistakes, those that a student's own check can name, and the nearest."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("question", "points", "cases", "mistakes", "told visibly", "nearest mistake"):
        table.add_column(name, justify="right" if name in ("points", "cases", "mistakes") else "left", overflow="fold")
    for question in key.questions:
        found, closest = mistakes(question), nearest(question)
        table.add_row(question.name, str(question.max_score), str(len(question.cases)), str(len(found)),
                      str(sum(bool(mistake.told_by) for mistake in found)),
                      f"{closest.name}, {away(closest.away)}" if closest else "none is declared")
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
    """How far from a right answer, in words."""
    if math.isinf(tolerances):
        return "another shape, an exception or what is counted"
    return f"{tolerances:.0f} tolerances" if tolerances < 1e6 else f"{tolerances:.0e} tolerances"


def _away(mistake: Mistake) -> Text:
    if math.isinf(mistake.away):
        return Text("∞", style="dim")
    return Text(f"{mistake.away:.3g}", style="red" if mistake.away < 10 else "")
