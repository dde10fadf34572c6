"""How well a question's cases tell its mistakes apart, and how far from a right answer each of them is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from autograder.grading import diagnose
from autograder.grading.key import CaseKey, QuestionKey
from autograder.inside.protocol import Outcome


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A misconception beside the cases of its question; of several variants, whatever is least.

    Attributes:
        seen: by case, one of "" (as the reference), "raises", "shared" (other mistakes give the same) and "told" (none does).
        told_by: the visible cases on which a student's check can tell it from every other.
        shown: some visible case is lost by it, so that a student learns of it before handing in.
        away: tolerances from the reference, in the entry and on the case where it is farthest; infinite for another shape, for no
            number or an exception.
    """

    name: str
    seen: dict[str, str]
    told_by: tuple[str, ...]
    shown: bool
    away: float


LEAST = 3.0  # tolerances that a mistake has to be away from the reference somewhere: processors and releases round otherwise
SEEN = ("", "raises", "shared", "told")


def mistakes(question: QuestionKey) -> list[Mistake]:
    """Every misconception of a question."""
    found = []
    for name in question.hints:
        variants = range(len(question.cases[0].misconceptions[name]))
        seen = {case.name: min((_seen(case, name, number) for number in variants), key=SEEN.index) for case in question.cases}
        away = min(max(tolerances(case, case.misconceptions[name][number]) for case in question.cases) for number in variants)
        told_by = tuple(case.name for case in question.cases if case.visible and seen[case.name] == "told")
        shown = any(seen[case.name] for case in question.cases if case.visible)
        found.append(Mistake(name, seen, told_by, shown, away))
    return found


def nearest(found: Iterable[Mistake]) -> Mistake | None:
    """The mistake that comes closest to a right answer."""
    return min(found, key=lambda mistake: mistake.away, default=None)


def tolerances(case: CaseKey, outcome: Outcome) -> float:
    """How far an outcome is from what is expected: 1 is where a case is lost."""
    received, farthest = outcome.observation, 0.0
    if received is None or set(received) != set(case.expected):
        return math.inf
    for name, right in case.expected.items():
        got = received[name]
        if isinstance(right, str) or isinstance(got, str) or np.shape(right) != np.shape(got):
            return math.inf
        exact = np.asarray(right).dtype.kind in "biu"
        off = np.abs(_wide(got) - _wide(right))
        if exact and np.any(off != 0) or not np.all(np.isfinite(off)):
            return math.inf
        allowed = case.atol + case.rtol * np.abs(_wide(right))
        with np.errstate(divide="ignore"):
            farthest = max(farthest, float(np.max(np.where(off == 0, 0.0, off / allowed), initial=0.0)))
    return farthest


def _seen(case: CaseKey, name: str, variant: int) -> str:
    outcome = case.misconceptions[name][variant]
    if diagnose.same_outcome(outcome, Outcome(case.expected), case):
        return ""
    if outcome.observation is None:
        return "raises"
    return "told" if [other for other in case.misconceptions if diagnose.agrees(other, case, outcome)] == [name] else "shared"


def _wide(value) -> np.ndarray:
    value = np.asarray(value)
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)
