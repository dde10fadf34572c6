"""The course so far, as plain data: how the class goes from assignment to assignment, and every student in it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder.report import items
from autograder.report.overview import graded, missing_of, mistakes_of, number


def course_so_far(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The course in view.

    Args:
        results: of one assignment after the other, as `autograder.report.json` gives them.
    Returns:
        Plain data; points are per cent of what is graded automatically. `students` holds names.
    """
    counted = [{one["student"]: one for one in graded(data["submissions"])} for data in results]
    names = sorted({one["student"] for data in results for one in data["submissions"]})
    return {"assignments": [_assignment(data, list(found.values())) for data, found in zip(results, counted)],
            "travelling": [pair for a, b in itertools.combinations(range(len(results)), 2)
                           for pair in _travelling(results[a]["assignment"], counted[a], results[b]["assignment"], counted[b])],
            "students": [_student(name, results, counted) for name in names]}


def _assignment(data: dict[str, Any], found: list[dict]) -> dict[str, Any]:
    percent = np.array([_percent(one) for one in found])
    low, middle, high = map(number, np.percentile(percent, [25, 50, 75])) if len(found) else (None, None, None)
    won = np.array([[question["score"] for question in _automatic(one)] for one in found], float).reshape(len(found), -1)
    return {"assignment": data["assignment"], "submissions": len(data["submissions"]), "counted": len(found),
            "mean": number(percent.mean()) if len(found) else None, "median": middle, "quartiles": [low, high],
            "alpha": number(items.alpha(won))}


def _travelling(first: str, earlier: dict[str, dict], second: str, later: dict[str, dict]) -> list[dict[str, Any]]:
    """Mistakes of two assignments that the same students make, among those who handed in both."""
    both = sorted(earlier.keys() & later.keys())
    made = {name: {(place, *mistake) for place, found in enumerate((earlier, later)) for mistake in mistakes_of(found[name])}
            for name in both}
    kinds = sorted(set().union(*made.values()))
    table = np.array([[kind in made[name] for kind in kinds] for name in both], bool).reshape(len(both), len(kinds))
    return [{"first": [first, *kinds[a][1:]], "second": [second, *kinds[b][1:]], "both": int((table[:, a] & table[:, b]).sum()),
             "of_first": int(table[:, a].sum()), "of_second": int(table[:, b].sum()), "by_chance": round(chance, 1),
             "students": len(both)} for a, b, chance in items.together(table, [place for place, *_ in kinds])]


def _student(name: str, results: Sequence[dict], counted: Sequence[dict[str, dict]]) -> dict[str, Any]:
    rows = []
    for data, found in zip(results, counted):
        one = found.get(name)
        handed_in = [other["status"] for other in data["submissions"] if other["student"] == name]
        rows.append({"assignment": data["assignment"], "percent": number(_percent(one)) if one else None,
                     "status": "" if one else "not handed in" if not handed_in else
                     "unreadable" if "unreadable" in handed_in else "could not be graded",
                     "mistakes": [": ".join(mistake) for mistake in mistakes_of(one)] if one else [],
                     "missing": missing_of(one) if one else []})
    shares = [row["percent"] for row in rows if row["percent"] is not None]
    return {"student": name, "mean": number(np.mean(shares)) if shares else None, "assignments": rows}


def _automatic(one: dict) -> list[dict]:
    return [question for question in one["questions"] if question["status"] != "manual"]


def _percent(one: dict) -> float:
    return 100 * one["score"] / max(1, sum(question["max_score"] for question in _automatic(one)))
