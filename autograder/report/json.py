"""Results as data, the form that every other report is a view of."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from autograder.grading.key import Key
from autograder.grading.verdict import CaseVerdict, Verdict

FIRST = ' "submissions": [\n'  # the line before the first submission, as `write` writes it


def results(verdicts: list[Verdict], key: Key) -> dict[str, Any]:
    """The results of an assignment, ready for `json.dump`."""
    once = functools.cache(_case)  # what many have in common is there once
    return {"assignment": key.assignment, "key": key.digest, "isolation": isolation_of(verdicts),
            "versions": {"key": key.versions, "grader": dict(next((it.versions for it in verdicts if it.versions), {}))},
            "submissions": [_submission(verdict, once) for verdict in verdicts]}


def isolation_of(verdicts: list[Verdict]) -> str:
    """How the submissions were isolated; "none" where nothing ran."""
    return next((verdict.isolation for verdict in verdicts if verdict.isolation), "none")


def _submission(verdict: Verdict, case_of: Callable[[CaseVerdict], dict[str, Any]]) -> dict[str, Any]:
    return {
        "student": verdict.student, "status": verdict.status, "score": verdict.score, "max_score": verdict.max_score,
        "seconds": verdict.seconds, "error": verdict.error, "notes": list(verdict.notes),
        "questions": [{
            "name": question.name, "status": question.status, "score": question.score, "max_score": question.max_score,
            "message": question.message, "misconception": question.misconception,
            "closure": question.closure,
            "cases": [case_of(case) for case in question.cases]}
            for question in verdict.questions]}


def _case(case: CaseVerdict) -> dict[str, Any]:
    return {"name": case.name, "visible": case.visible, "passed": case.passed, "points": case.points,
            "message": case.message, "outcome": case.outcome}


def write(data: dict[str, Any], file: BinaryIO) -> None:
    """Write results piece by piece: those of ten thousand students are a hundred megabytes of text."""
    pieces = json.JSONEncoder(indent=1, ensure_ascii=False).iterencode(data)
    while some := "".join(itertools.islice(pieces, 10_000)):
        file.write(some.encode())
    file.write(b"\n")


def read(path: Path) -> Any:
    """What `write` wrote, a submission at a time; questions and cases that are the same are one object: nobody may change them.

    Raises:
        OSError, ValueError: it cannot be read, or is no JSON.
    """
    known: dict[Any, dict[str, Any]] = {}

    def shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return known.setdefault(tuple((name, _frozen(value)) for name, value in pairs), dict(pairs))

    submissions: list[Any] = []
    around: list[str] = []  # the lines of all that is no submission
    one: list[str] = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line == "  {\n" and around and around[-1] == FIRST or one:
                one.append(line)
                if line.rstrip(",\n") == "  }":
                    submissions.append(json.loads("".join(one).rstrip(",\n"), object_pairs_hook=shared))
                    one = []
            else:
                around.append(line)
    data = json.loads("".join(around + one))
    if submissions:
        data["submissions"] = submissions
    return data


def _frozen(value: Any) -> Any:
    """What a value that was read is known by; dictionaries are by themselves, since those that are equal are one."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return (dict, id(value)) if isinstance(value, dict) else (type(value), value)
