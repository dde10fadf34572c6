"""Whose points are others than in the results before, by how much, and because of which question."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from autograder.grading.submission import printable
from autograder.report.terminal import MOST_SHOWN, and_more


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """What differs between two results of an assignment, by student: of those who are in both.

    Returns:
        For each student with other points `{"student", "before", "after", "questions"}`, with the scores of the whole and, by
        question, `[before, after]` of those that changed; None for what could not be graded, and for a question that was not
        there.
    """
    earlier = {submission["student"]: submission for submission in before["submissions"]}
    found = []
    for submission in after["submissions"]:
        if (old := earlier.get(submission["student"])) is None:
            continue
        was, now = ({question["name"]: question["score"] for question in one["questions"]} for one in (old, submission))
        questions = {name: [was.get(name), now.get(name)] for name in {**now, **was} if was.get(name) != now.get(name)}
        if questions or old["score"] != submission["score"]:
            found.append({"student": submission["student"], "before": old["score"], "after": submission["score"],
                          "questions": questions})
    return found


def changes_table(found: list[dict[str, Any]], width: int) -> Group:
    """One line for each student whose points changed, the first `MOST_SHOWN` of them."""
    table = Table(title=f"other points than before: {len(found)}", title_justify="left", title_style="bold", header_style="bold",
                  pad_edge=False, box=None, padding=(0, 1))
    table.add_column("student", no_wrap=True, overflow="ellipsis", max_width=max(10, width // 3))
    for name in ("before", "now", ""):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("because of", overflow="fold")
    for change in found[:MOST_SHOWN]:
        before, after = change["before"], change["after"]
        by = "" if None in (before, after) else f"{after - before:+d}"
        questions = ", ".join(f"{name} {_score(was)} → {_score(now)}" for name, (was, now) in change["questions"].items())
        table.add_row(Text(printable(change["student"])), _score(before), _score(after),
                      Text(by, style="green" if by.startswith("+") else "red"), questions)
    return Group(table, *and_more(len(found), "--json holds all"))


def _score(score: int | None) -> str:
    return "?" if score is None else str(score)
