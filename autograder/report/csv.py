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


def class_csv(view: dict[str, Any]) -> str:
    """CSV of `autograder.report.overview`: a line for each question, case, named mistake and group of unnamed wrong answers."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["kind", "question", "name", "points", "won", "discrimination", "from", "to", "not_attempted", "students",
                     "share", "mean_total", "text"])
    for question in view["questions"]:
        name = question["name"]
        for kind, item in (("question", question), *(("case", case) for case in question["cases"])):
            writer.writerow([kind, name, item["name"], item["points"], number(item["facility"]), number(item["discrimination"]),
                             *map(number, item["interval"]), item.get("not_attempted", ""), "", "", "",
                             cell(item.get("description", ""))])
        for kind in ("mistakes", "unnamed"):
            for item in question[kind]:
                writer.writerow([kind, name, item.get("name", ""), *[""] * 6, item["count"], item["share"],
                                 number(item["mean_total"]), cell(item.get("hint") or item.get("message", ""))])
    return file.getvalue()


def cell(text: str) -> str:
    """Text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def number(score: float | None) -> float | str:
    return "" if score is None else score
