"""From `solutions/` to everything else: the released notebook and its examples, the hidden key, nbgrader's source.

Rebuilding what has not changed writes the same bytes, and `unchanged` tells where it need not be done. A lesson whose
misconceptions could not be told apart, or cost nothing, is not built: the grader would give a wrong name to a mistake.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import fnmatch
import functools
import gc
import hashlib
import hmac
import importlib.util
import inspect
import logging
import multiprocessing
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType

import nbformat
import numpy as np

from autograder.authoring.blame import DeclarationError, blamed, sentence, where
from autograder.authoring.course import Course, data_files
from autograder.authoring.lesson import (
    Cell,
    notebook_name,
    public_modules,
    question_order,
    read_lesson,
    source_notebook,
    student_notebook,
    written_points,
)
from autograder.authoring.question import Case, Question, load_questions
from autograder.files import atomic
from autograder.grading import diagnose
from autograder.grading import key as keys
from autograder.grading.cache import code_and_releases
from autograder.grading.cache import digest as digest_of
from autograder.grading.key import CaseKey, Key, QuestionKey
from autograder.grading.observe import load_observers, sentences, tried
from autograder.grading.versions import installed
from autograder.inside import probes, watch, wire
from autograder.inside.protocol import Failure, Outcome

ROOMS = (".", "authoring", "grading", "inside")  # of this kit, whose code decides what is built


@dataclasses.dataclass(frozen=True)
class Computed:
    """A case's key, and what its author may have to hear of it.

    Attributes:
        raised: by misconception, what it raised and where.
        square: names of arguments with two axes of one size that could be of two; `other`: of those whose axes all differ.
    """

    key: CaseKey
    raised: dict[str, str]
    square: frozenset[str]
    other: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Started:
    """An assignment that is being built: what was read of it, and the cases whose answers are being computed.

    Attributes:
        digest: that of its source; `reads` is that of everything that decides what is built.
        tasks: (question, case) in the order in which `results` gives their keys.
    """

    course: Course
    assignment: str
    digest: str
    reads: str
    cells: list[Cell]
    questions: list[Question]
    tasks: list[tuple[str, str]]
    results: Iterator[Computed]


def build(course: Course, assignment: str, run: Callable = map) -> Key:
    """Build one assignment, whether it has changed or not: `start` and `finish`."""
    return finish(start(course, assignment, run))


def start(course: Course, assignment: str, run: Callable = map) -> Started:
    """Read a lesson with its questions, and ask for their answers.

    Args:
        run: computes answers as the built-in `map` does; `processes` gives one that works in parallel, and begins at once.
    Raises:
        DeclarationError: the lesson and its questions do not fit together; the message lists why.
    """
    folder, reads = course.solution(assignment), _reads(course, assignment)
    digest = source_digest(folder)
    cells = read_lesson(folder)
    questions = question_order(cells, list(declared(folder, digest)[0].values()), folder)
    tasks = [(question.name, case.name) for question in sorted(questions, key=_effort, reverse=True) for case in question.cases]
    results = run(functools.partial(_case_task, folder, digest, keys.course_secret(course.root)), tasks)
    return Started(course, assignment, digest, reads, cells, questions, tasks, iter(results))


def finish(started: Started, say: Callable[[str], None] = lambda text: None) -> Key:
    """Wait for the answers of an assignment and write what is made of them.

    Args:
        say: called with a question's name whenever the answers of one of its cases are known.
    Raises:
        DeclarationError: the questions could not be graded fairly; the message lists why.
    """
    course, assignment, cells, questions = started.course, started.assignment, started.cells, started.questions
    computed = {}
    for task, case in zip(started.tasks, started.results):
        computed[task] = case
        say(task[0])
    said = sentences(course.solution(assignment))
    question_keys = [
        QuestionKey(question.name, question.points, {item.name: item.hint for item in question.misconceptions},
                    tuple(question.uses), tuple(question.forbid),
                    tuple(computed[question.name, case.name].key for case in question.cases), said)
        for question in questions]
    key = Key(assignment, notebook_name(assignment), started.digest, tuple(question_keys), installed(),
              written_points(cells))
    raised: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for (name, _), case in computed.items():
        raised[name] |= case.raised
    if problems := [*weaknesses(key, raised), *_squares(questions, computed)]:
        raise DeclarationError(f"{assignment}: " + "; ".join(problems))

    _write_release(course, assignment, student_notebook(cells, questions), key.examples())
    _write_source(course, assignment, source_notebook(cells, questions))
    keys.save(key, course.key(assignment), private=True)
    with atomic(course.build_record(assignment), mode=0o600) as file:
        file.write(digest_of(started.reads, _written(course, assignment)).encode())
    return key


def unchanged(course: Course, assignment: str) -> bool:
    """Would a build read what the last one read, and is everything that it wrote still there, as it was written?"""
    try:
        known = course.build_record(assignment).read_text()
        return known == digest_of(_reads(course, assignment), _written(course, assignment))
    except (OSError, UnicodeDecodeError):
        return False  # something is missing: a build makes it, or says what it lacks


def _reads(course: Course, assignment: str) -> str:
    """A digest of all that decides what is built: the lesson and its files, this kit, the libraries and the secret."""
    read = digest_of(source_digest(course.solution(assignment)), _contents(student_files(course, assignment)),
                     code_and_releases(ROOMS))
    return hmac.new(keys.course_secret(course.root), read.encode(), hashlib.sha256).hexdigest()


def _written(course: Course, assignment: str) -> list[tuple[str, str]]:
    return _contents([course.key(assignment), course.notebook(assignment), *course.released_files(assignment),
                      *sorted(course.nbgrader_source(assignment).iterdir())])


def _contents(files: list[Path]) -> list[tuple[str, str]]:
    return [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


def _effort(question: Question) -> tuple[bool, int]:
    """What sorts questions by how long their answers take: layers, which are built anew for each answer, longest."""
    return inspect.isclass(question.answer), sum(len(item.variants) for item in question.misconceptions)


@contextlib.contextmanager
def processes(jobs: int):
    """A `run` for `build` that computes in `jobs` processes, each of which imports TensorFlow once."""
    # Spawned, not forked: TensorFlow does not survive a fork once it has run.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(jobs, context, initializer=ready)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)  # after an error nobody waits for what has not begun


def ready() -> None:
    """Load TensorFlow for building: what takes seconds of the first build in a process."""
    gc.disable()  # a fifth of the time, spent on looking for garbage that imports do not make
    import keras  # noqa: F401

    gc.enable()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # layers are traced over and over here, as they have to be
    gc.freeze()  # what is imported is no garbage: it need not be looked through again and again


def source_digest(folder: Path) -> str:
    """A digest of the files a key is built from, to notice when they have changed since."""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).glob("*.py")):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def weaknesses(key: Key, raised: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> list[str]:
    """Why a key would grade unfairly: misconceptions that cost nothing or cannot be told from one another.

    Args:
        raised: by question and misconception, what it raised.
    """
    problems = []
    for question in key.questions:
        for name, variant in diagnose.variants(question):
            outcomes = {case.name: case.misconceptions[name][variant] for case in question.cases}
            lost = {case.name for case in question.cases
                    if not diagnose.same_outcome(Outcome(case.expected), outcomes[case.name], case)}
            if not lost:
                problems.append(f"{question.name}: no case tells the misconception {name} from the reference")
            elif not (found := diagnose.explanations(question, outcomes, lost)):
                why = raised.get(question.name, {}).get(name, "it gives no value in any case")
                problems.append(f"{question.name}: nobody would be told of the misconception {name}: {why}")
            elif len(found) > 1:
                problems.append(f"{question.name}: no case tells the misconceptions {' and '.join(found)} from one another")
    return list(dict.fromkeys(problems))


def _squares(questions: list[Question], computed: dict[tuple[str, str], Computed]) -> list[str]:
    """Hidden arguments whose axes no case tells apart: a transposed answer, or a wrong axis, might go unnoticed."""
    problems = []
    for question in questions:
        cases = {case.name: computed[question.name, case.name] for case in question.cases if not case.visible}
        other = frozenset().union(*(case.other for case in cases.values()))
        problems += [f"{question.name}.{name}: {argument} has two axes of one size in every hidden case; let them differ in one"
                     for name, case in cases.items() for argument in sorted(case.square - other)]
    return problems


@functools.lru_cache(maxsize=4)
def declared(folder: Path, digest: str) -> tuple[dict[str, Question], ModuleType | None, ModuleType | None]:
    """An assignment's questions and both halves of its own probes, loaded once a process while its files stay the same."""
    with blamed(folder):
        return {question.name: question for question in load_questions(folder)}, probes.own_probes(folder), load_observers(folder)


