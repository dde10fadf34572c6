"""A build on many machines: Dask carries cases to workers that have the course's sources, and what is found of them back.

The sources, the secret among what a task names, and the tasks are the instructor's own; what comes back is read as bytes of
`inside.wire`. A worker has one case at a time, and one that dies is replaced, if its cluster does that: the case goes elsewhere.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, get_worker
from distributed import TimeoutError as Late

from autograder.authoring.answers import Findings, listed, named
from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import ROOMS, ready, student_files
from autograder.authoring.course import Course
from autograder.files import Scratch
from autograder.grading.cluster import LOOK_SECONDS, ClusterError, Place, Workers, connected, prepared
from autograder.grading.remote import Prepared
from autograder.inside import wire

NAME = "autograder-build"  # of the plugin, and of what a worker has one of while it computes nothing


CHANGED = threading.Lock()  # the working directory, which workers that are threads of one process share


class Author(Prepared):
    """The sources of lessons in a worker, which has loaded TensorFlow.

    Args:
        sources: by path below the course's root.
    """

    rooms = ROOMS

    def __init__(self, sources: dict[str, bytes], local: bool):
        super().__init__(NAME, local)
        self.sources, self.has_data = sources, any(name.startswith("data/") for name in sources)

    async def setup(self, worker) -> None:
        await super().setup(worker)
        if not self.statement.refusal:
            await worker.set_resources(**{NAME: 1})  # Dask gives cases to who has it

    def _start(self) -> str:
        self.root = Path(self.held.enter_context(Scratch()))
        for name, content in self.sources.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        ready()
        return ""

    def find(self, work: Findings, task) -> bytes:
        """What `Findings` gives, or the sentence with which it refuses."""
        return self.thread.submit(self._find, work, task).result()

    def _find(self, work: Findings, task) -> bytes:
        try:
            with CHANGED, contextlib.chdir(self.root) if self.has_data else contextlib.nullcontext():  # where lessons look for it
                return wire.pack({"found": listed(work.elsewhere(self.root)(task))})
        except DeclarationError as error:
            return wire.pack({"refused": str(error)})


def find(work: Findings, task) -> bytes:
    """The one task that a cluster is given."""
    plugin = get_worker().plugins[NAME]
    assert isinstance(plugin, Author)
    return plugin.find(work, task)


@contextlib.contextmanager
def spread(place: Place, course: Course, assignments: list[str], say: Callable[[str], None]) -> Iterator[Callable]:
    """A `run` for `build.start`, as that of `build.processes`, on a cluster, which is not even started where nothing has changed.

    Args:
        say: told, a sentence each, which workers are refused.
    Raises (while what `run` gives is waited for):
        ClusterError: the cluster cannot be had, or not any more; what was found is kept.
    """
    with contextlib.ExitStack() as stack:
        begun: list[tuple[Client, Workers]] = []

        def begin() -> tuple[Client, Workers]:
            if not begun:
                client = stack.enter_context(connected(place))
                stack.enter_context(prepared(client, Author(_sources(course, assignments), local=bool(place.processes))))
                begun.append((client, Workers(client, NAME, place, threading.Event(), say)))
            return begun[0]

        def run(work: Findings, tasks) -> Iterator[Any]:
            client, workers = begin()
            futures = [client.submit(find, work, task, pure=False, resources={NAME: 1}) for task in tasks]
            return (_result(future, workers) for future in futures)

        yield run


def _sources(course: Course, assignments: list[str]) -> dict[str, bytes]:
    files = {course.root / "course.toml"}
    for name in assignments:
        files |= {*course.solution(name).glob("*.py"), *student_files(course, name)}
    return {path.relative_to(course.root).as_posix(): path.read_bytes() for path in files}


def _result(future: Future, workers: Workers) -> dict[str, Any] | None:
    """What was found of a case; None where it ended the processes that computed it."""
    while True:
        try:
            data = future.result(timeout=LOOK_SECONDS)
            break
        except Late:
            workers.workers()
        except KilledWorker:
            return None
        except CancelledError:
            workers.look()
            raise ClusterError("the cluster gave a case up") from None
    future.release()
    try:
        reply = wire.unpack(data)
        if "refused" not in reply:
            return named(reply["found"])
    except (wire.WireError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ClusterError(f"a worker gave no findings ({type(error).__name__})") from None
    raise DeclarationError(str(reply["refused"]))
