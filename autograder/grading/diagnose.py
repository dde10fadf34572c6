"""Which misconception produces this output?

No code runs here: a student's outcomes on a question's cases are matched with those of the misconceptions in the key.
"""

from __future__ import annotations

import hashlib

import numpy as np

from autograder.grading.compare import difference
from autograder.grading.key import CaseKey, QuestionKey
from autograder.grading.slips import LOOSE, MOST_ENTRIES
from autograder.inside.protocol import Failure, Observation, Outcome, plain

TELLING = 4  # different floats that are no coincidence
REFUSES = "refuses"  # the probe
NO_GRADIENT = "has no gradient with respect to {name}"  # how a probe's sentence begins


def same_outcome(a: Outcome, b: Outcome, case: CaseKey) -> bool:
    """Two answers behave alike on a case: the same arrays, or the same exception, or no gradient where the other's is 0."""
    if a.observation is not None and b.observation is not None:
        return difference(a.observation, b.observation, case.rtol, case.atol) is None
    if a.failure is not None and b.observation is not None:
        return _is_zero(a.failure, b.observation)
    if b.failure is not None and a.observation is not None:
        return _is_zero(b.failure, a.observation)
    if a.failure is None or b.failure is None or a.failure.error != b.failure.error:
        return False
    # What an AnswerError says is ours, and as telling as a value; other exceptions' messages vary with the libraries.
    return a.failure.sentence is None or \
        (a.failure.sentence, plain(a.failure.fields)) == (b.failure.sentence, plain(b.failure.fields))


def _is_zero(failure: Failure, observation: Observation) -> bool:
    """Has an answer failed because it does not depend on something of which another's gradient is 0?"""
    gradient = observation.get(f"gradient of {failure.fields.get('name')}")
    return (failure.sentence or "").startswith(NO_GRADIENT) and isinstance(gradient, np.ndarray) and not np.any(gradient)


def fingerprint(outcome: Outcome) -> str:
    """A digest of what an answer gave: the same for the same arrays up to rounding, or for the same exception.

    Three significant digits of the largest entry count. The grid is moved off the numbers that are exact in binary, where
    rounding noise would decide.
    """
    if outcome.observation is None:
        sentence = (outcome.failure.error, outcome.failure.sentence) if outcome.failure else None
        return _digest(repr((outcome.died, outcome.brief, outcome.undefined, outcome.several, sentence)).encode())
    parts = []
    for name, value in sorted(outcome.observation.items()):
        if isinstance(value, str):
            parts.append(repr((name, value)).encode())
            continue
        pair = np.stack([value.real, value.imag]) if value.dtype.kind == "c" else value
        entries = pair.ravel()[:MOST_ENTRIES].astype(np.float64)
        finite = np.isfinite(entries)
        largest = np.abs(entries, where=finite, out=np.zeros_like(entries)).max(initial=0.0)
        step = 2.0 ** np.ceil(np.log2(1.1 * largest)) / 1024 if largest > 1e-300 else 1.0
        rounded = np.rint(np.where(finite, entries, 0.0) / step + 0.137) + 0.0  # no -0
        grid = np.where(finite, rounded, np.nan_to_num(entries, nan=2.0**20))
        parts.append(repr((name, value.shape)).encode() + grid.tobytes())
    return _digest(b"\0".join(parts))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def misconception(question: QuestionKey, outcomes: dict[str, Outcome], lost: set[str]) -> str | None:
    """The one misconception that explains everything, or None: of two that explain as much neither is named.

    Args:
        outcomes: the student's outcome by case name, for every case that ran.
        lost: names of the cases that were not won.
    """
    names = explanations(question, outcomes, lost)
    return names[0] if len(names) == 1 else None


def explanations(question: QuestionKey, outcomes: dict[str, Outcome], lost: set[str]) -> list[str]:
    """The misconceptions with the wrong outcome of every case that was lost, and the right one of every case that was won.

    One case that refutes a name is enough. Many mistakes raise the same exception: without a value in some case there is no name,
    nor where all that is known beside exceptions of libraries is that the answer refuses what it should.
    """
    cases = sorted((case for case in question.cases if case.name in outcomes), key=lambda case: case.name not in lost)
    values = [case for case in cases if outcomes[case.name].observation is not None]
    sentences = [failure for case in cases if (failure := outcomes[case.name].failure) is not None and failure.sentence]
    if not lost or not values or not sentences and all(case.probe.name == REFUSES and case.name not in lost for case in values):
        return []
    return _behave_alike(question, cases, outcomes)


def lead(question: QuestionKey, case: CaseKey, outcomes: dict[str, Outcome], lost: set[str]) -> str | None:
    """The one misconception that gives just these wrong values on a case that was lost, where none explains all the cases.

    Values that coincide easily lead nowhere, nor does a name that a case which was won refutes.
    """
    received = outcomes[case.name].observation
    if received is None or max(case.rtol, case.atol) > LOOSE or not any(
            _telling(case.expected.get(name), value, case) for name, value in received.items()):
        return None
    won = [other for other in question.cases if other.name in outcomes and other.name not in lost]
    names = _behave_alike(question, [case, *won], outcomes)
    return names[0] if len(names) == 1 else None


def agrees(name: str, case: CaseKey, outcome: Outcome) -> bool:
    """Does a misconception, made in one way or another, behave on a case as the outcome does?"""
    return any(same_outcome(outcome, known, case) for known in case.misconceptions[name])


def _behave_alike(question: QuestionKey, cases: list[CaseKey], outcomes: dict[str, Outcome]) -> list[str]:
    """The misconceptions that, made in one way throughout, behave on all these cases as the outcomes do."""
    return list(dict.fromkeys(
        name for name, variant in variants(question)
        if all(same_outcome(outcomes[case.name], case.misconceptions[name][variant], case) for case in cases)))


def _telling(right: np.ndarray | str | None, got: np.ndarray | str, case: CaseKey) -> bool:
    """Are there several different floats among the wrong values, zeros and ones not counted?"""
    if isinstance(got, str) or not isinstance(right, np.ndarray) or got.dtype.kind != "f" or got.size > right.size + MOST_ENTRIES:
        return False
    wrong = got[~np.isclose(got, right, case.rtol, case.atol)] if got.shape == right.shape else got
    return len(np.unique(wrong[np.isfinite(wrong) & (wrong != 0) & (wrong != 1)])) >= TELLING


def variants(question: QuestionKey) -> list[tuple[str, int]]:
    """Every misconception's name with the index of each of its variants."""
    return [(name, i) for name in question.hints for i in range(len(question.cases[0].misconceptions[name]))]


def may_be_several(case: CaseKey, outcome: Outcome) -> bool:
    """Could this come from an answer that gives back several values where one is expected?"""
    if outcome.failure is not None:  # of the probe, which could not use them
        return outcome.failure.line is None or outcome.failure.sentence is not None
    for name, value in (outcome.observation or {}).items():
        right = case.expected.get(name)
        if isinstance(right, np.ndarray) and (
                value.startswith("a list") if isinstance(value, str) else value.ndim == right.ndim + 1):
            return True
    return False
