"""The way into a course as a page: its README, and what is in each lesson, read from the notebooks that are handed out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import markupsafe
from markdown_it import MarkdownIt
from nbformat import NotebookNode

from autograder.report.html import page
from autograder.report.outline import outline


@dataclass(frozen=True)
class Contents:
    """What is in a lesson.

    Attributes:
        sections: its headings of the second level.
        questions: (name, points) of what is graded.
        files: names of what it needs beside the notebook.
        doors: where it opens to be worked on, by the names of those who run it.
    """

    title: str
    notebook: str
    sections: list[str]
    questions: list[tuple[str, int]]
    files: list[str]
    doors: dict[str, str]


def contents(assignment: str, notebook: str, cells: Iterable[NotebookNode], files: list[str],
             doors: dict[str, str]) -> Contents:
    """What is in a released notebook.

    Args:
        notebook: its path from where the page lies.
    """
    cells = list(cells)
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    sections = [re.sub(r"[`*]", "", text) for source in prose for text in re.findall(r"^## (.+)", source, re.MULTILINE)]
    graded = [cell.metadata.get("nbgrader", {}) for cell in cells]
    questions = [(it["grade_id"].removesuffix("-check"), it["points"]) for it in graded if it.get("grade")]
    return Contents(outline(assignment, cells).title, notebook, sections, questions, files, doors)


def index_page(course: str, readme: str, lessons: list[Contents], address: str = "") -> str:
    """A self-contained HTML page.

    Args:
        readme: Markdown of ours; its relative links lead to files beside the page.
        address: where these files can be read in the web; "" keeps the links as they are.
    """
    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(readme)
    text = text.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    link = f"{address}/" if address else ""
    text = re.sub(r'href="(?!https?:|#)', f'href="{link}', text)
    return page("lessons.html.jinja", course=course, text=markupsafe.Markup(text), lessons=lessons, link=link)
