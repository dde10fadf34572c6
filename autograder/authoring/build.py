"""From `solutions/` to everything else: the released notebook and its examples, the hidden key, nbgrader's source.

Rebuilding what has not changed writes the same bytes, and `unchanged` tells where it need not be done. A lesson whose
misconceptions could not be told apart, or cost nothing, is not built: the grader would give a wrong name to a mistake.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import gc
import hashlib
import hmac
import inspect
import logging
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import nbformat

from autograder.authoring import answers, separation
from autograder.authoring.answers import Asked
from autograder.authoring.arrival import with_arrival
from autograder.authoring.blame import DeclarationError
from autograder.authoring.course import Course, data_files
from autograder.authoring.lesson import (
    Cell,
    introduction_notebook,
    notebook_name,
    public_modules,
    question_order,
    read_lesson,
    source_notebook,
    student_notebook,
    written_points,
)
from autograder.authoring.question import Question
from autograder.files import atomic
from autograder.grading import diagnose
from autograder.grading import key as keys
from autograder.grading.cache import code_and_releases, contents
from autograder.grading.cache import digest as digest_of
from autograder.grading.key import Key, QuestionKey
from autograder.grading.observe import sentences
from autograder.grading.versions import installed
from autograder.inside.protocol import Outcome

ROOMS = (".", "authoring", "grading", "inside")  # of this kit, whose code decides what is built


FEW = 150  # answers that are sooner found here than by a process that has to load TensorFlow first


@dataclasses.dataclass(frozen=True)
class Started:
    """An assignment that is being built: what was read of it, and the cases whose answers are being computed.

    Attributes:
        digest: that of its source; `reads` is that of everything that decides what is built.
        asked: every case; `results` gives what is missing of those of which something is.
    """

    course: Course
    assignment: str
    digest: str
    reads: str
    cells: list[Cell]
    questions: list[Question]
    asked: list[Asked]
    results: Iterator[dict[str, Any]]


def build(course: Course, assignment: str, run: Callable = map, fresh: bool = False) -> Key:
    """Build one assignment, whether it has changed or not: `start` and `finish`."""
    return finish(start(course, assignment, run, fresh))


def start(course: Course, assignment: str, run: Callable = map, fresh: bool = False) -> Started:
    """Read a lesson with its questions, and ask for those of their answers that are not known.

    Args:
        run: computes answers as the built-in `map` does; `processes` gives one that works in parallel, and begins at once. A
            few are computed here.
        fresh: none is known.
    Raises:
        DeclarationError: the lesson and its questions do not fit together; the message lists why.
    """
    folder, reads = course.solution(assignment), _reads(course, assignment)
    digest = source_digest(folder)
    cells = read_lesson(folder)
    declarations = answers.declared(folder, digest)[0]
    questions = question_order(cells, list(declarations.values()), folder)
    asked = sorted(answers.ask(course, assignment, declarations, fresh), key=lambda it: _effort(it.question), reverse=True)
    tasks = [(it.question.name, it.case.name, it.missing) for it in asked if it.missing]
    if sum(len(missing) for _, _, missing in tasks) <= FEW:
        run = map
    results = run(answers.Findings(folder, digest, keys.course_secret(course.root)), tasks)
    return Started(course, assignment, digest, reads, cells, questions, asked, iter(results))


def references(course: Course, assignment: str) -> int:
    """Find what the references give where that is not known, ahead of all mistakes: in how many cases.

    Raises:
        DeclarationError: as for `start`, or a reference gives no right answer.
    """
    folder = course.solution(assignment)
    work = answers.Findings(folder, source_digest(folder), keys.course_secret(course.root))
    asked = [it for it in answers.ask(course, assignment, answers.declared(folder, work.digest)[0])
             if answers.REFERENCE in it.missing]
    for it in asked:
        answers.keep(course, assignment, it, it.known | work((it.question.name, it.case.name, (answers.REFERENCE,))))
    return len(asked)


def finish(started: Started, say: Callable[[str], None] = lambda text: None) -> Key:
    """Wait for the answers of an assignment and write what is made of them.

    Args:
        say: called with a question's name whenever the answers of one of its cases are known.
    Raises:
        DeclarationError: the questions could not be graded fairly; the message lists why.
    """
    key, problems = together(started, say)
    if problems:
        raise DeclarationError(f"{started.assignment}: " + "; ".join(problems))
    write(started, key)
    return key


def together(started: Started, say: Callable[[str], None] = lambda text: None) -> tuple[Key, list[str]]:
    """The answer key of an assignment, and why it would grade unfairly.

    Raises:
        DeclarationError: a case has no right answer.
    """
    course, assignment, questions = started.course, started.assignment, started.questions
    computed, axes = {}, {}
    for asked in started.asked:
        if (new := next(started.results) if asked.missing else {}) is None:
            raise DeclarationError(f"{asked.question.name}.{asked.case.name}: the reference or a mistake ended the process that "
                                   "computed it")
        found = {name: new[name] if name in new else asked.known[name] for name in asked.digests}
        answers.keep(course, assignment, asked, found)
        computed[asked.question.name, asked.case.name] = answers.case_key(asked, found)
        axes[asked.question.name, asked.case.name] = found[answers.AXES]
        say(asked.question.name)
    said = sentences(course.solution(assignment))
    question_keys = [
        QuestionKey(question.name, question.points, {item.name: item.hint for item in question.misconceptions},
                    tuple(question.uses), tuple(question.forbid),
                    tuple(computed[question.name, case.name] for case in question.cases), said)
        for question in questions]
    key = Key(assignment, notebook_name(assignment), started.digest, tuple(question_keys), installed(),
              written_points(started.cells))
    why = functools.partial(answers.reason, course.solution(assignment), started.digest, keys.course_secret(course.root))
    return key, [*weaknesses(key, why), *_squares(questions, axes)]


def write(started: Started, key: Key) -> None:
    """Write the release, nbgrader's source and the hidden key."""
    course, assignment, cells, questions = started.course, started.assignment, started.cells, started.questions
    _write_release(course, assignment, _arriving(course, assignment, student_notebook(cells, questions)), key.examples())
    _write_source(course, assignment, _arriving(course, assignment, source_notebook(cells, questions)))
    keys.save(key, course.key(assignment), private=True)
    with atomic(course.build_record(assignment), mode=0o600) as file:
        file.write(_record(course, assignment, started.reads).encode())


