"""A student's results as a page, a question's as a card: points, cases by their descriptions, hints. No hidden values."""

from __future__ import annotations

import functools
import re

import jinja2
import markupsafe

from autograder.grading.submission import printable
from autograder.grading.verdict import QuestionVerdict, Verdict

GOOD, PARTLY, BAD, QUIET = "#2e8b60", "#b7791f", "#c8453c", "#6b7280"


def student_page(verdict: Verdict, assignment: str) -> str:
    """A self-contained HTML page."""
    return _template("student.html.jinja").render(verdict=verdict, student=printable(verdict.student), assignment=assignment)


def question_card(question: QuestionVerdict) -> str:
    """One question's verdict as a piece of HTML that brings its own style: what a notebook shows under the question."""
    tone = {"passed": GOOD, "partial": PARTLY, "missing": QUIET, "manual": QUIET}.get(question.status, BAD)
    return _template("question.html.jinja").render(question=question, tone=tone, good=GOOD, bad=BAD)


@functools.cache  # compiling one takes longer than the rest of a page, and a class has a card for every question of everybody
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(loader=jinja2.PackageLoader("autograder.report", "."), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["code"] = _code
    return environment.get_template(name)


def _code(text: str) -> markupsafe.Markup:
    """Escaped text whose `backticked` parts are code."""
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))
