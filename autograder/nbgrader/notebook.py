"""A graded notebook: a student's answers in the released notebook, what their cells showed, and a verdict under each question."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import nbformat

from autograder.grading.submission import merged_notebook, printable
from autograder.grading.verdict import QuestionVerdict, Verdict
from autograder.nbgrader.pages import harmless
from autograder.report.html import question_card


def graded_notebook(cells: list[dict], skeleton: nbformat.NotebookNode, verdict: Verdict) -> nbformat.NotebookNode:
    """A student's notebook as nbgrader keeps it.

    Args:
        cells: the student's, as `submission.read_cells` gives them; none of a notebook that could not be read.
    """
    notebook = merged_notebook(cells, skeleton)
    theirs = {cell.id for cell in notebook.cells} - {cell.id for cell in skeleton.cells} | {
        cell.id for cell in skeleton.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    questions = {f"{question.name}-check": question for question in verdict.questions}
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            cell.source = harmless(cell.source) if cell.id in theirs else cell.source
            continue
        if cell.id in questions:
            cell.execution_count, cell.outputs = number, [_score_output(questions[cell.id], number)]
        else:
            outputs = verdict.outputs.get(cell.id, [])
            cell.execution_count, cell.outputs = number if outputs else None, [nbformat.from_dict(output) for output in outputs]
    if lines := [*([verdict.error] if verdict.error else []), *verdict.notes]:
        text = "**Noticed while grading**\n\n" + "\n".join(f"- {_plain_markdown(line)}" for line in lines)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, id="grading-notes"))
    return notebook


def graded_as(path: Path) -> str | None:
    """The status of the submission that a graded notebook was made from: "graded" or "unreadable"."""
    try:
        return json.loads(path.read_bytes())["metadata"]["autograder"]["status"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def answers(notebook: Mapping) -> dict[str, str]:
    """The sources of a released or graded notebook's solution cells, by name."""
    return {cell["id"]: cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")}


def _score_output(question: QuestionVerdict, number: int) -> nbformat.NotebookNode:
    """People see the card; the points stand where nbgrader has them, for programs that read notebooks it has graded."""
    points = "not graded" if question.score is None else repr(float(question.score))
    return nbformat.from_dict({"output_type": "execute_result", "metadata": {}, "execution_count": number,
                               "data": {"text/plain": points, "text/html": question_card(question)}})


def _plain_markdown(text: str) -> str:
    return re.sub(r"([\\*_{}\[\]<>#|!&])", r"\\\1", printable(text))
