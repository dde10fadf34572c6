"""The trusted side of the boundary: gives each submission a process and a directory of its own, and keeps limits.

How strong the walls are is `isolation`'s choice. Whatever it is, there are limits on time, memory, processes, output and
replies, and nothing that a submission started runs afterwards.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import enum
import os
import shutil
import signal
import socket
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from typing import Any

from autograder.files import remove_tree
from autograder.inside import wire
from autograder.inside.confine import MAX_FILES, SCRATCH
from autograder.inside.protocol import (
    MAX_LINE,
    MOST_VALUES,
    SIGNS,
    STATES,
    CellDone,
    Exercise,
    Exercised,
    Failure,
    Fork,
    Forked,
    Inspect,
    Inspected,
    Outcome,
    Probe,
    Ready,
    Reap,
    Reaped,
    RunCell,
    Use,
    numbered,
    read,
)
from autograder.sandbox.meter import Usage, written_below
from autograder.sandbox.warm import START_SECONDS, SandboxError, WarmParent, Worker

INSPECT_SECONDS = 10  # of processor time, to read a notebook's source for what is ruled out
POLL_SECONDS = 0.25  # between two looks at what a submission uses
MOST_UNMEASURED = 3  # looks in a row at a submission's memory that do not come to an end
MAX_OUTPUTS = 10 * 2**20  # characters of all the text and pictures of a submission that are kept
MAX_PICTURES = 100  # of a submission
MOST_NAMES = 1000  # that a cell defines or deletes
MOST_DROPPED = 10**9  # characters or pictures of a cell; more is no count
PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


@dataclass(frozen=True)
class Limits:
    """What a submission may use; `[limits]` of `course.toml`.

    Attributes:
        cell_seconds, case_seconds, submission_seconds: processor seconds of one cell, one call of an answer, and everything; and
            as many seconds of standing still, in which it neither runs nor waits for a processor that others have.
        memory_megabytes: beyond what the warm parent holds already.
        scratch_megabytes: files that a submission writes, in each of its scratch directory, /tmp and /dev/shm.
        processes: processes and threads at a time.
        output_characters: kept of what one cell prints; the rest is counted.
        reply_megabytes: what an answer may return.
    """

    cell_seconds: float = 60
    case_seconds: float = 20
    submission_seconds: float = 600
    memory_megabytes: float = 2048
    scratch_megabytes: float = 256
    processes: float = 256
    output_characters: float = 20_000
    reply_megabytes: float = 16

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


class End(enum.Enum):
    """How a submission's process can come to its end: all that may be said of it where the student could choose the rest."""

    SIGNALLED = "A signal ended Python while it ran."
    EXITED = "Python ended while it ran."
    SLOW = "It used too much processor time and was stopped."
    STILL = "It stood still for too long and was stopped."
    LATE = "The whole submission took too much time and was stopped."
    HUNGRY = "It used too much memory and was stopped."
    CROWDED = "It started too many processes and was stopped."
    FULL = "It wrote too many or too large files and was stopped."
    UNMEASURED = "Its memory could not be measured. It was stopped."
    UNREADABLE = "Its process did not survive this case."
    NOT_RUN = "Not run: other cases did not end well."


class Died(Exception):
    """The process that ran a submission is gone: `end` is how, the message says it to the student in full."""

    def __init__(self, end: End, message: str):
        super().__init__(message)
        self.end = end

    @property
    def status(self) -> str:
        """"timeout" or "crashed"."""
        return "timeout" if self.end in (End.SLOW, End.STILL, End.LATE) else "crashed"


@dataclass
class Spent:
    """Seconds that a submission has used of its processors, and stood still, in processes that have ended or been replaced."""

    cpu: float = 0.0
    still: float = 0.0


