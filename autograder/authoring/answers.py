"""What the reference and the known mistakes of a question give on a case: found once, and kept until what decides it changes.

An outcome is kept under a digest of the case's inputs, of its probe, of this kit and the libraries, and of the definitions that
the answer depends on (`autograder.authoring.depends`). Points, words, hints and tolerances decide none.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import fnmatch
import functools
import importlib.util
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from autograder.authoring.blame import DeclarationError, blamed, sentence, where
from autograder.authoring.course import Course
from autograder.authoring.depends import Definitions
from autograder.authoring.lesson import public_modules
from autograder.authoring.question import Case, Question, load_questions
from autograder.files import atomic
from autograder.grading import diagnose
from autograder.grading import key as keys
from autograder.grading.cache import PACKAGE, code_and_releases, contents
from autograder.grading.cache import digest as digest_of
from autograder.grading.key import CaseKey
from autograder.grading.observe import load_observers, tried
from autograder.inside import probes, watch, wire
from autograder.inside.protocol import Failure, Outcome, Probe, plain, typed

REFERENCE, AXES = "the reference", "axes"  # what is found of a case beside what each mistake gives
DECIDE = ["authoring/answers.py", "authoring/depends.py", "authoring/lesson.py", "authoring/question.py",
          "authoring/rewritten.py", "grading/key.py", "grading/observe.py"]  # with the room `inside`: what an answer gives


@dataclasses.dataclass(frozen=True)
class Asked:
    """A case whose answers are wanted.

    Attributes:
        inputs: what it gives an answer; `probe` is complete, as a sandbox is told it.
        digests: of all that decides a finding, by its name.
        known: findings, as plain data, that nothing has changed since.
    """

    question: Question
    case: Case
    inputs: Any
    probe: Probe
    digests: dict[str, str]
    known: dict[str, Any]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name in self.digests if name not in self.known)


def ask(course: Course, assignment: str, questions: dict[str, Question], fresh: bool = False) -> list[Asked]:
    """What has to be found of every case, and what of it is known from before.

    Args:
        fresh: nothing is known.
    Raises:
        DeclarationError: a case's inputs cannot be made, or could not be graded fairly.
    """
    folder, secret = course.solution(assignment), keys.course_secret(course.root)
    kit = contents(PACKAGE / name for name in DECIDE)
    around = digest_of(assignment, contents(public_modules(folder)), kit, code_and_releases(("inside",)))
    definitions, asked = Definitions(folder), []
    of = functools.cache(lambda *names: definitions.digest(names))
    for question in questions.values():
        needs: dict[str, tuple] = {REFERENCE: (of(question.name), question.forbid, _beneath(question, questions))}
        for item in question.misconceptions:
            needs |= {name: (of(item.name), name) for name, _ in _variants(item)}
        for other in question.uses:
            needs |= {_on(other, item): (of(question.name, item.name), other) for item in questions[other].misconceptions}
        needs[AXES] = (of(question.name),)
        for case in question.cases:
            inputs, probe = inputs_of(folder, question, case, None if case.visible else secret), _complete(question, case)
            here = digest_of(around, question.name, case.name, case.visible, plain(probe), wire.pack(inputs).hex())
            digests = {name: digest_of(here, name, *parts) for name, parts in needs.items()}
            known = {} if fresh else _load(course, assignment, question, case)
            asked.append(Asked(question, case, inputs, probe, digests, {
                name: known[digest] for name, digest in digests.items() if digest in known}))
    return asked


def keep(course: Course, assignment: str, asked: Asked, found: dict[str, Any]) -> None:
    """Keep what was found of a case, in the place of what was known of it."""
    if asked.missing:
        with atomic(_path(course, assignment, asked.question, asked.case), mode=0o600) as file:
            file.write(wire.pack(listed({asked.digests[name]: value for name, value in found.items()})))


def _load(course: Course, assignment: str, question: Question, case: Case) -> dict[str, Any]:
    try:
        return named(wire.unpack(_path(course, assignment, question, case).read_bytes()))
    except (OSError, wire.WireError):
        return {}  # missing, or not readable: it is computed again


def listed(found: dict[str, Any]) -> dict[str, Any]:
    """Findings for a frame, which sorts names: those of what was observed keep the order in which they are compared."""
    return {name: value | {"observation": list(map(list, value["observation"].items()))} if value.get("observation") else value
            for name, value in found.items()}


def named(found: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `listed`."""
    return {name: value | {"observation": dict(value["observation"])} if value.get("observation") else value
            for name, value in found.items()}


