"""Results as a table for the terminal."""

from __future__ import annotations

import textwrap
from collections import Counter

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autograder.grading.key import Key
from autograder.grading.submission import printable
from autograder.grading.verdict import Status, Verdict
from autograder.report.json import isolation_of

COLOURS = {"passed": "green", "partial": "yellow", "failed": "red", "missing": "bright_black", "crashed": "magenta",
           "timeout": "magenta", "ungraded": "bold red", "manual": "cyan"}
TENTHS = 10
MOST_SHOWN = 20  # students in a short table
SIGNS = {"missing": "·", "crashed": "✗", "timeout": "∞", "ungraded": "?", "manual": "✎"}


def class_table(verdicts: list[Verdict], key: Key, width: int) -> Group:
    """One line a student: points per question, the total, and what to look at first.

    Args:
        width: of the terminal in characters; the last column takes what the others leave.
    """
    names = min(38, max(10, width // 3), max([len("student"), *(len(verdict.student) for verdict in verdicts)]))
    columns = {question.name: question.max_score for question in key.questions} | key.written
    scores = len("unread." if any(verdict.status == "unreadable" for verdict in verdicts) else "score")
    widths = [max(len(str(number)), len(str(points))) for number, points in enumerate(columns.values(), 1)]
    left = width - names - scores - sum(widths) - 2 * (len(columns) + 2)
    table = Table(title=_title(verdicts, key), title_justify="left", title_style="bold",
                  header_style="bold", pad_edge=False, box=None, padding=(0, 1))
    table.add_column("student", no_wrap=True, overflow="ellipsis", width=names)
    table.add_column("score", justify="right", no_wrap=True, width=scores)
    for number, digits in enumerate(widths, 1):
        table.add_column(str(number), justify="right", no_wrap=True, width=digits)
    if left >= 12:  # a narrow terminal keeps the points and goes without the remark
        table.add_column("look at", overflow="ellipsis", no_wrap=True, width=left)
    for verdict in verdicts:
        row = [Text(printable(verdict.student)), _score(verdict), *(_cell(question) for question in verdict.questions)]
        table.add_row(*row, *([Text(_remark(verdict), style="bright_black")] if left >= 12 else []))
    # A question's number, name and points stay on one line: no-break spaces until the lines are made.
    legend = "  ".join(f"{number}\xa0{name}\xa0/{points}" for number, (name, points) in enumerate(columns.items(), 1))
    legend = textwrap.fill(legend, width, break_long_words=False, break_on_hyphens=False).replace("\xa0", " ")
    signs = "· not written   ✗ crashed   ∞ too slow" + ("   ✎ graded by hand" if key.written else "")
    return Group(table, Text(legend), Text(f"{signs}\n{_footer(verdicts)}", style="bright_black"))


def _title(verdicts: list[Verdict], key: Key) -> str:
    return f"{key.assignment} · {len(verdicts)} submission{'s' * (len(verdicts) != 1)}"


def class_summary(verdicts: list[Verdict], key: Key, width: int) -> Group:
    """A large class at a glance: how many have how many points, and who needs a look.

    Args:
        width: of the terminal in characters.
    """
    automatic = sum(question.max_score for question in key.questions)
    scores = [verdict.score for verdict in verdicts if verdict.status == "graded" and verdict.score is not None]
    found = Counter(min(score * TENTHS // automatic, TENTHS) for score in scores)
    table = Table(title=_title(verdicts, key), title_justify="left", title_style="bold",
                  header_style="bold", pad_edge=False, box=None, padding=(0, 1))
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("students", justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    longest = max(found.values(), default=1)
    for tenth in range(TENTHS, -1, -1):
        low, high = -(-tenth * automatic // TENTHS), -(-(tenth + 1) * automatic // TENTHS) - 1
        bar = "█" * round(found[tenth] / longest * max(width - 30, 10))
        table.add_row(str(automatic) if tenth == TENTHS else f"{low} to {high}", str(found[tenth] or ""),
                      Text(bar, style="green" if tenth == TENTHS else "blue"))
    odd = [verdict for verdict in verdicts if verdict.error or verdict.notes or verdict.score is None]
    looks = Table(title=f"to look at: {len(odd)}", title_justify="left", title_style="bold", pad_edge=False, box=None,
                  show_header=False, padding=(0, 1))
    names = min(max(10, width // 3), max((len(printable(verdict.student)) for verdict in odd), default=0))
    looks.add_column(no_wrap=True, overflow="ellipsis", width=names)
    looks.add_column(no_wrap=True, overflow="ellipsis", width=7, justify="right")
    looks.add_column(no_wrap=True, overflow="ellipsis", width=width - names - 12)
    for verdict in sorted(odd, key=lambda verdict: (verdict.score is not None, not verdict.error))[:MOST_SHOWN]:
        looks.add_row(Text(printable(verdict.student)), _score(verdict), Text(verdict.error or (*verdict.notes, "")[0]))
    more = and_more(len(odd), "--full shows everyone")
    to_look_at: list[RenderableType] = [Text(), looks, *more] if odd else []
    return Group(table, *to_look_at, Text(_footer(verdicts), style="bright_black"))


def and_more(there: int, where: str) -> list[Text]:
    """A line that says how many a short table leaves out, where it does."""
    return [Text(f"and {there - MOST_SHOWN} more: {where}", style="bright_black")] if there > MOST_SHOWN else []


def verdict_table(verdict: Verdict, title: str) -> Group:
    """One line a question, with its message: what `autograder check` shows a student."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    table.add_column("question", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("")
    for question in verdict.questions:
        points = _cell(question) + Text(f"/{question.max_score}", style="bright_black")
        table.add_row(question.name, points, Text(question.message))
    notes = [Text(f"note: {note}", style="yellow") for note in verdict.notes]
    return Group(table, *notes)


def _score(verdict: Verdict) -> Text:
    if verdict.status == "unreadable":
        return Text("unread.", style="magenta")
    if verdict.score is None:
        return Text("?", style=COLOURS["ungraded"])
    automatic = sum(question.max_score for question in verdict.questions if question.status != Status.MANUAL)
    share = verdict.score / automatic
    return Text(str(verdict.score), style="bold green" if share == 1 else "bold" if share >= 0.5 else "bold red")


def _cell(question) -> Text:
    text = SIGNS.get(question.status, str(question.score))
    return Text(text, style=COLOURS[question.status])


def _remark(verdict: Verdict) -> str:
    """What is worth a look, with the question's number, as over its column."""
    if verdict.error:
        return verdict.error
    numbered = list(enumerate(verdict.questions, 1))
    named = [f"{number}: {question.misconception}" for number, question in numbered if question.misconception]
    if named:
        return "; ".join(named)
    wrong = [f"{number}: {next((case.message for case in question.cases if not case.passed), question.message)}"
             for number, question in numbered if question.status not in ("passed", "missing", "manual")]
    return (wrong or list(verdict.notes) or [""])[0]


def _footer(verdicts: list[Verdict]) -> str:
    scores = [verdict.score for verdict in verdicts if verdict.score is not None and verdict.status == "graded"]
    mean = f"mean {sum(scores) / len(scores):.1f} of {len(scores)} graded · " if scores else ""
    seconds = sum(verdict.seconds for verdict in verdicts)
    return f"{mean}about {seconds:.0f} s of grading · isolation: {isolation_of(verdicts)}"
