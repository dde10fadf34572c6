"""The class in view, as plain data: points, questions, cases, mistakes, who needs a look. Its page and table are views of this.

It is made of results as `autograder.report.json` gives them; what cases and mistakes say comes from the answer key.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograder.grading.feedback import mended
from autograder.grading.key import Key, QuestionKey
from autograder.grading.verdict import WRONG, Status
from autograder.report import items

BINS = 10  # of the distribution, and one more for full marks
HARD, EASY = 0.3, 0.95  # facility
WEAK = 0.2  # discrimination
SKIPPED = 0.25  # share of the class that did not attempt a question
MOST_CLUSTERS = 8  # of a question that are listed
CROWD = 5  # students from whose mean, shown in class, nobody's points can be told
STATUSES = (Status.PASSED, *WRONG, Status.MISSING)


def overview(results: dict[str, Any], key: Key, hand_ins: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """The class in view.

    Args:
        hand_ins: all so far, as `feedback.hand_ins` gives them.
    Returns:
        Plain data without NaN: what is unknown, or not to be concluded from so few, is None. `students` and every key of that
        name hold students' names; `anonymous` takes them out.
    """
    submissions = results["submissions"]
    counted = graded(submissions)
    points = {question.name: question.max_score for question in key.questions}
    won = np.array([[_question(one, name)["score"] for name in points] for one in counted], float).reshape(-1, len(points))
    total = won.sum(axis=1)
    measured = _measured(won, np.array(list(points.values())), total)
    questions = [{**_about(question, counted, total), **numbers, "cases": _cases(question, counted, total)}
                 for question, numbers in zip(key.questions, measured)]
    for question in questions:
        question["remarks"] = _remarks(question, len(counted))
    made, named = _made(questions, counted)
    return {
        "assignment": results["assignment"], "key": results["key"], "same_key": results["key"] == key.digest,
        "isolation": results["isolation"], "submissions": len(submissions), "counted": len(counted), "enough": items.ENOUGH,
        "max_score": sum(points.values()), "by_hand": key.written,
        "statuses": {"graded": len(counted), "unreadable": sum(one["status"] == "unreadable" for one in submissions),
                     "ungraded": sum(one["score"] is None for one in submissions)},
        "scores": _scores(total, sum(points.values())), "alpha": number(items.alpha(won)),
        "seconds": _seconds([one["seconds"] for one in submissions]),
        "questions": questions, "feedback": _feedback(hand_ins),
        "together": [{"first": named[a], "second": named[b], "both": int((made[:, a] & made[:, b]).sum()),
                      "of_first": int(made[:, a].sum()), "of_second": int(made[:, b].sum()), "by_chance": round(chance, 1)}
                     for a, b, chance in items.together(made, [question for question, _ in named])],
        "look": [{"student": one["student"], "score": one["score"], "why": one["error"] or one["notes"][0]}
                 for one in sorted(submissions, key=lambda one: (one["score"] is not None, one["status"] != "unreadable"))
                 if one["error"] or one["notes"] or one["score"] is None],
        "students": [_student(one) for one in submissions]}


def anonymous(view: dict[str, Any]) -> dict[str, Any]:
    """The same for showing in class: no student, nothing that one wrote, no remark, and of hidden cases only their number."""
    questions = []
    for question in view["questions"]:
        hidden = iter(range(1, len(question["cases"]) + 1))
        cases = [{**case, "name": "", "description": case["description"] if case["visible"] else f"hidden case {next(hidden)}"}
                 for case in question["cases"]]
        mistakes, unnamed = ([{**item, "students": [], "mean_total": item["mean_total"] if item["count"] >= CROWD else None}
                              for item in question[kind]] for kind in ("mistakes", "unnamed"))
        unnamed = [{**item, "example": None, "message": "", "stub": "", "cases": []} for item in unnamed]
        questions.append({**question, "cases": cases, "mistakes": mistakes, "unnamed": unnamed, "remarks": []})
    return {**view, "questions": questions, "look": [], "students": []}


def wrong_alike(results: dict[str, Any], question: str) -> list[list[str]]:
    """Students whose wrong answers to a question have no name and gave the same in every case."""
    return list(_alike((one["student"], _question(one, question)) for one in results["submissions"]
                       if one["status"] == "graded").values())


def graded(submissions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The submissions that count: those that could be read and graded."""
    return [one for one in submissions if one["status"] == "graded" and one["score"] is not None]


