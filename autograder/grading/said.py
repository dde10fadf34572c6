"""What is said of a case that gave no answer: all of it when the case is visible, and how little when it is hidden.

Whatever comes out of a hidden case's process may be its inputs in disguise: a name, a message, a line, an exit status. So a
report on it is one of finitely many texts made here and in `compare`, from the key, the submission and what visible cases said
before any hidden one ran. `capacity` counts them.
"""

from __future__ import annotations

import builtins
import fnmatch
import math
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.grading import compare
from autograder.grading.key import CaseKey, Key, QuestionKey
from autograder.grading.slips import SLIPS
from autograder.grading.submission import Submission
from autograder.inside.protocol import MAX_LINE, MOST_VALUES, THINGS, Failure, Outcome, Use
from autograder.inside.watch import LIBRARY, TAMPERING
from autograder.sandbox.sandbox import End, printable_text

# Exceptions by name: Python's, and those of TensorFlow, Keras and NumPy that wrong answers meet.
ERRORS = frozenset(name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
                   and kind.__name__ == name and not issubclass(kind, Warning)) | {
    "InvalidArgumentError", "UnimplementedError", "NotFoundError", "FailedPreconditionError", "OutOfRangeError", "InternalError",
    "ResourceExhaustedError", "UnknownError", "InaccessibleTensorError", "OperatorNotAllowedInGraphError", "StagingError",
    "LinAlgError", "AxisError"}
ANOTHER = "an exception of another kind"
BROKEN = "It does not keep to what is asked. Read the description of the question again, and try inputs of other sizes."
UNDEFINED = "It is not defined."
ALONE = "The notebook runs alone, with the course's files and packages: do without it, or put its code into a cell."
MOST_LINES = 4096  # of a submission that may be quoted: which one is at most 12 bits
MOST_FORMS = 2**18  # of one `AnswerError`'s sentence
SECONDS = tuple(2.0**power for power in range(-2, 11))  # that a submission may have taken


@dataclass(frozen=True)
class Known:
    """What is known outside before a hidden case runs.

    Attributes:
        lines: of the submission's cells, as `quotable` gives them.
        failures: exceptions of the question's visible cases, as (type, message).
        questions: names of the question and of those that it uses.
    """

    lines: frozenset[str] = frozenset()
    failures: frozenset[tuple[str, str]] = frozenset()
    questions: frozenset[str] = frozenset()


def quotable(submission: Submission) -> frozenset[str]:
    """The lines of a submission's cells, as the worker quotes them; none when there are too many."""
    lines = frozenset(printable_text(line.strip(), MAX_LINE) for cell in submission.cells for line in cell.source.splitlines())
    return lines - {""} if len(lines) <= MOST_LINES else frozenset()


def fact(outcome: Outcome) -> str:
    """What happened instead of an answer, in the student's own words where there are any: for cells and visible cases."""
    if outcome.died:
        return outcome.said
    if outcome.undefined:
        return UNDEFINED
    failure = outcome.failure
    assert failure is not None  # or there is an observation, and nothing to say here
    if failure.sentence is not None:
        return f"It {failure.message}"
    if stub(outcome):
        return _reached(failure.function)
    return _raised(failure.error, failure.message, failure.line) + (f" {ALONE}" if failure.error == "ModuleNotFoundError" else "")


def hidden_fact(outcome: Outcome, question: QuestionKey, case: CaseKey, known: Known) -> str:
    """The same of a hidden case: one of its `facts`."""
    if outcome.died:
        return outcome.brief
    if outcome.undefined:
        return UNDEFINED
    failure = outcome.failure
    assert failure is not None  # as above
    line = failure.line if failure.line and failure.line in known.lines else None
    heard = (failure.error, failure.message) in known.failures
    if failure.sentence is not None:
        return f"It {failure.message}" if heard else _answer_error(failure, question, case)
    if stub(outcome):
        return _reached(failure.function if failure.function and failure.function in known.questions else None)
    return _raised(failure.error, failure.message, line) if heard else \
        _raised(failure.error if failure.error in ERRORS else ANOTHER, "", line)


def several(count: int, first_is_right: bool) -> str:
    """What is said of an answer that gives back several values in place of one."""
    return f"It returned {count} values; one is expected." + " The first is right: return that alone." * first_is_right


SEVERAL = tuple(several(count, right) for count in range(2, MOST_VALUES + 1) for right in (True, False))


def used(use: Use, question: QuestionKey, visible: bool, lines: frozenset[str]) -> tuple[str, str | None]:
    """What an answer used of what its question forbids, and where: for a hidden case in the question's own words."""
    if visible:
        return use.name, use.line
    for kind in (TAMPERING, LIBRARY):
        if use.name.startswith(kind):
            return kind, None
    patterns = [pattern for pattern in question.forbid if fnmatch.fnmatchcase(use.name, pattern)]
    exact = [pattern for pattern in patterns if pattern == use.name]
    return (exact or patterns or ["something"])[0], use.line if use.line in lines else None


def coarse(seconds: float) -> float:
    """Seconds as a power of two: a submission that waits on purpose says little by it."""
    return min(SECONDS, key=lambda step: abs(math.log2(max(seconds, SECONDS[0]) / step)))


def stub(outcome: Outcome) -> Failure | None:
    """How an answer failed that is not written yet; None if it is, or failed otherwise."""
    failure = outcome.failure
    return failure if failure is not None and failure.error == "NotImplementedError" and not failure.message else None


