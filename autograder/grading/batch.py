"""Many submissions: find them, grade them in parallel, lose none.

Each job is a thread with a sandbox of its own; the work happens in the sandboxes' processes, and nowhere for what the cache
knows. Results come in the order of the students' names, whatever the number of jobs.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

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
from autograder.grading.verdict import QuestionVerdict, Status, Verdict, broken, by_hand, shared, unreadable
from autograder.sandbox.isolation import choose
from autograder.sandbox.sandbox import Limits, Sandbox


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


def find_submissions(folder: Path, assignment: str) -> tuple[list[tuple[str, Path]], list[str]]:
    """Students with a directory `folder/STUDENT/assignment`, by name, and those without one."""
    students = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    handed_in = [(path.name, path / assignment) for path in students if (path / assignment).is_dir()]
    return handed_in, [path.name for path in students if not (path / assignment).is_dir()]


def grade_all(submissions: list[tuple[str, Path]], job: Job, jobs: int = 1,
              done: Callable[[Verdict], None] = lambda verdict: None,
              begin: Callable[[str], None] = lambda student: None) -> list[Verdict]:
    """Grade submissions, `jobs` at a time.

    Args:
        submissions: (student, directory) pairs.
        done, begin: called after and before each one, from the thread that grades it.
    Returns:
        A verdict for every submission, in the order given. After Ctrl-C, those that were ready.
    """
    isolation = choose(job.isolation)
    tidy()  # of an unchanged class no worker is started, which would
    told = {student: job.feedback.of(job.key.assignment, student) for student, _ in submissions}
    graders = {kind: grader(job, kind, isolation, len(submissions) > 1) for kind in set(told.values())}
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
        with Sandbox(job.inside, job.limits, isolation, job.hidden, job.key.forbid) as sandbox:
            while not stop.is_set():
                try:
                    number, (student, folder) = waiting.get_nowait()
                except queue.Empty:
                    return
                begin(student)
                work, cache, sharing = graders[told[student]]
                verdict = shared(grade_one(student, folder, work, sandbox, cache, sharing), known)
                verdicts[number] = replace(verdict, outputs=spill.keep(verdict.outputs), feedback=told[student])
                del verdict  # and with it the outputs, while the next one is read
                done(verdicts[number])

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


def grader(job: Job, kind: str, isolation: str, several: bool) -> tuple[Job, Cache, Sharing | None]:
    """What the submissions of students are graded with who are told so much."""
    if kind == Kind.PLAIN:
        job = replace(job, key=plain(job.key), cache=job.cache and job.cache / Kind.PLAIN)
    return job, Cache(job.cache, job.key, job.files, job.limits, isolation), Sharing() if job.share and several else None


class Kept(Protocol):
    """What knows verdicts of submissions: a `Cache`, or what stands for it."""

    def load(self, submission: Submission) -> Verdict | None: ...

    def save(self, submission: Submission, verdict: Verdict) -> None: ...


def grade_one(student: str, folder: Path, job: Job, sandbox: Sandbox, cache: Cache, sharing: Sharing | None = None) -> Verdict:
    """Grade one student's directory; whatever happens, there is a verdict."""
    found = read_one(student, folder, job)
    return found if isinstance(found, Verdict) else grade_read(found, job, sandbox, cache, sharing)


def read_one(student: str, folder: Path, job: Job) -> Submission | Verdict:
    """The submission in a student's directory; the verdict on it where it cannot be read."""
    try:
        path, notes = find_notebook(folder, job.key.notebook)
        return read_submission(path, job.skeleton, student, notes)
    except Unreadable as error:
        return unreadable(student, job.key, str(error))
    except Exception as error:  # a notebook that we fail to read is our fault until shown otherwise
        return broken(student, job.key, f"reading the notebook failed ({type(error).__name__}: {error})")


def grade_read(submission: Submission, job: Job, sandbox: Sandbox, cache: Kept, sharing: Sharing | None = None) -> Verdict:
    """Grade a submission; whatever happens, there is a verdict."""
    for attempt in (1, 2):  # what fails on our side is tried once more, in a fresh worker
        try:
            verdict = grade_submission(submission, job, sandbox, cache, sharing, keep=attempt == 1)
        except Exception as error:
            problem = f"grading failed ({type(error).__name__}: {error})"
            verdict = replace(broken(submission.student, job.key, problem), notes=submission.notes)
        if all(question.status != Status.UNGRADED for question in verdict.questions):
            break
        if attempt == 1:
            sandbox.kill()
    return replace(verdict, content=content(submission))


def grade_submission(submission: Submission, job: Job, sandbox: Sandbox, cache: Kept, sharing: Sharing | None = None,
                     keep: bool = True) -> Verdict:
    """Grade a submission, as far as the cache does not know it; `keep` puts what is found into the cache."""
    known = recall(submission, job, cache)
    if isinstance(known, Verdict):
        return known
    verdict = grade(submission, job.key, sandbox, known, job.observers, sharing)
    if keep:
        cache.save(submission, verdict)
    return verdict


def recall(submission: Submission, job: Job, cache: Kept) -> Verdict | dict[str, QuestionVerdict]:
    """The verdict on a submission where the cache knows it; else the verdicts of those questions that it knows."""
    key, found = job.key, cache.load(submission)
    known = unchanged(key.questions, found)
    if not job.share:
        known = {name: verdict for name, verdict in known.items() if not verdict.closure}
    if found and len(known) == len(key.questions):
        questions = tuple(known[question.name] for question in key.questions)
        return replace(found, max_score=key.max_score, questions=questions + by_hand(key))
    return known
