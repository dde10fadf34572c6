"""What a worker of a cluster does: keeps a warm sandbox, and grades what arrives as bytes, which it gives back as bytes.

What a submission or its verdict holds travels as JSON in those bytes, and is read type by type: nobody unpickles anything of it.
What the grading of a whole class needs (the key, what the release ships) comes once, with the plugin, which is the instructor's.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from distributed import WorkerPlugin, get_worker

from autograder.files import Scratch
from autograder.grading import key as keys
from autograder.grading.batch import Job, job_for, run_one
from autograder.grading.cache import DECIDE, code_and_releases, digest
from autograder.grading.feedback import Kind
from autograder.grading.sharing import Sharing
from autograder.grading.submission import Submission
from autograder.grading.verdict import QuestionVerdict, Verdict
from autograder.grading.versions import WORDS, installed
from autograder.inside.protocol import plain, typed
from autograder.inside.wire import MAX_FRAME, WireError
from autograder.sandbox.isolation import obstacle
from autograder.sandbox.sandbox import Limits, Sandbox

NAME = "autograder"  # of the plugin: a cluster grades one assignment at a time


@dataclass(frozen=True)
class Work:
    """What an assignment's submissions are graded with, as it goes to every worker once.

    Attributes:
        key: the hidden key's file.
        skeleton: the released notebook, as JSON.
        files: what the release ships beside it, by name.
        hidden: directories of the course, which a worker may have, too.
    """

    key: bytes
    skeleton: str
    files: dict[str, bytes]
    limits: Limits
    isolation: str
    hidden: tuple[str, ...]
    share: bool

    @functools.cached_property
    def digest(self) -> str:
        """What a request names it by."""
        return digest(repr(self))


@dataclass(frozen=True)
class Request:
    """A submission to grade. `work` is the digest of what it is to be graded with; `known` needs not be found again."""

    work: str
    submission: Submission
    kind: str
    known: dict[str, QuestionVerdict]


@dataclass(frozen=True)
class Reply:
    """A verdict, and whether it may be kept; None where the worker grades other work by now."""

    verdict: Verdict | None
    keep: bool = False


@dataclass(frozen=True)
class Statement:
    """What a worker says of itself: whether it has made itself ready, and what keeps it from grading."""

    ready: bool
    refusal: str = ""


def pack(value: Any) -> bytes:
    """A dataclass of this module as bytes."""
    return json.dumps(plain(value)).encode()


def unpack(data: Any, kind: type) -> Any:
    """The inverse of `pack`.

    Raises:
        WireError: it is something else, or larger than anything honest.
    """
    if not isinstance(data, bytes) or len(data) > MAX_FRAME:
        raise WireError(f"expected the bytes of a {kind.__name__}")
    try:
        return typed(json.loads(data), kind)
    except (ValueError, RecursionError) as error:
        if isinstance(error, WireError):
            raise
        raise WireError(f"the bytes of a {kind.__name__} cannot be read ({type(error).__name__})") from None


class Prepared(WorkerPlugin):
    """What makes a worker ready, on a thread that lives as long as the worker does, and states what keeps it from its work.

    Made in the main process, whose releases and code (`rooms` of it) a worker must have, too.

    Args:
        name: of the plugin.
        local: the worker is a process of a cluster that the main process has started.
    """

    rooms: tuple[str, ...]  # whose code decides what a worker gives back

    def __init__(self, name: str, local: bool):
        self.name, self.local, self.statement = name, local, Statement(False)
        self.releases, self.code = installed(), self.deciding()

    @classmethod
    def deciding(cls) -> str:
        """A digest of the code and the releases that decide here."""
        return digest(code_and_releases(cls.rooms))

    async def setup(self, worker) -> None:
        """Make ready. What goes wrong is stated, not raised: that costs this worker its part in the work, and nobody else."""
        if self.local:  # started by a terminal whose Ctrl-C is the main process's: what is being done is finished
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.thread = concurrent.futures.ThreadPoolExecutor(1)
        self.held = contextlib.ExitStack()
        self.statement = Statement(True, await self._do(self._begin))

    async def teardown(self, worker) -> None:
        """End what holds on to anything."""
        await self._do(self.held.close)
        self.thread.shutdown(wait=False)

    async def _do(self, what):
        return await asyncio.get_running_loop().run_in_executor(self.thread, what)

    def _begin(self) -> str:
        here = installed()
        if other := [name for name in here if here[name] != self.releases.get(name)]:
            expected, found = (", ".join(f"{WORDS.get(name, name)} {of.get(name) or 'missing'}" for name in other)
                               for of in (self.releases, here))
            return f"expected {expected}, as where the command was started. Found: {found}."
        if self.code != self.deciding():
            return "its code of the kit is another than where the command was started."
        return self._start()

    def _start(self) -> str:
        """Make ready; a sentence where that cannot be."""
        raise NotImplementedError


class Grader(Prepared):
    """A warm sandbox in a worker, for one submission at a time."""

    rooms = DECIDE

    def __init__(self, work: Work, local: bool):
        super().__init__(NAME, local)
        self.work = work

    def grade(self, request: Request) -> Reply:
        """Grade one submission; called from any thread."""
        return self.thread.submit(self._grade, request).result()

    def _start(self) -> str:
        work = self.work
        if (problem := obstacle(work.isolation)) is not None:
            return f"expected isolation {work.isolation}: {problem}."
        try:
            job = self._unpacked(Path(self.held.enter_context(Scratch())))
            self.graders = {kind: (job_for(job, kind), Sharing() if job.share else None) for kind in Kind}
            self.sandbox = self.held.enter_context(Sandbox(self.held.enter_context(job.warm(work.isolation)), work.limits))
            self.sandbox.start()
        except Exception as error:
            return f"its sandbox does not start ({type(error).__name__}: {error})."
        return ""

    def _unpacked(self, folder: Path) -> Job:
        """The work, with the release's files in `folder`."""
        work, place = self.work, folder / "key.npz"
        place.write_bytes(work.key)
        key = keys.load(place)
        place.unlink()  # nothing needs to lie about
        for name, content in work.files.items():
            (folder / name).write_bytes(content)
        return Job(key, nbformat.reads(work.skeleton, as_version=4), tuple(folder / name for name in work.files), work.limits,
                   work.isolation, tuple(map(Path, work.hidden)), None, work.share)

    def _grade(self, request: Request) -> Reply:
        job, sharing = self.graders[Kind(request.kind)]
        return Reply(*run_one(request.submission, job, self.sandbox, request.known, sharing))


def grade_frame(frame: bytes) -> bytes:
    """Grade a packed request: the one task that a cluster is given."""
    request = unpack(frame, Request)
    plugin = get_worker().plugins.get(NAME)
    if not isinstance(plugin, Grader) or plugin.work.digest != request.work:
        return pack(Reply(None))
    return pack(plugin.grade(request))


def state(name: str, dask_worker) -> bytes:
    """A worker's packed statement, as the plugin of this name has it."""
    plugin = dask_worker.plugins.get(name)
    return pack(plugin.statement if plugin else Statement(False))