def _case_task(folder: Path, digest: str, secret: bytes, task: tuple[str, str]) -> Computed:
    questions, extra, observers = declared(folder, digest)
    question = questions[task[0]]
    case = next(case for case in question.cases if case.name == task[1])
    return _computed(folder, question, case, questions, secret, extra, observers)


def _inputs(folder: Path, question: Question, case: Case, secret: bytes | None):
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


def _computed(folder: Path, question: Question, case: Case, questions: dict[str, Question], secret: bytes, extra,
              observers) -> Computed:
    whose = f"{question.name}.{case.name}"
    inputs = _inputs(folder, question, case, None if case.visible else secret)
    used = [questions[name] for name in question.uses]
    probe = case.probe
    if probe.name == "gradients" and "arguments" not in probe.options:
        names = list(inspect.signature(question.answer).parameters)
        probe = dataclasses.replace(probe, options={**probe.options, "arguments": names})

    def run(answer, inputs=inputs) -> Outcome:
        # Keras has much to say about wrong layers.
        with warnings.catch_warnings(action="ignore"), _called(answer, question.name), _without_trial_runs(), _names_again():
            return tried(answer, probe, inputs, f"{question.name}/{case.name}", extra, observers)

    def outcome(answer, mistake: str = "") -> Outcome:
        try:
            return run(answer)
        except Exception as error:
            raised[mistake] = f"{where(error, folder)}it raised {sentence(error)}"
            failure = probes.failure(error)
            # Only our own messages are kept: those of libraries hold counters and addresses that change from run to run.
            kept = dataclasses.replace(failure, line=None, function=None) if failure.sentence else Failure(failure.error)
            return Outcome(failure=kept)

    raised: dict[str, str] = {}
    beneath = [questions[name].answer for name in keys.beneath(question, list(questions.values()))]
    if case is question.cases[0]:
        _rules_that_exist(question)
    with blamed(folder, f"{whose}: the reference raised "), \
            watch.watching(question.forbid, question.answer, beneath) as (uses, _):
        expected = run(question.answer)
    if uses:
        raise DeclarationError(f"{whose}: the reference uses {uses[0].name}, which the question rules out")
    if expected.observation is None:
        raise DeclarationError(f"{whose}: of the reference observe.py says that it {expected.failure.message}")
    for name, value in expected.observation.items():
        if isinstance(value, str) or not np.all(np.isfinite(value)):
            raise DeclarationError(f"{whose}: the reference's {name} must be finite numbers. "
                                   f"Received: {value if isinstance(value, str) else 'NaN or infinity'}")
    wrong = {item.name: [outcome(variant, item.name) for variant in item.variants] for item in question.misconceptions}
    follow = {}
    for other in used:
        for item in other.misconceptions:
            with _replaced(sys.modules[other.answer.__module__], other.name, item.answer), _called(item.answer, other.name):
                result = outcome(question.answer)
            if not diagnose.same_outcome(result, expected, case):
                follow[f"{other.name}.{item.name}"] = result
    key = CaseKey(case.name, case.description, case.points, case.visible, probe, inputs, expected.observation, wrong, follow,
                  case.rtol, case.atol)
    arrays = {name: value for name, value in _arrays(inputs)
              if not case.visible and value.ndim > 1 and not name.startswith("weights.")}  # whose shapes the layer decides
    square = {name for name, value in arrays.items() if len(set(sizes := [n for n in value.shape if n > 1])) < len(sizes)}
    could = frozenset(name for name in square if _could_differ(lambda inputs: run(question.answer, inputs), inputs, arrays[name]))
    return Computed(key, raised, could, frozenset(arrays) - square)