class Sandbox:
    """A worker of a warm parent, which forks a fresh child for every submission.

    Use it as a context manager, from one thread at a time.
    """

    def __init__(self, parent: WarmParent, limits: Limits = Limits()):
        self.parent, self.limits = parent, limits
        self.incidents = 0  # times that a worker had to be ended: what was graded meanwhile is not certain
        self._worker: Worker | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def isolation(self) -> str:
        """One of `isolation.LEVELS`."""
        return self.parent.isolation

    def start(self) -> Worker:
        """The worker; another one where there is none, or it has ended.

        Raises:
            SandboxError, TimeoutError, EOFError, OSError, wire.WireError: as `WarmParent.begin`.
        """
        if self._worker is None or not self._worker.alive:
            self.stop()
            self._worker = self.parent.begin()
        return self._worker

    def stop(self) -> None:
        """End the worker and everything it started."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self.parent.end(worker)

    def kill(self) -> None:
        """End the worker, because it cannot be relied on: the next fork takes another."""
        self.incidents += 1
        self.stop()

    def fork(self, spent: Spent) -> Child:
        """A fresh child for one submission.

        Args:
            spent: what the submission has used before; what the child uses is added.
        Raises:
            SandboxError: no worker can be had.
        """
        for attempt in (1, 2):  # what was killed from outside is started once more
            try:
                return Child(self, self.start(), spent)
            except (EOFError, OSError, wire.WireError) as error:
                self.stop()
                if attempt == 2:
                    raise SandboxError(f"the worker is gone ({type(error).__name__})") from None
        raise AssertionError


class Child:
    """One submission's process; use it as a context manager."""

    def __init__(self, sandbox: Sandbox, worker: Worker, spent: Spent):
        self.sandbox, self.worker, self.spent, self.exit = sandbox, worker, spent, None
        self._cpu = 0.0  # processor seconds at the last look
        self.pid = self.folder = None
        self._number, parent = 0, sandbox.parent
        self.room = Room()
        if sandbox.isolation != "bubblewrap":
            self.folder = tempfile.mkdtemp(prefix="run-", dir=parent.root)
            for file in parent.release.iterdir():
                os.chmod(shutil.copy(file, self.folder), 0o444)
        self.channel, theirs = socket.socketpair()
        job = Fork(sandbox.isolation, self.folder or SCRATCH, asdict(sandbox.limits), parent.readable)
        try:
            with theirs:
                reply = self._ask(job, Forked, theirs)
        except (TimeoutError, EOFError, OSError, wire.WireError):
            self.channel.close()
            raise
        self.pid, refused = reply.pid, reply.refused
        try:
            if self.pid is not None:
                stands = read(wire.receive(self.channel, START_SECONDS), 0, Ready, Forked)[1]
                refused = stands.refused if isinstance(stands, Forked) else ""
        except (TimeoutError, EOFError, wire.WireError):
            ended = self.close(grace=2)
            refused = ended.refused if ended else ""
            if not refused:
                raise EOFError from None
        if refused or self.pid is None:
            self.close()
            raise SandboxError(f"a wall around the submission could not be put up: {refused}")

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_):
        self.close()

    def run_cell(self, source: str, name: str, question: str | None = None) -> CellDone:
        """Run a cell; `question` is the one that it answers, if any.

        Raises:
            Died: it took too long or too much, or took the process with it.
            SandboxError: the worker around it is gone.
        """
        done = self._request(RunCell(name, source, question), CellDone, self.sandbox.limits.cell_seconds)
        self.room.dropped_pictures += _count(done.undrawn)
        return CellDone(_outputs(done.outputs, self.room), _count(done.dropped), _failure(done.failure), 0, _names(done.defines),
                        _names(done.taken), _names(done.deleted), tuple(state for state in STATES if state in done.unusual))

    def inspect(self, request: Inspect) -> Inspected:
        """Read cells for what each question rules out, and for closures; only of use before any cell has run.

        Raises:
            Died: reading took too long or too much.
            SandboxError: as for `run_cell`.
        """
        found = self._request(request, Inspected, INSPECT_SECONDS)
        uses = {name: use for name in request.questions if name in found.found for use in _uses((found.found[name],))}
        closures = {name: found.closures[name] for name in request.beneath if name in found.closures}
        return Inspected(uses, _signs(found.signs), printable_text(found.unread, 40), closures)

    def exercise(self, question: str, probe: Probe, inputs: Any, seed: str, forbid: tuple[str, ...] = (),
                 others: tuple[str, ...] = (), first: bool = False) -> Outcome:
        """Exercise an answer.

        Args:
            forbid: what the answer may not use; what it did use of it is among the outcome's `uses`.
            others: the questions that it builds on, whose answers have rules of their own.
            first: take the first of several values that the answer gives back for its only one.
        Raises:
            Died, SandboxError: as for `run_cell`.
        """
        request = Exercise(question, probe, inputs, seed, forbid, others, first)
        return _outcome(self._request(request, Exercised, self.sandbox.limits.case_seconds).outcome)

    def close(self, grace: float = 0) -> Reaped | None:
        """End the process and all it started, and remove its directory; what the worker says of its end.

        Args:
            grace: seconds to wait for an end that has begun by itself.
        """
        self.channel.close()
        self.spent.cpu, self._cpu = self.spent.cpu + self._cpu, 0.0
        reply = None
        pid, self.pid = self.pid, None
        if pid is not None and self.sandbox._worker is self.worker:  # one that was ended took its children with it
            with contextlib.suppress(EOFError, OSError, wire.WireError):
                reply = self._ask(Reap(pid, grace), Reaped)
                self.exit = reply.exit
        if self.folder is not None:
            remove_tree(self.folder)
        return reply

    def usage(self, enough: float = 0.0) -> Usage:
        """What the submission uses now; its memory need not be exact below `enough` bytes."""
        assert self.pid is not None  # it has not been closed
        return self.worker.meter.usage(self.pid, enough)

    def _ask(self, request: Fork | Reap, kind: type, passed: socket.socket | None = None):
        """The worker's reply. Without the right one the worker is of no use any more: it is ended.

        Raises:
            TimeoutError, EOFError, OSError, wire.WireError: there is none.
        """
        try:
            return self.worker.line.ask(request, kind, passed)
        except (TimeoutError, EOFError, OSError, wire.WireError):
            self.sandbox.kill()
            raise

    def _request(self, request: RunCell | Exercise | Inspect, kind: type, seconds: float):
        clock = _Clock(self, seconds)
        self._number += 1
        try:
            self.channel.settimeout(START_SECONDS)
            wire.send(self.channel, numbered(self._number, request))
            unmeasured = 0  # looks in a row that did not see all
            while not wire.readable(self.channel, POLL_SECONDS):
                used = self.usage(self.sandbox.limits.memory_megabytes * 2**20)
                unmeasured = 0 if used.complete else unmeasured + 1
                if unmeasured == MOST_UNMEASURED:
                    raise Died(End.UNMEASURED, "Its memory could not be measured, for all its processes and areas of "
                                               "memory. It was stopped.")
                clock.look(used)
                self._within(used)
            # Only an answer has arrays to give back.
            most = int(self.sandbox.limits.reply_megabytes * 2**20) if kind is Exercised else wire.MAX_HEADER
            reply = wire.receive(self.channel, seconds, most)
            self._room_for_files()  # what is done between two looks wrote, too
            return read(reply, self._number, kind)[1]
        except TimeoutError:
            raise Died(End.STILL, "Its reply did not arrive whole. It was stopped.") from None
        except wire.WireError as error:
            self.sandbox.kill()  # whoever writes here what is no reply may have reached further
            raise Died(End.UNREADABLE, f"The reply of your code's process could not be read: {error}.") from None
        except (EOFError, OSError):
            if self.close(grace=2) is None:  # the worker is gone, too, which no submission can bring about from within its walls
                raise SandboxError("the worker was ended from outside") from None
            end = End.SIGNALLED if self.exit is not None and self.exit < 0 else End.EXITED
            raise Died(end, f"Python ended while it ran{_how(self.exit)}.") from None

    def _within(self, used: Usage) -> None:
        limits = self.sandbox.limits
        if used.memory > limits.memory_megabytes * 2**20:
            raise Died(End.HUNGRY, f"It used more than {limits.memory_megabytes:,.0f} MB of memory and was stopped.")
        if used.processes > limits.processes:
            raise Died(End.CROWDED, f"It started more than {limits.processes:g} processes and was stopped.")
        self._room_for_files()

    def _room_for_files(self) -> None:
        if self.folder is not None:
            limit = self.sandbox.limits.scratch_megabytes
            files, written = written_below(self.folder, MAX_FILES)
            if files > MAX_FILES or written > limit * 2**20:
                raise Died(End.FULL, f"It wrote more than {MAX_FILES:,} files, or more than {limit:,.0f} MB. It was stopped.")


