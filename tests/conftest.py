"""Shared fixtures: the real course built once for all test processes, and a tiny course to break."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import io
import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"  # as in the sandbox; tests run side by side
os.environ["MPLBACKEND"] = "Agg"
os.environ.pop("AUTOGRADER_SECRET", None)

import pytest
from clone import copy_course

from autograder.authoring.course import Course, find_course
from autograder.grading.batch import Job
from autograder.grading.key import SECRET_FILE
from autograder.grading.observe import load_observers, tried
from autograder.inside.probes import AnswerError
from autograder.sandbox.isolation import choose, obstacle
from autograder.sandbox.sandbox import Limits, Sandbox
from autograder.sandbox.warm import WarmParent

ROOT = Path(__file__).resolve().parents[1]
PARENTS: dict[tuple, WarmParent] = {}  # by their walls, what these hide, and what is looked for
ASSIGNMENTS = sorted(path.parent.name for path in (ROOT / "solutions").glob("*/questions.py"))

# What holds behind bubblewrap's walls holds of a plain process: there it is tried again in the corpora, or where there are no such walls.
PROCESS = pytest.param("process", marks=[pytest.mark.corpus] if obstacle() is None else [])
needs_bubblewrap = pytest.mark.skipif(obstacle() is not None, reason=f"bubblewrap cannot isolate here: {obstacle()}")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_configure():
    gc.disable()  # until everything is imported: looking for garbage among what stays is a tenth of the time


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A directory that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def built(shared):
    """`built(assignment)` -> a copy of this course with the assignment built, by whichever test process asks first."""
    from autograder.authoring.build import build, ready

    root = shared / "course"
    with first_to(root) as mine:
        if mine:
            copy_course(root)
            (root / SECRET_FILE).write_text("the same hidden cases in every run of the tests\n")

    def get(assignment: str) -> Course:
        with first_to(shared / f"course-{assignment}") as mine:
            if mine:
                ready()
                build(find_course(root), assignment)
        return find_course(root)

    return get


@pytest.fixture
def course(built, assignment) -> Course:
    """The course with the test's assignment built."""
    return built(assignment)


def pytest_sessionfinish():
    for parent in PARENTS.values():
        parent.stop()


@contextlib.contextmanager
def warm_parent(files=(), isolation="auto", hidden=(), forbid=()):
    """A warm parent of this process's, which outlives its use: most of what a small class takes is the start of one."""
    holds = choose(isolation), tuple(hidden), tuple(forbid)
    parent = PARENTS.setdefault(holds, WarmParent((), *holds))
    parent.files = list(files)  # of the next one, when a test ends this one
    parent.start()
    there = {file.name: file.read_bytes() for file in parent.release.iterdir()}
    if there != {file.name: file.read_bytes() for file in files}:  # which others may be reading
        for name in there:
            (parent.release / name).unlink()
        for file in files:
            os.chmod(shutil.copy(file, parent.release), 0o444)
    yield parent


@contextlib.contextmanager
def sandboxed(files=(), limits=None, isolation="auto", hidden=(), forbid=()):
    """A sandbox of such a warm parent."""
    with warm_parent(files, isolation, hidden, forbid) as parent, Sandbox(parent, limits or Limits()) as sandbox:
        yield sandbox


def warm_job(job, isolation, meanwhile=None):
    """Such a warm parent in place of `Job.warm`'s."""
    return warm_parent(job.inside, isolation, (), job.key.forbid)


@pytest.fixture
def warm(monkeypatch):
    """Whoever grades a job takes such a warm parent."""
    monkeypatch.setattr(Job, "warm", warm_job)


