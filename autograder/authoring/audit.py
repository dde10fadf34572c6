"""Is an assignment fair and tight? What the real grader has to say of the reference, of a blank notebook and of known mistakes.

`build` compares values only; here whole notebooks go the way that a student's goes.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from autograder.authoring import samples
from autograder.authoring.answers import declared, quickly
from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import source_digest
from autograder.authoring.course import Course
from autograder.grading.diagnose import same_outcome
from autograder.grading.judge import RULED_OUT
from autograder.grading.key import CaseKey, Key, case_rng
from autograder.grading.observe import observed
from autograder.grading.verdict import QuestionVerdict, Verdict
from autograder.inside import probes, wire
from autograder.inside.protocol import Observation, Outcome


def notebooks(course: Course, assignment: str) -> list[samples.Sample]:
    """The reference solution, the notebook as it is released, and a notebook for each misconception."""
    return [sample for sample in samples.sample_class(course, assignment)
            if sample.student in ("all-right", "blank") or sample.misconception]


def problems(made: list[samples.Sample], verdicts: list[Verdict], key: Key) -> Iterator[str]:
    """A line for each notebook that does not get what it deserves.

    Args:
        verdicts: on the notebooks of `made`, in any order.
    """
    found = {verdict.student: verdict for verdict in verdicts}
    automatic = sum(question.max_score for question in key.questions)
    for sample in made:
        verdict = found[sample.student]
        questions = {question.name: question for question in verdict.questions}
        if verdict.error:
            yield f"{sample.student}: expected a grade. Received: {verdict.error}"
        elif sample.question:
            yield from _mistake(sample, questions[sample.question])
        elif sample.student == "blank" and verdict.score != 0:
            won = ", ".join(name for name, question in questions.items() if question.score)
            yield f"blank: expected 0 points. Received: {verdict.score}, for {won}"
        elif sample.student == "all-right" and verdict.score != automatic:
            lost = "; ".join(f"{name}: {question.message}" for name, question in questions.items()
                             if question.score is not None and question.score < question.max_score)
            yield f"all-right: expected {automatic} points. Received: {verdict.score}. {lost}"


def _mistake(sample: samples.Sample, judged: QuestionVerdict) -> Iterator[str]:
    if judged.score == judged.max_score:
        yield f"{sample.student}: expected {sample.question} to lose points. Received: all {judged.max_score}"
    elif judged.misconception != sample.misconception and not judged.message.endswith(RULED_OUT):
        yield f"{sample.student}: expected the name {sample.misconception}. Received: " \
            f"{judged.misconception or 'no name'} ({judged.message})"


# ---------------------------------------------------------------------------------------------------- forged replies


def _raises(*_, **__):
    raise ValueError


def _gives_none(*_, **__):
    return None


OTHER_SECRETS = (b"another course", b"a third course", b"a fourth course")
IGNORANT = (_raises, _gives_none)  # answers that do not look at what they are given


def forged(course: Course, assignment: str, key: Key, run: Callable = map) -> list[tuple[str, int]]:
    """Hidden cases, with their points, that a forged reply wins: one that knows nothing of that case's inputs.

    Tried for each: what the reference gives for the same case of courses with other secrets, and for the question's visible
    cases; arrays of the same names and shapes that hold zeros, ones, NaN, True or False; empty arrays, the word "None" in the
    place of each, and no array at all; and what the probe sees of an answer that raises, or gives None, whatever it is given.

    Args:
        run: exercises answers as the built-in `map` does, as in `build`.
    Raises:
        DeclarationError: with another secret a case cannot be made, or the reference raises; the message lists which.
    """
    folder = course.solution(assignment)
    digest = source_digest(folder)
    observers = declared(folder, digest)[2]
    tasks = [task for question in key.questions for case in question.cases for task in _tasks(question.name, case)]
    replies: dict[tuple[str, str], list[Observation]] = {task[:2]: [] for task in tasks}
    problems = []
    for task, reply in zip(tasks, run(functools.partial(_reply, folder, digest), tasks)):
        if isinstance(reply, str):
            problems.append(reply)
        elif reply is not None:
            replies[task[:2]].append(reply)
    if problems:
        raise DeclarationError(f"{assignment}: " + "; ".join(dict.fromkeys(problems)))
    won = []
    for question in key.questions:
        shown = [reply for case in question.cases if case.visible for reply in replies[question.name, case.name]]
        for case in question.cases:
            known = [*replies[question.name, case.name], *shown]
            outcomes = (observed(Outcome(reply), case.probe, case.inputs, observers)
                        for reply in itertools.chain(known, [{}], *map(_constant, known)))
            right = Outcome(case.expected)
            if not case.visible and any(same_outcome(outcome, right, case) for outcome in outcomes):
                won.append((f"{question.name}/{case.name}", case.points))
    return won


def _tasks(question: str, case: CaseKey) -> Iterator[tuple[str, str, CaseKey, bytes | None, Callable | None]]:
    """What to exercise for a case: its question, the case, the secret that makes its inputs (None: they are the key's own), and
    the answer (None: the reference)."""
    case = dataclasses.replace(case, misconceptions={}, follow_through={})
    wanted = [(None, None)] if case.visible else [(secret, None) for secret in OTHER_SECRETS] + [(None, it) for it in IGNORANT]
    for secret, answer in wanted:
        yield question, case.name, case, secret, answer


def _reply(folder: Path, digest: str, task) -> Observation | str | None:
    """What the probe sees; None where an answer that knows nothing ends it, a sentence where the fault is the case's."""
    name, _, case, secret, answer = task
    questions, extra, _ = declared(folder, digest)
    question, seed = questions[name], f"{name}/{case.name}"
    try:
        inputs = case.inputs
        if secret is not None:
            make = next(item.make for item in question.cases if item.name == case.name)
            inputs = wire.unpack(wire.pack(make(case_rng(secret, folder.name, name, case.name))))
        with quickly():
            return probes.exercise(answer or question.answer, case.probe, inputs, seed, extra)
    except Exception as error:
        if answer is not None:
            return None
        return f"{seed}: expected inputs and an answer with every secret. Received: {type(error).__name__} {error}".rstrip()


def _constant(reply: Observation) -> Iterator[Observation]:
    """A reply's names and shapes with nothing of its values."""
    shapes = {name: np.shape(value) for name, value in reply.items() if not isinstance(value, str)}
    for value in (0.0, 1.0, np.nan, False, True):
        yield {name: np.full(shape, value) for name, shape in shapes.items()}
    yield {name: np.zeros(0) for name in shapes}
    yield dict.fromkeys(reply, "None")
