"""The warm parent from outside: one process that has imported TensorFlow, from which every job takes its worker.

Importing takes seconds, a worker from here some hundredths of one, and what was imported is in memory once for all of them. A
worker that a submission has harmed is thrown away for another.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from autograder.files import Scratch
from autograder.inside import wire
from autograder.inside.protocol import Begin, Begun, Ready, Reap, Reaped, numbered, read
from autograder.sandbox import isolation as walls
from autograder.sandbox.meter import Meter, found_below, memory_of

START_SECONDS = 120  # to import TensorFlow on a busy machine
CLOSE_SECONDS = 20


class SandboxError(RuntimeError):
    """The sandbox itself does not work: our fault, never the student's."""


class Line:
    """Numbered requests to a process of ours, and its replies."""

    def __init__(self, channel: socket.socket):
        self.channel, self.number = channel, 0

    def ask(self, request: Any, kind: type, passed: socket.socket | None = None) -> Any:
        """The reply.

        Args:
            passed: a channel that the request takes with it.
        Raises:
            TimeoutError, EOFError, OSError, wire.WireError: there is none, or not the right one.
        """
        self.number += 1
        frame = wire.pack(numbered(self.number, request))
        self.channel.settimeout(CLOSE_SECONDS)
        sent = socket.send_fds(self.channel, [frame], [passed.fileno()]) if passed is not None else 0
        self.channel.sendall(frame[sent:])
        reply = read(wire.receive(self.channel, CLOSE_SECONDS), self.number, kind)[1]
        if isinstance(request, Reap) and reply.pid != request.pid:
            raise wire.WireError("the end of another process was reported")
        return reply


@dataclass(frozen=True)
class Worker:
    """A worker: its process id as the warm parent sees it, its line, what measures its submissions, and whose it is."""

    pid: int
    line: Line
    meter: Meter
    of: subprocess.Popen

    @property
    def alive(self) -> bool:
        """Between two requests: a line on which anything can be read then has ended."""
        return self.of.poll() is None and not wire.readable(self.line.channel, 0)


