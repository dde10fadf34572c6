"""Who is told mistakes by their names, who only what is wrong, and whether it was mended at the next hand-in.

Everybody is graded alike: points, and what the instructor sees, do not depend on what a student is told.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from autograder.files import atomic, read_table
from autograder.grading.key import Key
from autograder.grading.verdict import WRONG, Status, Verdict

HALF = "half"


class Kind(StrEnum):
    """What a student is told of a mistake that has a name: its hint, or only what is wrong."""

    NAMED = "named"
    PLAIN = "plain"


@dataclass(frozen=True)
class Feedback:
    """What students of a course are told: all of them, those of a table, or a half that changes with the assignment."""

    kind: str = Kind.NAMED
    students: Mapping[str, str] = field(default_factory=dict)

    def of(self, assignment: str, student: str) -> str:
        """One of `Kind`."""
        if self.kind == HALF:
            return tuple(Kind)[hashlib.sha256(assignment.encode() + b"/" + os.fsencode(student)).digest()[0] % 2]
        return self.students.get(student, self.kind)


def read_feedback(text: str, folder: Path) -> Feedback:
    """What `course.toml` or an option says: "named", "plain", "half", or a CSV file with the columns student and feedback.

    Args:
        folder: where a relative path starts.
    Raises:
        ValueError: it is none of these.
    """
    if text in (*Kind, HALF):
        return Feedback(text)
    if not (path := folder / text).is_file():
        raise ValueError(f"expected feedback of named, plain, half, or a CSV file. Received: {text}")
    try:
        students = {row["student"].strip(): row["feedback"].strip() for row in read_table(path)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError):
        raise ValueError(f"{path}: expected a CSV file in UTF-8 with the columns student and feedback") from None
    if wrong := sorted({kind for kind in students.values() if kind not in tuple(Kind)}):
        raise ValueError(f"{path}: expected named or plain in the column feedback. Received: {', '.join(wrong)}")
    return Feedback(Kind.NAMED, students)


def plain(key: Key) -> Key:
    """The key whose mistakes have names, and no words: who makes one is told what is wrong."""
    questions = tuple(dataclasses.replace(question, hints=dict.fromkeys(question.hints, "")) for question in key.questions)
    return dataclasses.replace(key, questions=questions)


# ---------------------------------------------------------------------------------------------------- what came of it


def remember(path: Path, verdicts: Iterable[Verdict]) -> None:
    """Note each hand-in once, a line of JSON: who, what it was, how each question stood, what the student was told."""
    kept = list(hand_ins(path))
    last = {one["student"]: one["content"] for one in kept}
    new = [{"student": verdict.student, "content": verdict.content, "feedback": verdict.feedback,
            "questions": {question.name: str(question.status) for question in verdict.questions}} for verdict in verdicts
           if verdict.content and verdict.score is not None and last.get(verdict.student) != verdict.content]
    if new:
        with atomic(path, mode=0o600) as file:
            for one in (*kept, *new):
                file.write(json.dumps(one).encode() + b"\n")


def hand_ins(path: Path) -> Iterator[dict[str, Any]]:
    """What `remember` wrote, oldest first; nothing where that is not there."""
    if not path.is_file():
        return
    with open(path, "rb") as file:
        for line in file:
            try:
                one = json.loads(line)
                if {"student", "content", "feedback", "questions"} <= set(one):
                    yield one
            except (ValueError, TypeError):
                continue


def mended(found: Iterable[dict[str, Any]]) -> dict[str, tuple[int, int, int]]:
    """By what students were told: of how many students, how many wrong answers were handed in again, and how many right then.

    Args:
        found: hand-ins, oldest first.
    """
    before: dict[str, dict[str, Any]] = {}
    wrong, right = Counter[str](), Counter[str]()
    who: dict[str, set[str]] = {}
    for one in found:
        if earlier := before.get(one["student"]):
            kind = earlier["feedback"]
            lost = [name for name, status in earlier["questions"].items() if status in WRONG and name in one["questions"]]
            wrong[kind] += len(lost)
            right[kind] += sum(one["questions"][name] == Status.PASSED for name in lost)
            if lost:
                who.setdefault(kind, set()).add(one["student"])
        before[one["student"]] = one
    return {kind: (len(who[kind]), wrong[kind], right[kind]) for kind in Kind if kind in who}
