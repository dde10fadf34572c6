"""Is an assignment fair and tight? What the real grader has to say of the reference, of a blank notebook and of known mistakes.

`build` compares values only; here whole notebooks go the way that a student's goes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from autograder.authoring import samples
from autograder.authoring.course import Course
from autograder.authoring.question import load_questions
from autograder.grading.diagnose import same_outcome
from autograder.grading.judge import RULED_OUT
from autograder.grading.key import Key, case_rng
from autograder.grading.observe import load_observers, observed
from autograder.grading.verdict import QuestionVerdict, Verdict
from autograder.inside import probes, wire
from autograder.inside.protocol import Outcome


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
        elif sample.misconception:
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


def forged(course: Course, assignment: str, key: Key) -> list[tuple[str, int]]:
    """Hidden cases, with their points, that a reply wins which knows nothing of their inputs.

    Tried for each: what the reference gives for the same case of a course with another secret, and arrays of the same names and
    shapes that hold zeros, ones or NaN, empty arrays, and nothing at all. Whoever answers so has not looked at what was asked.
    """
    folder, won = course.solution(assignment), []
    extra, observers = probes.own_probes(folder), load_observers(folder)
    questions = {question.name: question for question in load_questions(folder)}
    for question in key.questions:
        declared = {case.name: case for case in questions[question.name].cases}
        for case in question.cases:
            if case.visible:
                continue
            inputs = declared[case.name].make(case_rng(b"another course", assignment, question.name, case.name))
            inputs = wire.unpack(wire.pack(inputs))
            name = f"{question.name}/{case.name}"
            with warnings.catch_warnings(action="ignore"):
                replay = probes.exercise(questions[question.name].answer, case.probe, inputs, name, extra)
            arrays = {name: value for name, value in replay.items() if not isinstance(value, str)}
            fills = (np.zeros_like, np.ones_like, lambda value: np.full(value.shape, np.nan), lambda value: np.zeros(0))
            constant = ({name: fill(value) for name, value in arrays.items()} for fill in fills)
            outcomes = (observed(Outcome(reply), case.probe, case.inputs, observers) for reply in (replay, {}, *constant))
            right = Outcome(case.expected)
            if any(outcome.observation is not None and same_outcome(outcome, right, case) for outcome in outcomes):
                won.append((name, case.points))
    return won