class WarmParent:
    """Starts when the first worker is asked for. Use it as a context manager, from any thread.

    Args:
        files: what every scratch directory holds, read-only: the files that the release ships.
        isolation: "bubblewrap", "landlock", "process", or "auto" for the strongest that this machine offers.
        hidden: directories that must not be seen, wherever they lie: the course.
        forbid: patterns of what questions rule out: what they name is loaded once for everybody, and ready to be looked for.
        meanwhile: called while the warm parent imports what it needs, which takes a processor some seconds.
    Raises:
        isolation.IsolationError: the isolation asked for is not to be had.
    """

    def __init__(self, files: Sequence[Path] = (), isolation: str = "auto", hidden: tuple[Path, ...] = (),
                 forbid: tuple[str, ...] = (), meanwhile: Callable[[], None] = lambda: None):
        self.files, self.hidden, self.forbid, self.meanwhile = list(files), tuple(hidden), tuple(forbid), meanwhile
        self.isolation = walls.choose(isolation)
        self.readable: tuple[str, ...] = ()  # by a submission behind Landlock
        self.process: subprocess.Popen | None = None  # bubblewrap, or the warm parent itself
        self.workers: set[int] = set()
        self._lock = threading.RLock()
        self._starter = ThreadPoolExecutor(1)  # bubblewrap ends with the thread that has started it

    def __enter__(self) -> WarmParent:
        return self

    def __exit__(self, *_):
        self.stop()
        self._starter.shutdown()

    def start(self) -> None:
        """Wait until everything is imported; does nothing when it runs already.

        Raises:
            SandboxError: it does not start.
        """
        with self._lock:
            self._starter.submit(self._start).result()

    def stop(self) -> None:
        """End it, and with it all workers and what they started."""
        with self._lock:
            self._starter.submit(self._stop).result()

    def begin(self) -> Worker:
        """A new worker.

        Raises:
            SandboxError: the warm parent does not start.
            TimeoutError, EOFError, OSError, wire.WireError: it does not answer; the next call starts another.
        """
        with self._lock:
            self.start()
            assert self.process is not None
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    pid = self._line.ask(Begin(), Begun, theirs).pid
            except (TimeoutError, EOFError, OSError, wire.WireError):
                ours.close()
                self.kill()
                raise
            self.workers.add(pid)
            return Worker(pid, Line(ours), Meter(self._seen(pid), self.warm_bytes, self.workers, self._confined), self.process)

    def end(self, worker: Worker) -> None:
        """End a worker at once, and all that it has started."""
        worker.line.channel.close()
        with self._lock:
            if worker.of is self.process:  # or it has ended with its parent
                self.workers.discard(worker.pid)
                try:
                    self._line.ask(Reap(worker.pid), Reaped)
                except (TimeoutError, EOFError, OSError, wire.WireError):
                    self.kill()

    def kill(self) -> None:
        """End it at once, with everything in it, because it cannot be relied on."""
        with self._lock:
            if self.process is not None:
                if not self._confined:
                    _kill_below(self.process.pid)
                with contextlib.suppress(OSError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.stop()

    @property
    def _confined(self) -> bool:
        return self.isolation == "bubblewrap"

    def _seen(self, pid: int) -> int:
        """The process id, as it is outside, of one that the warm parent sees under this number."""
        assert self.process is not None
        return (found_below(self.process.pid, (pid,)) or -1) if self._confined else pid

    def _start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        self._stop()
        self._scratch = Scratch()
        self.root = self._scratch.path
        self.release = Path(self.root, "release")
        self.release.mkdir(0o755)
        for file in self.files:
            os.chmod(shutil.copy(file, self.release), 0o444)
        control, theirs = socket.socketpair()
        self._line = Line(control)
        home = "/tmp" if self._confined else self.root
        environment = {"PATH": os.defpath, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8",
                       "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1",
                       "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1",
                       "KERAS_BACKEND": "tensorflow", "MPLBACKEND": "Agg", "MPLCONFIGDIR": home,
                       "IPYTHONDIR": home, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        arguments = (str(theirs.fileno()), *self.forbid)
        if self.isolation == "process":
            command = [sys.executable, "-I", "-m", "autograder.inside.parent", *arguments]
        elif self.isolation == "landlock":
            kit = walls.copy_kit(Path(self.root, "kit"))
            self.readable = walls.readable(kit, self.hidden)
            command = [sys.executable, "-I", "-c", walls.boot(str(kit), "parent", "main"), *arguments]
        else:
            code = walls.boot(walls.KIT, "parent", "behind_bubblewrap")
            command = walls.bubblewrap(self.release, code, environment, arguments, self.hidden)
        log = Path(self.root, "start.log")
        with theirs, open(log, "wb") as errors:
            # What it says while it starts; student code never has this descriptor (see confine.silence).
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, cwd=self.root, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        self.meanwhile()
        try:
            ready = read(wire.receive(control, START_SECONDS), 0, Ready)[1]
            self.warm_bytes = memory_of(self._seen(ready.pid)) or 0.0  # its pages are shared with all that is forked
        except (TimeoutError, EOFError, wire.WireError) as error:
            said = log.read_text(errors="replace").strip().splitlines()
            self._stop()
            last = said[-1] if said else "it said nothing"
            raise SandboxError(f"the worker did not start ({type(error).__name__}): {last}") from None

    def _stop(self) -> None:
        if self.process is None:
            return
        self._line.channel.close()  # it ends its workers and itself when its channel closes
        try:
            self.process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None
        self.workers.clear()
        self._scratch.remove()


def _kill_below(parent: int) -> None:
    """End what the warm parent started, where no namespace ends with it: while it lives, it is the parent of all that is
    orphaned."""
    for _ in range(50):  # what forks while it is being killed is caught in the next round
        found = []
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(parent).children(recursive=True)
        alive = 0
        for process in found:
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()
                    alive += 1
        if not alive:
            return