def introduce(course: Course, lesson: str) -> None:
    """Write the notebook, and the files that it needs, of a lesson in which nothing is graded.

    Raises:
        DeclarationError: it has an answer for a person to grade, which needs a questions.py.
    """
    folder = course.solution(lesson)
    cells = read_lesson(folder)
    if written := written_points(cells):
        raise DeclarationError(f"{folder}: {next(iter(written))} has points; expected a questions.py beside lesson.py")
    write_notebook(with_arrival(introduction_notebook(cells), course.kit, course.lessons, lesson,
                                [file.name for file in student_files(course, lesson)]), course.notebook(lesson))
    _ship(course, lesson)


def unchanged(course: Course, assignment: str) -> bool:
    """Would a build read what the last one read, and is everything that it wrote still there, as it was written?"""
    try:
        known = course.build_record(assignment).read_text()
        return known == _record(course, assignment, _reads(course, assignment))
    except (OSError, UnicodeDecodeError):
        return False  # something is missing: a build makes it, or says what it lacks


def _record(course: Course, assignment: str, reads: str) -> str:
    """What is remembered of a build: a digest of all that it read and wrote, and the names of what it put beside the notebook."""
    return "\n".join([digest_of(reads, _written(course, assignment)), *(file.name for file in student_files(course, assignment))])


def _reads(course: Course, assignment: str) -> str:
    """A digest of all that decides what is built: the lesson and its files, this kit, the libraries and the secret."""
    read = digest_of(source_digest(course.solution(assignment)), contents(student_files(course, assignment)),
                     code_and_releases(ROOMS), course.kit, course.lessons)
    return hmac.new(keys.course_secret(course.root), read.encode(), hashlib.sha256).hexdigest()


def _written(course: Course, assignment: str) -> list[tuple[str, str]]:
    return contents([course.key(assignment), course.notebook(assignment), *course.released_files(assignment),
                      *sorted(course.nbgrader_source(assignment).iterdir())])


def _effort(question: Question) -> tuple[bool, int]:
    """What sorts questions by how long their answers take: layers, which are built anew for each answer, longest."""
    return inspect.isclass(question.answer), sum(len(item.variants) for item in question.misconceptions)