def _path(course: Course, assignment: str, question: Question, case: Case) -> Path:
    return course.answers(assignment) / f"{question.name}.{case.name}"


# ---------------------------------------------------------------------------------------------------- in any process


@functools.lru_cache(maxsize=4)
def declared(folder: Path, digest: str) -> tuple[dict[str, Question], ModuleType | None, ModuleType | None]:
    """An assignment's questions and both halves of its own probes, loaded once a process while its files stay the same.

    Args:
        digest: of the files, as `source_digest` gives it.
    """
    with blamed(folder):
        return {question.name: question for question in load_questions(folder)}, probes.own_probes(folder), load_observers(folder)


@dataclasses.dataclass(frozen=True)
class Findings:
    """Finds what is asked of cases, in any process that has the assignment's files.

    Attributes:
        digest: of the files, as `source_digest` gives it.
    """

    folder: Path
    digest: str
    secret: bytes = dataclasses.field(repr=False)

    def __call__(self, task: tuple[str, str, tuple[str, ...]]) -> dict[str, Any]:
        """What is found of a case, as plain data.

        Args:
            task: the names of a question, of its case and of what is to be found.
        Raises:
            DeclarationError: the reference cannot be exercised, breaks its question's rules, or is not finite.
        """
        questions, extra, observers = declared(self.folder, self.digest)
        question = questions[task[0]]
        case = next(case for case in question.cases if case.name == task[1])
        inputs = inputs_of(self.folder, question, case, None if case.visible else self.secret)
        return Exercise(self.folder, question, case, questions, inputs, extra, observers).find(task[2])

    def elsewhere(self, root: Path) -> Findings:
        """The same of a copy of the course."""
        return dataclasses.replace(self, folder=root / "solutions" / self.folder.name)


def reason(folder: Path, digest: str, secret: bytes, question: str, mistake: str) -> str | None:
    """Where a mistake raises and what, on the first case on which it does."""
    questions, extra, observers = declared(folder, digest)
    asked = questions[question]
    for item, case in ((item, case) for item in asked.misconceptions if item.name == mistake for case in asked.cases):
        inputs = inputs_of(folder, asked, case, None if case.visible else secret)
        exercise = Exercise(folder, asked, case, questions, inputs, extra, observers)
        for variant in item.variants:
            try:
                exercise.run(variant)
            except Exception as error:
                return f"{where(error, folder)}it raised {sentence(error)}"
    return None


def case_key(asked: Asked, found: dict[str, Any]) -> CaseKey:
    """A case's part of the answer key."""
    case, outcomes = asked.case, {name: typed(value, Outcome) for name, value in found.items() if name != AXES}
    wrong = {item.name: [outcomes[name] for name, _ in _variants(item)] for item in asked.question.misconceptions}
    mistaken = {name for item in asked.question.misconceptions for name, _ in _variants(item)}
    key = CaseKey(case.name, case.description, case.points, case.visible, asked.probe, asked.inputs,
                  outcomes[REFERENCE].observation, wrong, {}, case.rtol, case.atol)
    follow = {name.removeprefix(ON): outcome for name, outcome in outcomes.items() if name not in mistaken | {REFERENCE}
              if not diagnose.same_outcome(outcome, outcomes[REFERENCE], key)}
    return dataclasses.replace(key, follow_through=follow)


ON = "on "  # begins the name of what the reference gives on top of another question's mistake


def _on(question: str, item) -> str:
    return f"{ON}{question}.{item.name}"


def _variants(item) -> Iterator[tuple[str, Callable]]:
    for number, variant in enumerate(item.variants):
        yield f"{item.name} {number}", variant


def _beneath(question: Question, questions: dict[str, Question]) -> tuple[str, ...]:
    return keys.beneath(question, list(questions.values()))


def _complete(question: Question, case: Case) -> Probe:
    probe = case.probe
    if probe.name == "gradients" and "arguments" not in probe.options:
        names = list(inspect.signature(question.answer).parameters)
        probe = dataclasses.replace(probe, options={**probe.options, "arguments": names})
    return probe


