"""Results as a table for spreadsheets: a line for each student, a column for each question."""

from __future__ import annotations

import csv
import io
from typing import Any

from autograder.report.standing import status

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a cell that begins with one of these


def grade_table(results: dict[str, Any]) -> str:
    """CSV of results as `autograder.report.standing.counted` gives them; points that nobody gave are empty, never 0."""
    questions = {question["name"]: question["max_score"]
                 for submission in results["submissions"] for question in submission["questions"]}
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")  # other line ends would leave a "\r" in a name unquoted
    writer.writerow(["student", "assignment", "status", "score", "max_score", *map(cell, questions), "error"])
    for submission in results["submissions"]:
        scores = {question["name"]: question["score"] for question in submission["questions"]}
        writer.writerow([cell(submission["student"]), cell(results["assignment"]), status(submission),
                         number(submission["score"]), submission["max_score"],
                         *(number(scores.get(name)) for name in questions), cell(submission["error"] or "")])
    for student in results["absent"]:
        writer.writerow([cell(student), cell(results["assignment"]), "not submitted", *[""] * (len(questions) + 3)])
    return file.getvalue()


def cell(text: str) -> str:
    """Text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def number(score: float | None) -> float | str:
    return "" if score is None else score