def mistakes_of(one: dict[str, Any]) -> list[tuple[str, str]]:
    """A submission's named mistakes: (question, misconception)."""
    return [(question["name"], question["misconception"]) for question in one["questions"] if question["misconception"]]


def missing_of(one: dict[str, Any]) -> list[str]:
    """The questions of a submission that are not written."""
    return [question["name"] for question in one["questions"] if question["status"] == "missing"]


def number(value: float) -> float | None:
    """As it is told: three decimals; None for NaN."""
    return None if math.isnan(value) else round(float(value), 3)


# ---------------------------------------------------------------------------------------------------- questions


def _about(question: QuestionKey, counted: list[dict], total: np.ndarray) -> dict[str, Any]:
    found = [_question(one, question.name) for one in counted]
    statuses: dict[str, int] = {status: sum(one["status"] == status for one in found) for status in STATUSES}
    who = defaultdict(list)
    for place, one in enumerate(found):
        if one["misconception"]:
            who[one["misconception"]].append(place)
    mistakes = [{"name": name, "hint": question.hints.get(name, ""), **_group(places, counted, total)}
                for name, places in who.items()]
    groups = _alike(enumerate(found))
    unnamed = [{**_group(places, counted, total), "example": counted[places[0]]["student"], "stub": "",
                "message": found[places[0]]["message"], "ran": _ran(found[places[0]]),
                "cases": [case["name"] for case in found[places[0]]["cases"] if not case["passed"]]}
               for places in groups.values()]
    by_count = lambda item: (-item["count"], item["students"])  # noqa: E731
    unnamed.sort(key=by_count)
    return {"name": question.name, "points": question.max_score, "statuses": statuses,
            "not_attempted": _share(statuses["missing"], len(counted)), "mistakes": sorted(mistakes, key=by_count),
            "unnamed": unnamed[:MOST_CLUSTERS], "more_unnamed": sum(item["count"] for item in unnamed[MOST_CLUSTERS:])}


def _alike(found: Iterable[tuple[Any, dict]]) -> dict[tuple, list]:
    """Whose answers are wrong without a name, by what they gave; `found` are pairs of who and their question's result."""
    groups = defaultdict(list)
    for who, one in found:
        if one["status"] in WRONG and not one["misconception"]:
            groups[_went_wrong(one)].append(who)
    return groups


def _went_wrong(found: dict) -> tuple:
    """What makes two wrong answers the same: what each lost case gave, or, where none ran, what was said."""
    lost = tuple((case["name"], case["outcome"]) for case in found["cases"] if not case["passed"])
    return lost if any(outcome for _, outcome in lost) else (found["message"],)


def _ran(found: dict) -> bool:
    """Did a wrong answer give values somewhere? What only raised, or was ruled out, is no misconception to add."""
    return found["status"] in ("partial", "failed") and any(case["outcome"] for case in found["cases"])


def _cases(question: QuestionKey, counted: list[dict], total: np.ndarray) -> list[dict[str, Any]]:
    passed = [{case["name"]: case["passed"] for case in _question(one, question.name)["cases"]} for one in counted]
    points = np.array([case.points for case in question.cases])
    won = np.array([[one.get(case.name, False) for case in question.cases] for one in passed], float)
    won = won.reshape(-1, len(points)) * points
    return [{"name": case.name, "description": case.description, "visible": case.visible, "points": case.points, **numbers}
            for case, numbers in zip(question.cases, _measured(won, points, total))]