class _Clock:
    """Times a request by what its processes do, so that a busy machine takes nothing from anybody.

    Raises:
        Died: the submission's time is over already.
    """

    def __init__(self, child: Child, seconds: float):
        self.child, self.seconds, self.most = child, seconds, child.sandbox.limits.submission_seconds
        self.first: Usage | None = None
        self.last: Usage | None = None
        self.looked = 0.0  # when, if there is a last one
        self.still = 0.0  # seconds that it has stood still
        self._over()

    def look(self, used: Usage) -> None:
        """Take another look into account.

        Raises:
            Died: it ran, or stood still, longer than it may.
        """
        now = time.monotonic()
        if self.last is not None:
            ready = max(used.cpu + used.waited - self.last.cpu - self.last.waited, 0.0)
            rested = max(now - self.looked - ready, 0.0)
            self.still += rested
            self.child.spent.still += rested
        self.first, self.last, self.looked = self.first or used, used, now
        self.child._cpu = max(self.child._cpu, used.cpu)
        self._over()
        if used.cpu - self.first.cpu > self.seconds:
            raise Died(End.SLOW, f"It used more than {self.seconds:g} s of processor time and was stopped.")
        if self.still > self.seconds:
            raise Died(End.STILL, f"It stood still for {self.seconds:g} s and was stopped: it slept, or waited for what did not "
                                  "come.")

    def _over(self) -> None:
        spent = self.child.spent
        if spent.cpu + self.child._cpu > self.most:
            raise Died(End.LATE, f"The whole submission used more than {self.most:g} s of processor time and was stopped.")
        if spent.still > self.most:
            raise Died(End.LATE, f"The whole submission stood still for {self.most:g} s and was stopped.")