class Done(NamedTuple):
    """What a command left: its exit status, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def autograder(*arguments, cwd: Path) -> Done:
    """A command of ours, in this process, which has imported everything already."""
    from autograder.commands.main import main

    said, complained, status = io.StringIO(), io.StringIO(), 0
    with contextlib.chdir(cwd), contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained), \
            pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["autograder", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
    return Done(status, said.getvalue(), complained.getvalue())


@contextlib.contextmanager
def first_to(place: Path):
    """Yields True to the first test process that comes here, and lets the others wait until it is done."""
    with open(f"{place}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = Path(f"{place}.done")
        yield not done.exists()
        done.touch()


def open_closed_parents(paths):
    """Shell commands that, in a mount namespace of their own, let others pass a closed directory (such as /root) to these paths alone."""
    lines = ["set -e", "mount --make-rprivate /"]
    closed = {parent for path in paths for parent in path.resolve().parents if parent.exists() and not parent.stat().st_mode & 0o001}
    for number, parent in enumerate(sorted(closed, key=lambda path: len(path.parts))):
        inside = sorted({path.resolve() for path in paths if path.exists() and path.resolve().is_relative_to(parent)},
                        key=lambda path: len(path.parts))
        inside = [path for path in inside if not any(path != other and path.is_relative_to(other) for other in inside)]
        store = f"/tmp/.closed-{os.getpid()}-{number}"
        lines += [f"mkdir -p {store}", f"mount -t tmpfs tmpfs {store}"]
        for i, path in enumerate(inside):
            lines += [f"mkdir {store}/{i}", f"mount --bind '{path}' {store}/{i}"]
        lines += [f"mount -t tmpfs -o mode=755 tmpfs '{parent}'"]
        for i, path in enumerate(inside):
            lines += [f"mkdir -p '{path}'", f"mount --bind {store}/{i} '{path}'"]
    return "\n".join(lines)


TINY_LESSON = '''
# %% [markdown]
# # Doubling

# %%
import numpy as np
import tensorflow as tf

from autograder import check

# %% [markdown]
# Double it.

# %% question="double"
def double(x):
    """Twice x.

    Args:
        x: float32 tensor (n,).
    Returns:
        float32 tensor (n,).
    """
    ### BEGIN SOLUTION
    return 2 * x  # the-secret-of-doubling
    ### END SOLUTION

# %% tags=["demo"]
print("demo", double(1))

# %% question="quadruple"
def quadruple(x):
    """Four times x, by doubling twice."""
    ### BEGIN SOLUTION
    return double(double(x))
    ### END SOLUTION
'''

TINY_QUESTIONS = '''
import tensorflow as tf

from autograder import Question, load_lesson

lesson = load_lesson(__file__)
double = Question(lesson.double)


@double.case(points=10, visible=True)
def small_numbers(rng):
    """Numbers you can double by hand."""
    return [1.0, 2.0, 5.0],


@double.case(points=40)
def random_numbers(rng):
    """Random numbers."""
    return rng.normal(size=4),


@double.misconception
def squares(x):
    """You square: add the number to itself."""
    return x * x


@double.misconception
def triples(x):
    """You triple: once too often."""
    return 3 * x


quadruple = Question(lesson.quadruple, uses=("double",))


@quadruple.case(points=10, visible=True)
def one_number(rng):
    """One number."""
    return [3.0],


@quadruple.case(points=40)
def more_numbers(rng):
    """More numbers."""
    return rng.normal(size=7),


@quadruple.misconception
def doubles_once(x):
    """You double once only."""
    return lesson.double(x)
'''


def write_tiny(root: Path, lesson: str = TINY_LESSON, questions: str = TINY_QUESTIONS, name: str = "a0_doubling") -> Course:
    """A course with one assignment of two questions."""
    folder = root / "solutions" / name
    folder.mkdir(parents=True, exist_ok=True)
    (root / "course.toml").write_text('name = "tiny"\n')
    (folder / "lesson.py").write_text(textwrap.dedent(lesson).lstrip())
    (folder / "questions.py").write_text(textwrap.dedent(questions).lstrip())
    return find_course(root)


@pytest.fixture
def tiny(tmp_path) -> Course:
    return write_tiny(tmp_path)


@pytest.fixture(scope="session")
def built_tiny(tmp_path_factory) -> Course:
    from autograder.authoring.build import build

    course = write_tiny(tmp_path_factory.mktemp("tiny"))
    build(course, "a0_doubling")
    return course


def observe(answer, probe, inputs, seed, extra=None):
    """What is compared of an answer that runs in this process; `extra` are the assignment's own probes.

    Raises:
        AnswerError: either half of the probe refused it. Or whatever the answer raises.
    """
    observers = load_observers(Path(extra.__file__).parent) if hasattr(extra, "__file__") else None
    outcome = tried(answer, probe, inputs, seed, extra, observers)
    if outcome.failure is not None:
        raise AnswerError(outcome.failure.message)
    return outcome.observation