def _measured(won: np.ndarray, points: np.ndarray, total: np.ndarray) -> list[dict[str, Any]]:
    """Of each item, what it measures as plain numbers."""
    share, (found, low, high) = items.facility(won, points), items.discrimination(won, total)
    lines = items.quintiles(won, points, total)
    return [{"facility": number(share[i]), "discrimination": number(found[i]),
             "interval": [number(low[i]), number(high[i])], "quintiles": [number(value) for value in lines[i]]}
            for i in range(len(points))]


def _group(places: list[int], counted: list[dict], total: np.ndarray) -> dict[str, Any]:
    return {"count": len(places), "share": _share(len(places), len(counted)), "mean_total": number(total[places].mean()),
            "students": [counted[place]["student"] for place in places]}


def _remarks(question: dict[str, Any], students: int) -> list[str]:
    """What of a question's figures is worth a thought, a sentence each; none of few students."""
    if students < items.ENOUGH:
        return []
    said = []
    low, high = question["interval"]
    if question["facility"] < HARD:
        said.append(f"Hard: the class won {question['facility']:.0%} of its points. Look at the mistakes below, and at what "
                    "the lesson says before it.")
    if question["facility"] > EASY:
        said.append("Nearly everybody has it: it says little about who understands more.")
    if high is not None and high < 0:
        said.append("Who does well elsewhere loses points here. Look for an ambiguous text, or a case that is wrong.")
    elif high is not None and high < WEAK:
        said.append("It hardly tells strong from weak: points here go with points elsewhere only a little.")
    if question["not_attempted"] > SKIPPED:
        said.append(f"{question['not_attempted']:.0%} did not attempt it: too long, too late in the notebook, or unclear?")
    weak = [case["name"] for case in question["cases"] if case["interval"][1] is not None and case["interval"][1] < 0]
    if weak:
        said.append(f"Cases that who does well elsewhere loses: {', '.join(weak)}.")
    return said


def _made(questions: list[dict], counted: list[dict]) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Who made which named mistake: bool (students, mistakes), and (question, mistake) of each."""
    named = [(question["name"], item["name"]) for question in questions for item in question["mistakes"]]
    who = [set(item["students"]) for question in questions for item in question["mistakes"]]
    return np.array([[one["student"] in made for made in who] for one in counted], bool).reshape(len(counted), len(named)), named


# ---------------------------------------------------------------------------------------------------- the class


def _feedback(hand_ins: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """By what students were told: how many of their wrong answers were right when they handed in again."""
    return [{"told": kind, "students": students, "wrong": wrong, "mended": right, "share": _share(right, wrong),
             "interval": [number(end) for end in items.share_interval(right, wrong)]}
            for kind, (students, wrong, right) in mended(hand_ins).items()]


def _scores(total: np.ndarray, most: int) -> dict[str, Any]:
    if not len(total):
        return {"mean": None, "median": None, "deviation": None, "quartiles": [None, None], "bins": []}
    low, median, high = np.percentile(total, [25, 50, 75])
    edges = [-(-most * i // BINS) for i in range(BINS)] + [most, most + 1]
    bins = [{"from": a, "to": b - 1, "students": int(((total >= a) & (total < b)).sum())} for a, b in zip(edges, edges[1:])]
    return {"mean": number(total.mean()), "median": number(median), "quartiles": [number(low), number(high)],
            "deviation": number(total.std(ddof=1)) if len(total) > 1 else None, "bins": bins}


def _seconds(seconds: Iterable[float]) -> dict[str, float | None]:
    seconds = list(seconds)
    return {"all": number(sum(seconds)), "median": number(np.median(seconds)) if seconds else None,
            "longest": number(max(seconds)) if seconds else None}


def _student(one: dict) -> dict[str, Any]:
    return {"student": one["student"], "status": one["status"], "score": one["score"], "missing": missing_of(one),
            "mistakes": [": ".join(mistake) for mistake in mistakes_of(one)]}


def _question(one: dict, name: str) -> dict:
    """A submission's question; one that is not in its results, which are of an earlier key, counts as not attempted."""
    for question in one["questions"]:
        if question["name"] == name:
            return question
    return {"name": name, "status": "missing", "score": 0, "message": "", "misconception": None, "cases": []}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0

