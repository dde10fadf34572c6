"""The trusted side of the boundary: starts workers, gives each submission a process and a directory of its own, keeps limits.

Isolation here is a *process*: own process group, scrubbed environment, empty scratch directory, wall-clock limits,
and nothing left running afterwards. It stops accidents and casual cheating, not a determined attacker of the same user account.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from autograder import wire

ISOLATION = "process"
START_SECONDS = 120  # to import TensorFlow on a busy machine
CLOSE_SECONDS = 20


@dataclass(frozen=True)
class Limits:
    """Wall-clock limits in seconds, and the size of one reply in megabytes; `[limits]` of `course.toml`."""

    cell_seconds: float = 60
    case_seconds: float = 20
    submission_seconds: float = 600
    reply_megabytes: float = 64

    @classmethod
    def from_table(cls, table: dict) -> Limits:
        """Limits from a table of `course.toml`.

        Raises:
            ValueError: an unknown name, or a value that is no positive number.
        """
        known = [field.name for field in fields(cls)]
        for name, value in table.items():
            if name not in known:
                raise ValueError(f"course.toml [limits]: expected one of {', '.join(known)}. Received: {name}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise ValueError(f"course.toml [limits] {name}: expected a number above 0. Received: {value!r}")
        return cls(**table)


class Died(Exception):
    """The process that ran a submission is gone. `status` is "timeout" or "crashed"; the message is for the student."""

    def __init__(self, status: str, message: str):
        super().__init__(message)
        self.status = status


class SandboxError(RuntimeError):
    """The sandbox itself does not work: our fault, never the student's."""


class Sandbox:
    """A warm worker that has imported TensorFlow and forks a fresh child for every submission.

    Use it as a context manager, from one thread at a time.

    Args:
        files: what every scratch directory holds, read-only: the files that the release ships.
    """

    def __init__(self, files: list[Path] = (), limits: Limits = Limits()):
        self.files, self.limits = list(files), limits
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self) -> None:
        """Start the warm worker and wait until it has imported everything; does nothing when it runs already."""
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        self._root = tempfile.mkdtemp(prefix="autograder-")
        self._control, theirs = socket.socketpair()
        environment = {"PATH": os.defpath, "HOME": self._root, "TMPDIR": self._root, "LANG": "C.UTF-8",
                       "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1",
                       "KERAS_BACKEND": "tensorflow", "MPLBACKEND": "Agg", "MPLCONFIGDIR": self._root,
                       "IPYTHONDIR": self._root, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "autograder.worker", str(theirs.fileno())], pass_fds=[theirs.fileno()],
                env=environment, cwd=self._root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            wire.receive(self._control, START_SECONDS)
        except (TimeoutError, EOFError, wire.WireError) as error:
            code = self._process.poll()
            self.stop()
            raise SandboxError(f"the worker did not start ({type(error).__name__}, exit status {code}). Try "
                               f"`{sys.executable} -c 'import autograder.worker, tensorflow, keras, IPython'`.") from None

    def stop(self) -> None:
        """End the worker and everything it started."""
        if self._process is None:
            return
        self._control.close()  # the worker ends its children and itself when its channel closes
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None
        _remove(self._root)

    def fork(self, deadline: float) -> Child:
        """A fresh child for one submission.

        Args:
            deadline: `time.monotonic()` at which its submission's time is over.
        Raises:
            SandboxError: no worker can be had.
        """
        for attempt in (1, 2):  # a worker that was killed from outside is started once more
            self.start()
            try:
                return Child(self, deadline)
            except (EOFError, OSError, wire.WireError) as error:
                self.stop()
                if attempt == 2:
                    raise SandboxError(f"the worker is gone ({type(error).__name__})") from None
        raise AssertionError

    def _ask(self, request: dict, channel: socket.socket | None = None) -> dict:
        frame = wire.pack(request)
        if channel is None:
            self._control.sendall(frame)
        else:
            sent = socket.send_fds(self._control, [frame], [channel.fileno()])
            self._control.sendall(frame[sent:])
        return wire.receive(self._control, CLOSE_SECONDS)


