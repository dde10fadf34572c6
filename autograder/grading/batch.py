"""Many submissions: find them, grade them in parallel, lose none.

Each job is a thread with a sandbox of its own, all from one warm parent; the work happens in the sandboxes' processes, and
nowhere for what the cache knows. Results come in the order of the students' names, whatever the number of jobs.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat

from autograder.files import tidy
from autograder.grading.cache import Cache, content, unchanged
from autograder.grading.feedback import Feedback, Kind, plain
from autograder.grading.grade import grade
from autograder.grading.key import Key
from autograder.grading.observe import FILE as OBSERVERS
from autograder.grading.observe import load_observers, without_observers
from autograder.grading.sharing import Sharing
from autograder.grading.spill import Spill
from autograder.grading.submission import Submission, Unreadable, find_notebook, read_submission
from autograder.grading.verdict import QuestionVerdict, Status, Verdict, broken, by_hand, compact, unreadable
from autograder.sandbox.isolation import choose
from autograder.sandbox.sandbox import Limits, Sandbox
from autograder.sandbox.warm import WarmParent


@dataclass(frozen=True)
class Job:
    """What every submission of an assignment is graded with, and how; see `Sandbox` for most."""

    key: Key
    skeleton: nbformat.NotebookNode
    files: tuple[Path, ...]  # what the release ships beside the notebook
    limits: Limits
    isolation: str = "auto"
    hidden: tuple[Path, ...] = ()  # directories that student code must not see, wherever they lie
    cache: Path | None = None  # where verdicts are kept
    share: bool = True  # among students whose answers are the same
    feedback: Feedback = Feedback()  # what students are told of their mistakes

    @functools.cached_property
    def observers(self) -> ModuleType | None:
        """The trusted half of the assignment's own probes: the release ships it, a sandbox does not hold it."""
        return next((load_observers(file.parent) for file in self.files if file.name == OBSERVERS), None)

    @property
    def inside(self) -> list[Path]:
        """What every scratch directory holds."""
        return without_observers(self.files)

    def warm(self, isolation: str, meanwhile: Callable[[], None] = lambda: None) -> WarmParent:
        """What its workers are forked from, behind such walls."""
        return WarmParent(self.inside, isolation, self.hidden, self.key.forbid, meanwhile)

    def kept(self, isolation: str) -> Cache:
        """What is known of verdicts from behind such walls."""
        return Cache(self.cache, self.key, self.files, self.limits, isolation)


def find_submissions(folder: Path, assignment: str) -> tuple[list[tuple[str, Path]], list[str]]:
    """Students with a directory `folder/STUDENT/assignment`, by name, and those without one."""
    students = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    handed_in = [(path.name, path / assignment) for path in students if (path / assignment).is_dir()]
    return handed_in, [path.name for path in students if not (path / assignment).is_dir()]