@contextlib.contextmanager
def processes(jobs: int):
    """A `run` for `build` that computes in `jobs` processes, each of which imports TensorFlow once.

    It begins at once, and gives results in the order of its tasks: None for a task that ends its process, as a double free or a
    lack of memory does.
    """
    pool = _pool(jobs)

    def submit(work: Callable, task) -> concurrent.futures.Future:
        nonlocal pool
        try:
            return pool.submit(work, task)
        except BrokenProcessPool:
            pool = _pool(jobs)
            return pool.submit(work, task)

    def run(work: Callable, tasks) -> Iterator:
        tasks = list(tasks)
        return gathered(work, tasks, [submit(work, task) for task in tasks])

    def gathered(work: Callable, tasks: list, futures: list[concurrent.futures.Future]) -> Iterator:
        try:
            for number, task in enumerate(tasks):
                try:
                    result = futures[number].result()
                except BrokenProcessPool:  # with one task's process go those of others: the rest begins anew, this one by itself
                    futures[number + 1:] = [submit(work, rest) if _lost(future) else future
                                            for rest, future in zip(tasks[number + 1:], futures[number + 1:])]
                    result = _alone(work, task)
                yield result
        finally:  # after an error nobody waits for what has not begun
            for future in futures:
                future.cancel()

    try:
        yield run
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(jobs: int) -> concurrent.futures.ProcessPoolExecutor:
    # Spawned, not forked: TensorFlow does not survive a fork once it has run.
    return concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=ready)


def _lost(future: concurrent.futures.Future) -> bool:
    return future.done() and isinstance(future.exception(), BrokenProcessPool)


def _alone(work: Callable, task):
    """A task's result from a process that has no other; None when the task ends that, too."""
    with _pool(1) as pool:
        try:
            return pool.submit(work, task).result()
        except BrokenProcessPool:
            return None


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


def weaknesses(key: Key, why: Callable[[str, str], str | None] = lambda question, mistake: None) -> list[str]:
    """Why a key would grade unfairly: misconceptions that cost nothing or cannot be told from one another.

    Args:
        why: by a question and a misconception that nobody would be told of, what it raises.
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
                because = why(question.name, name) or "it gives no value in any case"
                problems.append(f"{question.name}: nobody would be told of the misconception {name}: {because}")
            elif len(found) > 1:
                problems.append(f"{question.name}: no case tells the misconceptions {' and '.join(found)} from one another")
            elif (away := max(separation.tolerances(case, outcomes[case.name])
                              for case in question.cases)) < separation.LEAST:
                problems.append(f"{question.name}: {name} is {away:.1f} tolerances away from the reference, too near to be sure "
                                "of; make rtol or atol smaller, or numbers larger")
    return list(dict.fromkeys(problems))


def _squares(questions: list[Question], axes: dict[tuple[str, str], dict[str, list[str]]]) -> list[str]:
    """Hidden arguments whose axes no case tells apart: a transposed answer, or a wrong axis, might go unnoticed."""
    problems = []
    for question in questions:
        cases = {case.name: axes[question.name, case.name] for case in question.cases if not case.visible}
        other = {name for case in cases.values() for name in case["other"]}
        problems += [f"{question.name}.{name}: {argument} has two axes of one size in every hidden case; let them differ in one"
                     for name, case in cases.items() for argument in sorted(set(case["square"]) - other)]
    return problems


# ---------------------------------------------------------------------------------------------------- files


def _write_release(course: Course, assignment: str, notebook, examples: Key) -> None:
    release = course.release(assignment)
    write_notebook(notebook, course.notebook(assignment))
    path = release / keys.EXAMPLES
    if not _unchanged(path, examples):
        keys.save(examples, path, private=False)
    _ship(course, assignment)


def _ship(course: Course, lesson: str) -> None:
    """Put beside a notebook what students get with it, and take away what the last build put there and this one does not."""
    release, record, files = course.release(lesson), course.build_record(lesson), student_files(course, lesson)
    before = record.read_text(errors="replace").splitlines()[1:] if record.is_file() else []
    for path in course.released_files(lesson):
        if path.name in before and path.name not in [file.name for file in files]:
            path.unlink()
    for file in files:
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


def _arriving(course: Course, assignment: str, notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    files = [keys.EXAMPLES, *(file.name for file in student_files(course, assignment))]
    return with_arrival(notebook, course.kit, course.lessons, assignment, files)


def _unchanged(path: Path, examples: Key) -> bool:
    """Keep a committed file whose numbers agree up to float noise: another processor's or release's build changes nothing."""
    try:
        return keys.same(keys.load(path), examples)
    except keys.KeyFileError:
        return False


def _copy(source: Path, target: Path) -> None:
    with atomic(target) as file:
        file.write(source.read_bytes())