class Child:
    """One submission's process; use it as a context manager."""

    def __init__(self, sandbox: Sandbox, deadline: float):
        self.sandbox, self.deadline = sandbox, deadline
        self.folder = tempfile.mkdtemp(prefix="run-", dir=sandbox._root)
        for file in sandbox.files:
            copy = shutil.copy(file, self.folder)
            os.chmod(copy, 0o444)
        self.channel, theirs = socket.socketpair()
        with theirs:
            self.pid = sandbox._ask({"fork": {"folder": self.folder}}, theirs)["pid"]
        try:
            wire.receive(self.channel, START_SECONDS)
        except (TimeoutError, EOFError, wire.WireError):
            self.close()
            raise EOFError from None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_):
        self.close()

    def run_cell(self, source: str, name: str) -> dict:
        """Run a cell: `{"output": str}`, with `"error"`, `"message"` and `"line"` when it raised.

        Raises:
            Died: it took too long, or took the process with it.
        """
        reply = self._request({"cell": source, "id": name}, self.sandbox.limits.cell_seconds)
        return _checked_error(reply) | {"output": _text(reply.get("output"), 50_000)}

    def observe(self, question: str, probe: dict, inputs: Any, seed: str) -> dict:
        """Exercise an answer: `{"observation": …}`, or `{"error": …}` when it raised.

        Raises:
            Died: as for `run_cell`.
        """
        reply = self._request({"question": question, "probe": probe, "inputs": inputs, "seed": seed},
                              self.sandbox.limits.case_seconds)
        observation = reply.get("observation")
        if isinstance(observation, dict):
            if len(observation) > 1000 or any(isinstance(value, (dict, list)) or value is None or isinstance(value, (int, float))
                                              for value in observation.values()):
                raise Died("crashed", "The reply of your code's process could not be read.")
            return {"observation": {_text(name, 80): _text(value, 120) if isinstance(value, str) else value
                                    for name, value in observation.items()}}
        return _checked_error(reply) if "error" in reply else {"error": "Unknown", "message": "", "line": None}

    def close(self) -> None:
        """End the process and all it started, and remove its directory."""
        self.channel.close()
        if self.pid is not None:
            pid, self.pid = self.pid, None
            with contextlib.suppress(EOFError, OSError, wire.WireError):  # a dead worker took its children with it
                self.exit = self.sandbox._ask({"reap": pid})["exit"]
        _remove(self.folder)

    def _request(self, request: dict, seconds: float) -> dict:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Died("timeout", f"The whole submission took longer than {self.sandbox.limits.submission_seconds:g} s.")
        try:
            self.channel.settimeout(seconds)
            wire.send(self.channel, request)
            reply = wire.receive(self.channel, min(seconds, left), int(self.sandbox.limits.reply_megabytes * 2**20))
            if not isinstance(reply, dict):
                raise wire.WireError("not a reply")
            return reply
        except TimeoutError:
            what = f"It took longer than {seconds:g} s" if left > seconds else \
                f"The whole submission took longer than {self.sandbox.limits.submission_seconds:g} s"
            raise Died("timeout", f"{what} and was stopped.") from None
        except wire.WireError as error:
            raise Died("crashed", f"The reply of your code's process could not be read: {error}.") from None
        except (EOFError, OSError):
            self.exit = None
            self.close()
            raise Died("crashed", f"Python ended while it ran{_how(self.exit)}.") from None


def _how(code: int | None) -> str:
    if code is None:
        return ""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f" (killed by {signal.Signals(-code).name})"
    return f" (exit status {code})"


def _text(value, limit: int) -> str:
    """Text from a student's process, without control characters that a terminal or log would obey."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value[:limit] if c.isprintable() or c in "\n\t")


def _checked_error(reply: dict) -> dict:
    if "error" not in reply:
        return {}
    return {"error": _text(reply["error"], 80), "message": _text(reply.get("message"), 300).replace("\n", " "),
            "line": _text(reply.get("line"), 120).replace("\n", " ") or None,
            "function": _text(reply.get("function"), 80), "answer_error": reply.get("answer_error") is True,
            "undefined": reply.get("undefined") is True}


def _remove(folder: str) -> None:
    """Delete a directory whatever modes its owner gave what is in it."""

    def retry(function, path, _):
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), stat.S_IRWXU)
            if not os.path.islink(path):
                os.chmod(path, stat.S_IRWXU)
            function(path)

    shutil.rmtree(folder, onerror=retry)