def grade_all(submissions: list[tuple[str, Path]], job: Job, jobs: int = 1,
              done: Callable[[Verdict], None] = lambda verdict: None,
              begin: Callable[[str], None] = lambda student: None,
              meanwhile: Callable[[], None] = lambda: None) -> list[Verdict]:
    """Grade submissions, `jobs` at a time.

    Args:
        submissions: (student, directory) pairs.
        done, begin: called after and before each one, from the thread that grades it.
        meanwhile: called while the sandbox starts, if it has to: a time in which this process has nothing else to do.
    Returns:
        A verdict for every submission, in the order given. After Ctrl-C, those that were ready.
    """
    isolation = choose(job.isolation)
    tidy()  # of an unchanged class no worker is started, which would
    told = {student: job.feedback.of(job.key.assignment, student) for student, _ in submissions}
    several = job.share and len(submissions) > 1
    graders = {}  # by what students are told
    for kind in set(told.values()):
        own = job_for(job, kind)
        graders[kind] = own, own.kept(isolation), Sharing() if several else None
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    for item in enumerate(submissions):
        waiting.put(item)
    verdicts: dict[int, Verdict] = {}
    spill = Spill()
    known: dict[Any, Any] = {}  # parts of verdicts
    stop = threading.Event()

    ended: queue.SimpleQueue = queue.SimpleQueue()

    def work():
        try:
            grade_waiting()
        finally:
            ended.put(None)

    def grade_waiting():
        with Sandbox(parent, job.limits) as sandbox:
            while not stop.is_set():
                try:
                    number, (student, folder) = waiting.get_nowait()
                except queue.Empty:
                    return
                begin(student)
                work, cache, sharing = graders[told[student]]
                verdict = compact(grade_one(student, folder, work, sandbox, cache, sharing), known)
                verdicts[number] = replace(verdict, outputs=spill.keep(verdict.outputs), feedback=told[student])
                del verdict  # and with it the outputs, while the next one is read
                done(verdicts[number])

    with job.warm(isolation, meanwhile) as parent:
        threads = [threading.Thread(target=work) for _ in range(max(1, min(jobs, len(submissions))))]
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:  # to join a thread would not do: one that is interrupted in it takes the thread for ended (Python 3.11)
            try:
                ended.get()
                running -= 1
            except KeyboardInterrupt:
                stop.set()  # what is being graded is finished, nothing new is begun
    return [verdicts[number] for number in sorted(verdicts)]


def job_for(job: Job, kind: str) -> Job:
    """The job with the key, and the cache, for students who are told so much: one of `feedback.Kind`."""
    return replace(job, key=plain(job.key), cache=job.cache and job.cache / Kind.PLAIN) if kind == Kind.PLAIN else job


def grade_one(student: str, folder: Path, job: Job, sandbox: Sandbox, cache: Cache, sharing: Sharing | None = None) -> Verdict:
    """Grade one student's directory; whatever happens, there is a verdict."""
    found = read_one(student, folder, job)
    if isinstance(found, Verdict):
        return found
    known = recall(found, job, cache)
    if isinstance(known, Verdict):
        return replace(known, content=content(found))
    verdict, keep = run_one(found, job, sandbox, known, sharing)
    if keep:
        cache.save(found, verdict)
    return verdict


def read_one(student: str, folder: Path, job: Job) -> Submission | Verdict:
    """The submission in a student's directory; the verdict on it where it cannot be read."""
    try:
        path, notes = find_notebook(folder, job.key.notebook)
        return read_submission(path, job.skeleton, student, notes)
    except Unreadable as error:
        return unreadable(student, job.key, str(error))
    except Exception as error:  # a notebook that we fail to read is our fault until shown otherwise
        return broken(student, job.key, f"reading the notebook failed ({type(error).__name__}: {error})")


def recall(submission: Submission, job: Job, cache: Cache) -> Verdict | dict[str, QuestionVerdict]:
    """The verdict on a submission where the cache knows it; else the verdicts of those questions that it knows."""
    key, found = job.key, cache.load(submission)
    known = unchanged(key.questions, found)
    if not job.share:
        known = {name: verdict for name, verdict in known.items() if not verdict.closure}
    if found and len(known) == len(key.questions):
        questions = tuple(known[question.name] for question in key.questions)
        return replace(found, max_score=key.max_score, questions=questions + by_hand(key))
    return known


def run_one(submission: Submission, job: Job, sandbox: Sandbox, known: dict[str, QuestionVerdict],
            sharing: Sharing | None) -> tuple[Verdict, bool]:
    """Grade a submission, as far as it is not known; whatever happens, there is a verdict. And whether a cache may keep it."""
    for attempt in (1, 2):  # what fails on our side is tried once more, in a fresh worker
        try:
            verdict = grade(submission, job.key, sandbox, known, job.observers, sharing)
        except Exception as error:
            problem = f"grading failed ({type(error).__name__}: {error})"
            verdict = replace(broken(submission.student, job.key, problem), notes=submission.notes)
        graded = all(question.status != Status.UNGRADED for question in verdict.questions)
        if graded:
            break
        if attempt == 1:
            sandbox.kill()
    return replace(verdict, content=content(submission)), graded and attempt == 1