def _outcome(outcome: Outcome) -> Outcome:
    """An outcome as its process reports it, bounded; what only the sandbox may say is not taken from it."""
    if outcome.observation is not None and outcome.failure is None:
        if len(outcome.observation) > 1000:
            raise Died(End.UNREADABLE, "The reply of your code's process could not be read.")
        seen = {printable_text(name, 80): printable_text(value, 120) if isinstance(value, str) else value
                for name, value in outcome.observation.items()}
        several = outcome.several if 2 <= outcome.several <= MOST_VALUES else 0
        return Outcome(seen, uses=_uses(outcome.uses), signs=_signs(outcome.signs), several=several)
    if outcome.undefined:
        return Outcome(undefined=True)
    return Outcome(failure=_failure(outcome.failure) or Failure("Unknown"), uses=_uses(outcome.uses),
                   signs=_signs(outcome.signs))


def _signs(signs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sign for sign in SIGNS if sign in signs)


def _uses(uses: tuple[Use, ...]) -> tuple[Use, ...]:
    return tuple(Use(printable_text(use.name, 80), printable_text(use.line, MAX_LINE) or None) for use in uses[:20])


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names[:MOST_NAMES] if len(name) <= 80 and name.isidentifier() and name.isprintable())


def _count(number: int) -> int:
    return min(max(number, 0), MOST_DROPPED)


class Room:
    """What a submission's outputs may still hold, and how much was dropped for it."""

    def __init__(self):
        self.characters, self.pictures = MAX_OUTPUTS, MAX_PICTURES
        self.dropped_characters = self.dropped_pictures = 0

    def text(self, value) -> str:
        """As much of a text as there is room for."""
        text = printable_text(value, self.characters)
        self.dropped_characters += max(len(value) - self.characters, 0) if isinstance(value, str) else 0
        self.characters -= len(text)
        return text

    def picture(self, text, magic: bytes) -> str | None:
        """A picture in base64; None where it is none, or there is no room for it."""
        if not isinstance(text, str):
            return None
        if not self.pictures or len(text) > self.characters:
            self.dropped_pictures += 1
            return None
        if picture := _picture(text, magic):
            self.pictures -= 1
            self.characters -= len(picture)
        return picture


def _outputs(value, room: Room) -> list[dict]:
    """A cell's outputs, rebuilt: plain text and pictures, nothing that a browser would run."""
    outputs: list[dict] = []
    for item in value[:200] if isinstance(value, list) else []:
        if not isinstance(item, dict):
            continue
        if item.get("output_type") == "stream":
            name = "stderr" if item.get("name") == "stderr" else "stdout"
            outputs.append({"output_type": "stream", "name": name, "text": room.text(item.get("text"))})
        elif item.get("output_type") in ("display_data", "execute_result") and isinstance(data := item.get("data"), dict):
            shown: dict[str, Any] = {"text/plain": room.text(data["text/plain"])} if "text/plain" in data else {}
            for mime, magic in PICTURES.items():
                if mime in data and (picture := room.picture(data[mime], magic)):
                    shown[mime] = picture
            if shown:
                outputs.append({"output_type": "display_data", "data": shown, "metadata": {}})
    return outputs


def _picture(text, magic: bytes) -> str | None:
    with contextlib.suppress(binascii.Error, ValueError, TypeError):
        raw = base64.b64decode(text, validate=True)
        return base64.b64encode(raw).decode() if raw.startswith(magic) else None
    return None


def _how(code: int | None) -> str:
    if code is None:
        return ""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f" (killed by {signal.Signals(-code).name})"
    return f" (exit status {code})"


def printable_text(value, limit: int) -> str:
    """Text from a student's process, without control characters that a terminal or log would obey."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value[:limit] if c.isprintable() or c in "\n\t")


def _failure(failure: Failure | None) -> Failure | None:
    if failure is None:
        return None
    return Failure(printable_text(failure.error, 80), printable_text(failure.message, 300).replace("\n", " "),
                   printable_text(failure.line, MAX_LINE).replace("\n", " ") or None,
                   printable_text(failure.function, 80) or None, printable_text(failure.sentence, 300) or None,
                   {printable_text(name, 40): printable_text(value, 80) if isinstance(value, str) else value for name, value in
                    list(failure.fields.items())[:9] if isinstance(value, (str, int, list)) and len(str(value)) <= 200})

