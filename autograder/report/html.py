"""Results as pages: a student's, a question's as a card, a class's as tables. Points, descriptions, hints; no hidden values."""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from autograder.grading.submission import printable
from autograder.grading.verdict import QuestionVerdict, Verdict
from autograder.report.outline import Outline
from autograder.report.shown import TONES, sign, told


def student_page(verdict: Verdict, lesson: Outline, day: datetime.date) -> str:
    """A self-contained HTML page.

    Args:
        day: on which the page is made.
    """
    return _template("student.html.jinja").render(verdict=verdict, student=printable(verdict.student), lesson=lesson,
                                                  day=f"{day.day} {day:%B %Y}")


def question_card(question: QuestionVerdict) -> str:
    """One question's verdict as a piece of HTML that brings its own style: what a notebook shows under the question."""
    return _template("question.html.jinja").render(question=question)


def page(template: str, **values: Any) -> str:
    """A self-contained HTML page without scripts, of a template beside this file."""
    return _template(template).render(**values)


def tables_page(template: str, page: Callable[[str], str], **values: Any) -> str:
    """A self-contained HTML page of tables that sort, without a request to anywhere.

    Args:
        template: class.html.jinja or one beside it; `values` are what it shows.
        page: the address of a student's own page.
    """
    script = (Path(__file__).parent / "tables.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()  # the one script that the page lets run
    return _template(template).render(page=page, script=markupsafe.Markup(script), script_hash=f"sha256-{digest}", **values)


@functools.cache  # compiling one takes longer than the rest of a page, and a class has a card for every question of everybody
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(loader=jinja2.PackageLoader("autograder.report", "."), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(code=_code, percent=_percent, printable=printable, sign=sign, told=told)
    environment.globals.update(tones=TONES)
    return environment.get_template(name)


def _code(text: str) -> markupsafe.Markup:
    """Escaped text whose `backticked` parts are code."""
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))


def _percent(share: float | None) -> str:
    return "–" if share is None else "<1%" if 0 < share < 0.01 else f"{share:.0%}"
