"""Are a question's cases tight? Its mutants, exercised on the cases of the key and judged as a student's answers are."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import signal
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from autograder.authoring.answers import Exercise, declared, inputs_of
from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import source_digest
from autograder.authoring.course import Course
from autograder.authoring.mutate import Mutant, mutants, spread
from autograder.authoring.rewritten import rewritten, source_of
from autograder.authoring.separation import tolerances
from autograder.grading import diagnose, slips
from autograder.grading.grade import MAX_DEATHS
from autograder.grading.judge import judge
from autograder.grading.key import CaseKey, Key, QuestionKey
from autograder.grading.ran import Ran
from autograder.grading.verdict import Status
from autograder.inside.protocol import Outcome
from autograder.sandbox.sandbox import End

KILLED, NAMED = 0.95, 0.8  # what to reach: of mutants that are no right answers, and of killed ones that give values
CHUNK = 8  # mutants that a process takes at a time
SECONDS = 2.0  # of processor time that a mutant has for a case, or ten times as long as the reference
OTHER = (b"mutants 1", b"mutants 2", b"mutants 3")  # secrets with which cases are made that the key does not have
OTHERWISE: dict[str, Callable] = {  # what inputs may be, too, if the reference is finite then
    "30 times as large": lambda value: value * 30, "1000 times as large": lambda value: value * 1000, "all 0": np.zeros_like,
    "of the other sign": np.negative, "all equal": np.ones_like}
EQUIVALENT, SURVIVED, RAISED, ENDED, UNNAMED = "equivalent", "survived", "raises", "ends its process", "unnamed"
NAME, SLIP, TWO = "named", "a general slip", "two names"
LISTED = "survivors.toml"


@dataclasses.dataclass(frozen=True)
class Fate:
    """What became of a mutant.

    Attributes:
        fate: "equivalent" (no input tells it from the reference), "survived" (it earns all points though one does), "raises"
            (every case that it loses ends in an exception or too late), "ends its process", "unnamed", "named", "a general slip"
            (such as a reversed sign, which the grader knows of any question) or "two names".
        names: those of misconceptions.
        told: which inputs tell a survivor from the reference.
    """

    question: str
    mutant: Mutant
    fate: str
    names: tuple[str, ...] = ()
    told: str = ""


def fates(course: Course, assignment: str, key: Key, limit: int | None = None, run: Callable = map) -> Iterator[Fate]:
    """The fate of every mutant of an assignment.

    Args:
        limit: mutants of a question at most.
        run: works as the built-in `map` does, or gives None for what ends its process, as that of `build.processes`.
    """
    folder = course.solution(assignment)
    digest = source_digest(folder)
    tried = {name: spread(mutants(source_of(question.answer)), limit) for name, question in declared(folder, digest)[0].items()}
    chunk = functools.partial(_chunk, folder, digest, key)
    chunks = [(name, made[start:start + CHUNK]) for name, made in tried.items() for start in range(0, len(made), CHUNK)]
    again = []  # one by one, to find which it was
    for (name, made), found in zip(chunks, run(chunk, chunks)):
        again += [(name, [mutant]) for mutant in made] if found is None else []
        yield from found or []
    for (name, made), found in zip(again, run(chunk, again)):
        yield from [Fate(name, mutant, ENDED) for mutant in made] if found is None else found


def listed(folder: Path) -> dict[tuple[str, str], str]:
    """The survivors that an author has looked at: (question, change) -> why no case is to tell them.

    Raises:
        DeclarationError: the list cannot be read.
    """
    path = Path(folder) / LISTED
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return {(item["question"], item["change"]): item["reason"] for item in table["survivor"]}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DeclarationError(f"{path}: expected [[survivor]] tables with question, change and reason. "
                               f"Received: {type(error).__name__} {error}") from None


def _chunk(folder: Path, digest: str, key: Key, task: tuple[str, list[Mutant]]) -> list[Fate]:
    name, made = task
    (asked,) = [item for item in key.questions if item.name == name]
    trial = _Trial(folder, digest, asked)
    return [trial.fate(mutant) for mutant in made]


class _Late(BaseException):
    """A mutant has had its time. No `Exception`, which it might catch."""


class _Trial:
    """A question on whose cases mutants are tried, in this process."""

    def __init__(self, folder: Path, digest: str, key: QuestionKey):
        self.folder, self.key = folder, key
        self.questions, self.extra, self.observers = declared(folder, digest)
        self.question = self.questions[key.name]
        self.declarations = {case.name: case for case in self.question.cases}

    def fate(self, mutant: Mutant) -> Fate:
        fate = functools.partial(Fate, self.key.name, mutant)
        try:
            with _time(SECONDS):
                answer = rewritten(self.question.answer, mutant.source, mutant.change)
        except (Exception, _Late):
            return fate(RAISED)
        outcomes = self._outcomes(answer)
        verdict = judge(self.key, outcomes, Ran(frozenset(self.questions)), {})
        if verdict.score == verdict.max_score:
            told = self._told(answer)
            return fate(SURVIVED, told=told) if told else fate(EQUIVALENT)
        lost = {case.name for case in verdict.cases if not case.passed}
        if names := diagnose.explanations(self.key, outcomes, lost):
            return fate(TWO if len(names) > 1 else NAME, tuple(names))
        if any(slips.slip(case, outcomes, self.key.cases) for case in self.key.cases if case.name in lost):
            return fate(SLIP)
        return fate(UNNAMED if any(outcomes[name].observation is not None for name in lost) else RAISED)

    def _outcomes(self, answer: Callable) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        for case in self.key.cases:
            if sum(bool(outcome.died) for outcome in outcomes.values()) >= MAX_DEATHS:
                outcomes[case.name] = Outcome(died=Status.TIMEOUT, said="Not run.", brief=End.NOT_RUN.value)
            else:
                outcomes[case.name] = self._outcome(answer, case, case.inputs)
        return outcomes

    def _exercise(self, case: CaseKey, inputs) -> Exercise:
        declaration = self.declarations[case.name]
        return Exercise(self.folder, self.question, declaration, self.questions, inputs, self.extra, self.observers)

    def _outcome(self, answer: Callable, case: CaseKey, inputs) -> Outcome:
        try:
            with _time(max(SECONDS, 10 * self._seconds[case.name])):
                return self._exercise(case, inputs).outcome(answer)
        except _Late:
            return Outcome(died=Status.TIMEOUT, said="It took too long.", brief=End.SLOW.value)

    @functools.cached_property
    def _seconds(self) -> dict[str, float]:
        """How long the reference takes for each case, of processor time."""
        found = {}
        for case in self.key.cases:
            exercise = self._exercise(case, case.inputs)
            exercise.outcome(self.question.answer)  # the first time TensorFlow makes kernels, and a lesson may read data
            begun = time.process_time()
            exercise.outcome(self.question.answer)
            found[case.name] = time.process_time() - begun
        return found

    @functools.cached_property
    def _others(self) -> list[tuple[str, CaseKey, Any]]:
        """Further inputs, and what the reference gives for them: those of other secrets, and the key's in other sizes."""
        found = []
        for case in self.key.cases:
            given = [("another secret's inputs", inputs) for inputs in self._made(self.declarations[case.name])]
            given += [(f"inputs {words}", _floats(case.inputs, change)) for words, change in OTHERWISE.items()]
            for words, inputs in given:
                right = self._outcome(self.question.answer, case, inputs)
                if right.observation and all(not isinstance(value, str) and np.all(np.isfinite(value))
                                             for value in right.observation.values()):
                    found.append((f"{words}, in {case.name}", dataclasses.replace(case, expected=right.observation), inputs))
        return found

    def _made(self, declaration) -> Iterator[Any]:
        if not declaration.visible:
            for secret in OTHER:
                with contextlib.suppress(DeclarationError):  # an audit says which cases another secret cannot make
                    yield inputs_of(self.folder, self.question, declaration, secret)

    def _told(self, answer: Callable) -> str:
        """Which further inputs tell an answer from the reference; "" when none do."""
        for words, case, inputs in self._others:
            if tolerances(case, self._outcome(answer, case, inputs)) > 1:
                return words
        return ""


