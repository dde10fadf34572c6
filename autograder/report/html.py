"""One student's results as a page: points, cases won and lost by their descriptions, and hints. No hidden values."""

from __future__ import annotations

import re

import jinja2
import markupsafe

from autograder.grade import Verdict
from autograder.submission import printable


def student_page(verdict: Verdict, assignment: str) -> str:
    """A self-contained HTML page."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("autograder.report", "."), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["code"] = _code
    return environment.get_template("student.html.jinja").render(verdict=verdict, student=printable(verdict.student),
                                                                       assignment=assignment)


def _code(text: str) -> markupsafe.Markup:
    """Escaped text whose `backticked` parts are code."""
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))
