"""What is asked of a student: a question, its cases and its misconceptions, as an instructor declares them.

A question is declared around a reference answer; decorators add the rest::

    softplus = Question(lesson.softplus)

    @softplus.case(points=2, visible=True)
    def zero_and_one(rng):
        \"\"\"ln 2 at 0, and 1.3133 at 1.\"\"\"
        return [0.0, 1.0],

    @softplus.misconception
    def overflows(z):
        \"\"\"Large entries become infinite: take the larger of z and 0 out of the logarithm.\"\"\"
        return tf.math.log(1 + tf.exp(z))

The decorated function's name is the id and its docstring is what students read.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autograder.authoring.blame import DeclarationError, blamed, sentence
from autograder.authoring.rewritten import rewritten, varied
from autograder.inside import probes
from autograder.inside.protocol import Probe

TOTAL = 100  # points of every assignment
VISIBLE_SHARE = 0.2  # of an assignment's points at most: the answers to visible cases can be looked up


@dataclass(frozen=True)
class Case:
    """One call with concrete inputs, won or lost whole.

    `make(rng)` returns the inputs: a tuple of arguments, or a dictionary for the layer probes.
    """

    name: str
    description: str
    points: int
    visible: bool
    make: Callable
    probe: Probe
    rtol: float
    atol: float


@dataclass(frozen=True)
class Misconception:
    """A wrong answer we can name, with the hint a student reads when theirs behaves the same.

    `variants` are ways to make the same mistake (an epsilon of 1e-7 or of 1e-12); the first is `answer` itself.
    `source` is the text of a variation of the reference, whose name it has.
    """

    name: str
    hint: str
    answer: Callable
    variants: tuple[Callable, ...]
    source: str | None = None


@dataclass
class Question:
    """One function or Keras layer a student writes.

    Args:
        answer: the reference; its `__name__` is the question's name.
        probe: how cases exercise an answer unless they say otherwise; by default `probes.call()` for a
            function and `probes.layer()` for a class.
        forbid: public names that would be the answer itself, such as `"tf.nn.softmax"` or `"keras.layers.*"`, as the
            question's text says. `"tf.raw_ops.Softmax"` names a type of operation that may not run, however it is reached.
            An answer that uses one earns nothing (see `autograder.inside.rules` and `autograder.inside.watch`).
        uses: names of earlier questions that the answer may call. A mistake there is not punished again here
            (see `autograder.grading.grade`).
        rtol, atol: float tolerances; the defaults suit float32.
    """

    answer: Callable
    probe: Probe | None = None
    forbid: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    rtol: float = 1e-4
    atol: float = 1e-5
    cases: list[Case] = field(default_factory=list, init=False)
    misconceptions: list[Misconception] = field(default_factory=list, init=False)

    def __post_init__(self):
        if not callable(self.answer) or not hasattr(self.answer, "__name__"):
            raise DeclarationError(f"expected Question(lesson.NAME), a function or a class. Received: {self.answer!r}")
        if self.probe is None:
            self.probe = probes.layer() if inspect.isclass(self.answer) else probes.call()
        _probe(self.name, self.probe)
        for name in ("forbid", "uses"):
            names = getattr(self, name)
            if not isinstance(names, (tuple, list)) or not all(isinstance(one, str) for one in names):
                raise DeclarationError(f"{self.name}: {name} must be a tuple of names, as in {name}=(\"…\",). "
                                       f"Received: {names!r}")
        _tolerances(self.name, self.rtol, self.atol)

    def __call__(self, *arguments, **named):
        """The reference's answer: what a misconception calls of an earlier question by its name, `softplus(z)`, as students do.

        So it meets whatever a probe puts in the place of that name.
        """
        return self.answer(*arguments, **named)

    @property
    def name(self) -> str:
        return self.answer.__name__

    @property
    def points(self) -> int:
        return sum(case.points for case in self.cases)

    def case(self, *misplaced, points: int = 0, visible: bool = False, probe: Probe | None = None,
             rtol: float | None = None, atol: float | None = None) -> Callable:
        """Declare a case: decorate `name(rng) -> inputs`, where `rng` is a seeded `numpy.random.Generator`."""

        used = probe or self.probe or probes.call()
        if misplaced:
            raise DeclarationError(f"{self.name}: a case names its points: @{self.name}.case(points=4)")

        def declare(make: Callable) -> Callable:
            self._own_name(make)
            if len(inspect.signature(make).parameters) != 1:
                raise DeclarationError(f"{self.name}.{make.__name__}: a case is a function of rng: def {make.__name__}(rng)")
            _probe(f"{self.name}.{make.__name__}", used)
            _tolerances(f"{self.name}.{make.__name__}", *(it for it in (rtol, atol) if it is not None))
            if type(visible) is not bool:
                raise DeclarationError(f"{self.name}.{make.__name__}: visible must be True or False. Received: {visible!r}")
            if type(points) is not int or points < 1:
                raise DeclarationError(f"{self.name}.{make.__name__}: points must be a whole number above 0. "
                                       f"Received: {points!r}")
            self.cases.append(Case(
                make.__name__, _docstring(self, make), points, visible, make, used,
                self.rtol if rtol is None else rtol, self.atol if atol is None else atol))
            return make

        return declare

    def misconception(self, answer: Callable | None = None, *, variants: tuple[dict, ...] = ()) -> Callable:
        """Declare a misconception: decorate a wrong implementation whose docstring is the hint.

        Args:
            variants: keyword arguments with which the implementation makes the same mistake in other ways:
                `@question.misconception(variants=[{"epsilon": 1e-12}])`.
        """
        if answer is None:
            return functools.partial(self.misconception, variants=variants)
        self._own_name(answer)
        for arguments in variants:
            try:
                inspect.signature(answer).bind_partial(**arguments)
            except TypeError as error:
                raise DeclarationError(f"{self.name}.{answer.__name__}: variants are keyword arguments of it: {error}") from None
        others = (functools.partial(answer, **arguments) for arguments in variants)
        self.misconceptions.append(Misconception(answer.__name__, _docstring(self, answer), answer, (answer, *others)))
        return answer

    def variation(self, *changes: dict[str, str]) -> Callable:
        """Declare a misconception that differs from the reference by a little text: `@softmax.variation({"axis=-1": "axis=0"})`.

        What is decorated has the misconception's name, its hint for a docstring, and nothing else.

        Args:
            changes: old text, which occurs once in the reference's cell, by new text. Each further one makes the same mistake in
                another way.
        """
        if not changes or not all(isinstance(item, dict) and item for item in changes):
            raise DeclarationError(f"{self.name}: a variation says which text of the reference it changes: "
                                   f'@{self.name}.variation({{"old": "new"}})')

        def declare(named: Callable) -> Callable:
            self._own_name(named)
            whose = f"{self.name}.{named.__name__}"
            answers, sources = [], []
            for number, item in enumerate(changes):
                try:
                    sources.append(varied(self.answer, item))
                    answers.append(rewritten(self.answer, sources[-1], f"{named.__name__} {number}"))
                except DeclarationError as error:
                    raise DeclarationError(f"{whose}: {error}") from None
                except Exception as error:
                    raise DeclarationError(f"{whose}: with the new text the reference raises {sentence(error)}") from None
            hint = _docstring(self, named)
            self.misconceptions.append(Misconception(named.__name__, hint, answers[0], tuple(answers), sources[0]))
            return named

        return declare

    def _own_name(self, thing: Callable) -> None:
        # Python would put it in the question's place, which the rest of the file goes on to use.
        if thing.__name__ == self.name:
            raise DeclarationError(f"{self.name}: a case or a misconception needs a name of its own, not the question's")


def load_questions(folder: Path) -> list[Question]:
    """The questions that `folder/questions.py` declares, in order.

    Raises:
        DeclarationError: a name is used twice, a question lacks a visible case, or visible cases hold too many points.
    """
    path = Path(folder) / "questions.py"
    if not path.is_file():
        raise DeclarationError(f"{folder}: expected a questions.py beside lesson.py; found none")
    name = f"questions_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # of a file that ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes declared there must be found by inspect and by Keras
    with blamed(path.parent):
        spec.loader.exec_module(module)
    questions = [value for value in vars(module).values() if isinstance(value, Question)]
    validate(questions, path.parent.name)
    return questions


def validate(questions: list[Question], assignment: str) -> None:
    """Refuse an assignment whose points or names could not be trusted."""
    names = [question.name for question in questions]
    problems = [f"question {name} is declared twice" for name in names if names.count(name) > 1]
    for question in questions:
        for kind, things in (("case", question.cases), ("misconception", question.misconceptions)):
            ids = [thing.name for thing in things]
            problems += [f"{question.name}: {kind} {name} is declared twice" for name in ids if ids.count(name) > 1]
        if not any(case.visible for case in question.cases):
            problems.append(f"{question.name} has no visible case for students to try")
        if not any(not case.visible for case in question.cases):
            problems.append(f"{question.name} has no hidden case")
        problems += [f"{question.name} uses {other}, which is no earlier question"
                     for other in question.uses if other not in names[:names.index(question.name)]]
    visible = sum(case.points for question in questions for case in question.cases if case.visible)
    if visible > TOTAL * VISIBLE_SHARE:
        problems.append(f"visible cases may hold {TOTAL * VISIBLE_SHARE:.0f} points at most. Received: {visible}")
    if problems:
        raise DeclarationError(f"{assignment}: " + "; ".join(dict.fromkeys(problems)))


def _probe(whose: str, probe) -> None:
    if not isinstance(probe, Probe):
        raise DeclarationError(f"{whose}: a probe is called, with its options or none, as in probe=probes.call(). "
                               f"Received: {getattr(probe, '__name__', repr(probe))}")


def _tolerances(whose: str, *values) -> None:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise DeclarationError(f"{whose}: a tolerance must be a number, 0 or above. Received: {value!r}")


def _docstring(question: Question, thing: Callable) -> str:
    # Not inspect.getdoc: a class without a docstring would inherit its parent's.
    text = inspect.cleandoc(thing.__doc__ or "").strip()
    if not text:
        raise DeclarationError(f"{question.name}.{thing.__name__} needs a docstring: it is what students read")
    return " ".join(text.split())