class Exercise:
    """Answers exercised on one case, in this process."""

    def __init__(self, folder: Path, question: Question, case: Case, questions: dict[str, Question], inputs, extra, observers):
        self.folder, self.question, self.case, self.questions = folder, question, case, questions
        self.inputs, self.probe, self.extra, self.observers = inputs, _complete(question, case), extra, observers

    def find(self, names: tuple[str, ...]) -> dict[str, Any]:
        wanted, found = set(names), {}
        if REFERENCE in wanted:
            found[REFERENCE] = plain(self._reference())
        for item in self.question.misconceptions:
            found |= {name: plain(self.outcome(variant)) for name, variant in _variants(item) if name in wanted}
        for other in self.question.uses:
            answer = self.questions[other].answer
            for item in self.questions[other].misconceptions:
                if (name := _on(other, item)) in wanted:
                    with _replaced(sys.modules[answer.__module__], other, item.answer), _called(item.answer, other):
                        found[name] = plain(self.outcome(self.question.answer))
        if AXES in wanted:
            square, rest = square_arrays(self.case, self.inputs)
            could = [name for name, array in square.items() if self._could_differ(array)]
            found[AXES] = {"square": could, "other": sorted(rest)}
        return found

    def run(self, answer, inputs=None) -> Outcome:
        with quickly(), _called(answer, self.question.name):
            return tried(answer, self.probe, self.inputs if inputs is None else inputs, f"{self.question.name}/{self.case.name}",
                         self.extra, self.observers)

    def outcome(self, answer) -> Outcome:
        try:
            return self.run(answer)
        except Exception as error:
            failure = probes.failure(error)
            # Only our own messages are kept: those of libraries hold counters and addresses that change from run to run.
            kept = dataclasses.replace(failure, line=None, function=None) if failure.sentence else Failure(failure.error)
            return Outcome(failure=kept)

    def _reference(self) -> Outcome:
        question, whose = self.question, f"{self.question.name}.{self.case.name}"
        beneath = [self.questions[name].answer for name in _beneath(question, self.questions)]
        if absent := _absent(tuple(question.forbid)):
            raise DeclarationError(f"{question.name}: forbid names {absent}, and there is no such thing")
        with blamed(self.folder, f"{whose}: the reference raised "), \
                watch.watching(question.forbid, question.answer, beneath) as (uses, _):
            expected = self.run(question.answer)
        if uses:
            raise DeclarationError(f"{whose}: the reference uses {uses[0].name}, which the question rules out")
        if expected.failure is not None or expected.observation is None:
            raise DeclarationError(f"{whose}: of the reference observe.py says that it "
                                   f"{expected.failure.message if expected.failure else 'gave nothing'}")
        for name, value in expected.observation.items():
            if isinstance(value, str) or not np.all(np.isfinite(value)):
                raise DeclarationError(f"{whose}: the reference's {name} must be finite numbers. "
                                       f"Received: {value if isinstance(value, str) else 'NaN or infinity'}")
        return expected

    def _could_differ(self, array: np.ndarray) -> bool:
        """Would the reference take this array of its inputs with another size of one of its equal axes?"""
        import keras  # lazy: as everywhere

        axis = next(axis for axis in range(array.ndim) if array.shape[axis] > 1 and array.shape.count(array.shape[axis]) > 1)
        shorter = keras.tree.map_structure(lambda value: np.delete(value, -1, axis) if value is array else value, self.inputs)
        try:
            observation = self.run(self.question.answer, shorter).observation
        except Exception:  # it has to be square
            return False
        values = observation.values() if observation is not None else ["nothing"]
        return all(not isinstance(value, str) and np.all(np.isfinite(value)) for value in values)


@contextlib.contextmanager
def quickly():
    """Within, answers of the course's own: without what Keras does, and says, for the sake of layers that may be wrong."""
    with warnings.catch_warnings(action="ignore"), _without_trial_runs(), _names_again():
        yield


def square_arrays(case: Case, inputs) -> tuple[dict[str, np.ndarray], frozenset[str]]:
    """A hidden case's arrays by name: those with two axes of one size, and the names of the others."""
    arrays = {name: value for name, value in _arrays(inputs)
              if not case.visible and value.ndim > 1 and not name.startswith("weights.")}  # whose shapes the layer decides
    square = {name: value for name, value in arrays.items()
              if len(set(sizes := [n for n in value.shape if n > 1])) < len(sizes)}
    return square, frozenset(set(arrays) - set(square))