def _rules_that_exist(question: Question) -> None:
    """Refuse a rule that names nothing: it would rule nothing out. What is not installed here cannot be looked up."""
    import tensorflow as tf
    from tensorflow.python.framework import op_def_registry

    watch.prepare(question.forbid)
    for pattern in question.forbid:
        name = pattern.removeprefix(watch.OPERATIONS)
        if pattern.startswith(watch.OPERATIONS):
            there = op_def_registry.get(name) is not None or fnmatch.filter(dir(tf.raw_ops), name)
        else:
            root = pattern.split(".")[0]
            there = watch.expand(pattern) or importlib.util.find_spec(watch.ROOTS.get(root, root)) is None
        if not there:
            raise DeclarationError(f"{question.name}: forbid names {pattern}, and there is no such thing")


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


def _could_differ(run: Callable, inputs, array: np.ndarray) -> bool:
    """Would the reference take this array of its inputs with another size of one of its equal axes?"""
    axis = next(axis for axis in range(array.ndim) if array.shape[axis] > 1 and array.shape.count(array.shape[axis]) > 1)

    def shorter(value):
        if isinstance(value, dict):
            return {key: shorter(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map(shorter, value))
        return np.delete(value, -1, axis) if value is array else value

    try:
        observation = run(shorter(inputs)).observation
    except Exception:  # it has to be square
        return False
    values = observation.values() if observation is not None else ["nothing"]
    return all(not isinstance(value, str) and np.all(np.isfinite(value)) for value in values)


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


# ---------------------------------------------------------------------------------------------------- files


def _write_release(course: Course, assignment: str, notebook, examples: Key) -> None:
    release = course.release(assignment)
    write_notebook(notebook, course.notebook(assignment))
    path = release / "examples.npz"
    if not _unchanged(path, examples):
        keys.save(examples, path, private=False)
    for file in student_files(course, assignment):
        _copy(file, release / file.name)


def _write_source(course: Course, assignment: str, notebook) -> None:
    """nbgrader copies whatever lies in its source directory to students: the notebook and student files, nothing else."""
    folder = course.nbgrader_source(assignment)
    if folder.exists():
        shutil.rmtree(folder)
    write_notebook(notebook, folder / f"{notebook_name(assignment)}.ipynb")
    for file in course.released_files(assignment):
        _copy(file, folder / file.name)


def student_files(course: Course, assignment: str) -> list[Path]:
    """Files that students get beside the notebook and its examples: data the lesson loads, and public modules."""
    folder = course.solution(assignment)
    names = data_files((folder / "lesson.py").read_text(encoding="utf-8"))
    return [course.data_file(name) for name in names] + public_modules(folder)


def write_notebook(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook, whole or not at all."""
    with atomic(path) as file:
        file.write(nbformat.writes(notebook).encode() + b"\n")


def _unchanged(path: Path, examples: Key) -> bool:
    """Keep a committed file whose numbers agree up to float noise: another processor's or release's build changes nothing."""
    try:
        return keys.same(keys.load(path), examples)
    except keys.KeyFileError:
        return False


def _copy(source: Path, target: Path) -> None:
    with atomic(target) as file:
        file.write(source.read_bytes())