def _floats(inputs, change: Callable):
    """Inputs with every float changed, alone or in an array."""
    import keras  # lazy: as everywhere

    def changed(value):
        if isinstance(value, float):
            return float(change(value))
        return change(value) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value

    return keras.tree.map_structure(changed, inputs)


@contextlib.contextmanager
def _time(seconds: float) -> Iterator[None]:
    """End what runs within after so much processor time, as far as Python can."""

    def late(*_):
        raise _Late

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@dataclasses.dataclass(frozen=True)
class Tally:
    """How many mutants of an assignment had which fate.

    Attributes:
        listed: those of the survivors that the author has given a reason for.
    """

    fates: dict[str, int]
    listed: int

    @property
    def wrong(self) -> int:
        """Mutants that are no right answers."""
        return sum(self.fates.values()) - self.fates.get(EQUIVALENT, 0)

    @property
    def killed(self) -> float:
        """The share of those that lose points."""
        return 1 - self.fates.get(SURVIVED, 0) / self.wrong if self.wrong else 1.0

    @property
    def named(self) -> float:
        """The share of killed ones that have a name, of those that give values: an exception says itself what it is."""
        return self._of_those_with_values(NAME, TWO, SLIP)

    @property
    def by_misconceptions(self) -> float:
        """The share whose name is a misconception's; of the other named ones the grader knows how values are off, or where."""
        return self._of_those_with_values(NAME, TWO)

    def _of_those_with_values(self, *fates: str) -> float:
        total = sum(self.fates.get(fate, 0) for fate in (NAME, TWO, SLIP, UNNAMED))
        return sum(self.fates.get(fate, 0) for fate in fates) / total if total else 1.0


def tally(found: list[Fate], reasons: dict[tuple[str, str], str]) -> Tally:
    """Count fates; `reasons` are those of `listed`."""
    fates = collections.Counter(fate.fate for fate in found)
    return Tally(fates, sum(fate.fate == SURVIVED and (fate.question, fate.mutant.change) in reasons for fate in found))


def stub(fate: Fate) -> str:
    """A misconception to paste into `questions.py`, for a mutant without a name."""
    mutant, name = fate.mutant, fate.question
    how = f"@{name}.variation({{{mutant.text[0]!r}: {mutant.text[1]!r}}})\ndef …():" if mutant.text else \
        f"@{name}.misconception\ndef …(…):"
    return f'{how}\n    """Your …: …"""' + ("" if mutant.text else f"\n    …  # line {mutant.line}: {mutant.change}")
