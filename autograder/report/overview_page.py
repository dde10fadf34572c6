"""The class in view as a page: what `overview` says, with pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograder.report import charts
from autograder.report.html import tables_page


def class_page(view: dict[str, Any], page: Callable[[str], str], anonymous: bool = False) -> str:
    """A self-contained HTML page.

    Args:
        view: as `overview` gives it, or `anonymous` of that.
        page: the address of a student's own page.
        anonymous: leave out the parts that are about students.
    """
    questions = view["questions"]
    pictures = {
        "distribution": charts.distribution(view["scores"]["bins"]),
        "difficulty": charts.difficulty(questions) if any(one["discrimination"] is not None for one in questions) else "",
        "lines": [charts.quintile_line(one["name"], one["quintiles"]) if None not in one["quintiles"] else ""
                  for one in questions]}
    return tables_page("class.html.jinja", page, view=view, charts=pictures, anonymous=anonymous)