def _reached(function: str | None) -> str:
    return f"It reached {function or 'a function'}, which is not written yet."


def _raised(error: str, message: str, line: str | None) -> str:
    return f"It raised {error}{': ' if message else ''}{message.rstrip('.')}{f' at `{line}`' if line else ''}."


# ---------------------------------------------------------------------------------------------------- an answer's contract


def _answer_error(failure: Failure, question: QuestionKey, case: CaseKey) -> str:
    """A sentence that the question's probes have, with fields that occur in the case; a fixed one otherwise."""
    words, shapes = _vocabulary(case)
    if failure.sentence not in question.sentences or _forms(failure.sentence, words, shapes) > MOST_FORMS:
        return BROKEN
    names = _placeholders(failure.sentence)
    if not all(name in failure.fields and _is_known(failure.fields[name], words, shapes) for name in names):
        return BROKEN
    return "It " + failure.sentence.format(**{name: _written(failure.fields[name]) for name in names})


def _placeholders(sentence: str) -> list[str]:
    return list(dict.fromkeys(name for _, name, _, _ in string.Formatter().parse(sentence) if name))


def _forms(sentence: str, words: set[str], shapes: set[tuple]) -> int:
    return (len(words) + 10 + len(shapes)) ** len(_placeholders(sentence))


def _is_known(value: Any, words: set[str], shapes: set[tuple]) -> bool:
    if isinstance(value, str):
        return value in words
    if isinstance(value, (list, tuple)):
        return all(type(item) is int for item in value) and tuple(value) in shapes
    return type(value) is int and 0 <= value <= 9


def _written(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _vocabulary(case: CaseKey) -> tuple[set[str], set[tuple]]:
    """What a case itself names: its strings, the parts of its paths, fixed words; and the shapes of its arrays."""
    words, shapes = {*THINGS, *case.expected, *(name.removeprefix("gradient of ") for name in case.expected)}, set()

    def look(value: Any) -> None:
        if isinstance(value, str):
            parts = value.split("/")
            words.update([value, *parts, *("/".join(parts[:end]) for end in range(1, len(parts)))])
        elif isinstance(value, np.ndarray):
            shapes.add(tuple(value.shape))
        elif isinstance(value, dict):
            for name, item in value.items():
                look(name)
                look(item)
        elif isinstance(value, (list, tuple)):
            if value and all(isinstance(item, str) for item in value):
                words.add(", ".join(value))
            for item in value:
                look(item)

    for value in (case.probe.options, case.inputs, case.expected):
        look(value)
    return words, shapes


# ---------------------------------------------------------------------------------------------------- how much that is


def facts(question: QuestionKey, case: CaseKey, known: Known) -> Iterator[str]:
    """Every sentence that a hidden case's report can begin with, those on `AnswerError`s' sentences left out."""
    lines = [None, *known.lines]
    yield from compare.differences(case.expected)
    yield from (_raised(error, "", line) for error in (*ERRORS, ANOTHER) for line in lines)
    for error, message in known.failures:
        yield from (_raised(error, message, line) for line in lines)
        yield f"It {message}"
    yield from (_reached(name) for name in (None, *known.questions))
    yield from SEVERAL
    yield from (UNDEFINED, BROKEN, *(end.value for end in End))


def bits(question: QuestionKey, case: CaseKey) -> float:
    """How many bits the report on one hidden case can carry at most, whatever its process does.

    The logarithm of the number of texts, which is the sum of
    - 1 for a case that is won, and one for each earlier question on which it is right;
    - what `compare` has to say of the answer, each with no advice, a slip's or a misconception's;
    - an exception by its name, or as a visible case raised it, at one of 4,096 lines or none; alone, or with the hint or the
      earlier question that goes with this exception in the key;
    - the sentences of `AnswerError`s, with every field that the case knows; stubs that were reached; ends of the process;
    - several values in place of one;
    - what the question rules out, at one of 4,096 lines or none.
    """
    visible, lines, earlier = sum(other.visible for other in question.cases), MOST_LINES + 1, len(question.uses)
    failing = sum(any(other.failure is not None for other in known) for known in case.misconceptions.values()) + \
        sum(other.failure is not None for other in case.follow_through.values())
    words, shapes = _vocabulary(case)
    forms = sum(form for sentence in question.sentences if (form := _forms(sentence, words, shapes)) <= MOST_FORMS)
    differences = sum(1 for _ in compare.differences(case.expected)) * (1 + len(question.hints) + len(SLIPS))
    exceptions = (len(ERRORS) + 1 + visible + failing * (1 + visible)) * lines
    others = (forms + 2 + visible + earlier + len(End) + 2) * (1 + failing) + len(SEVERAL)
    rules = (len(question.forbid) + 2) * lines
    return math.log2(1 + earlier + differences + exceptions + others + rules)


def capacity(key: Key) -> dict[str, Any]:
    """How many bits the reports on an assignment can carry about its hidden cases, at most.

    Returns:
        `{"cases": {"question/case": bits}, "names": {"question": bits}, "seconds": bits}`: of each hidden case; of the
        misconception that a question is given; of the time that a submission took.
    """
    return {"cases": {f"{question.name}/{case.name}": bits(question, case)
                      for question in key.questions for case in question.cases if not case.visible},
            "names": {question.name: math.log2(1 + len(question.hints)) for question in key.questions},
            "seconds": math.log2(len(SECONDS))}