def inputs_of(folder: Path, question: Question, case: Case, secret: bytes | None):
    """What a case gives an answer, through the wire and back: the reference gets exactly what a student's answer will get."""
    whose = f"{question.name}.{case.name}"

    def made(secret: bytes | None) -> bytes:
        with blamed(folder, f"{whose}: "):
            inputs = case.make(keys.case_rng(secret, folder.name, question.name, case.name))
        if not isinstance(inputs, (tuple, dict)):
            raise DeclarationError(f"{whose}: expected a tuple of arguments or a dictionary. Received: {type(inputs).__name__}")
        try:
            return wire.pack(inputs)
        except wire.WireError as error:
            raise DeclarationError(f"{whose}: expected numbers, text and arrays, and lists, tuples and dictionaries of them, "
                                   f"as arguments. Received: what cannot be sent ({error})") from None

    inputs = made(secret)
    if inputs != made(secret):
        raise DeclarationError(f"{whose}: its arguments are others each time they are made; take every random number from rng")
    other = None
    if secret is not None:
        with contextlib.suppress(DeclarationError):  # an audit says which cases another secret cannot make
            other = made(secret + b", another")
    if inputs == other:
        raise DeclarationError(f"{whose}: a hidden case whose arguments are the same in every course is not hidden; make them "
                               "with rng")
    return wire.unpack(inputs)


@functools.cache
def _absent(forbid: tuple[str, ...]) -> str | None:
    """A rule that names nothing: it would rule nothing out. What is not installed here cannot be looked up."""
    import tensorflow as tf
    from tensorflow.python.framework import op_def_registry

    watch.prepare(forbid)
    for pattern in forbid:
        name = pattern.removeprefix(watch.OPERATIONS)
        if pattern.startswith(watch.OPERATIONS):
            there = op_def_registry.get(name) is not None or bool(fnmatch.filter(dir(tf.raw_ops), name))
        else:
            root = pattern.split(".")[0]
            there = bool(watch.expand(pattern)) or importlib.util.find_spec(watch.ROOTS.get(root, root)) is None
        if not there:
            return pattern
    return None


def _arrays(inputs, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Every array that a case gives, with a name that says where it stands."""
    if isinstance(inputs, np.ndarray):
        yield name, inputs
    elif isinstance(inputs, dict):
        for key, value in inputs.items():
            yield from _arrays(value, f"{name}.{key}" if name else str(key))
    elif isinstance(inputs, (list, tuple)):
        for number, value in enumerate(inputs):
            yield from _arrays(value, f"{name}[{number}]" if name else f"argument {number + 1}")


@contextlib.contextmanager
def _replaced(owner, name: str, value):
    """Put another answer in the place of a lesson's own, for the answers of the lesson that call it."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _called(answer, name: str):
    """Let a layer have the name that it has in a student's notebook, after which Keras names it and its weights."""
    return _replaced(answer, "__name__", name) if inspect.isclass(answer) else contextlib.nullcontext()


def _without_trial_runs():
    """Let the first call of a layer make its sublayers' weights, as Keras does where a layer cannot be tried.

    Keras first runs a layer that has no `build` on symbolic input, to find the shapes, which takes longer than all the rest.
    Students' layers in a sandbox are tried, as in their notebooks: one that keeps a symbolic tensor fails there.
    """
    from keras.layers import Layer

    maybe_build = Layer._maybe_build

    def build(layer, call_spec):
        if type(layer).build is not Layer.build or all(part.built for part in layer._layers):
            maybe_build(layer, call_spec)

    return _replaced(Layer, "_maybe_build", build)


@contextlib.contextmanager
def _names_again():
    """Let layers and weights have the names that those of the answer before had.

    TensorFlow keeps a kernel for each name and shape of a variable, and making one takes three times as long as the variable.
    """
    from keras.src.backend.common import global_state

    given = global_state.get_global_attribute("object_name_uids", collections.defaultdict(int), set_to_default=True)
    before = dict(given)
    try:
        yield
    finally:
        given.clear()
        given.update(before)
