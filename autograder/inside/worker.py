"""The untrusted side: runs a submission's cells, then exercises its answers as the grader asks.

A *worker* is forked from the warm parent (`parent`) and never runs student code itself. For each submission, one at a time, it
forks; the child receives a channel of its own, on which the grader sends cells and probe requests. Whatever the child replies is
only ever compared with the key, which is not here, nor is anything of the kit but this room and what notebooks import.
"""

from __future__ import annotations

import array
import base64
import builtins
import contextlib
import dataclasses
import gc
import io
import os
import select
import signal
import socket
import sys
import tempfile
import types
from collections.abc import Callable, Container, Iterator
from typing import Any

from autograder.inside import closure, confine, landlock, probes, rules, watch, wire
from autograder.inside.protocol import (
    CellDone,
    Exercise,
    Exercised,
    Failure,
    Fork,
    Forked,
    Inspect,
    Outcome,
    Ready,
    Reap,
    Reaped,
    RunCell,
    Use,
    numbered,
    read,
)

INSPECT_MEGABYTES = 512  # to read a submission's source for what is ruled out
MAX_FIGURES = 3 * 2**20  # characters of all the pictures that a cell displays: they are part of a header
MOST_OUTPUTS = 200  # of a cell
MOST_DEFINED = 3  # names of a cell that defines another than it should
# What these do concerns the display, or a notebook's home: where that is missing here, no answer is lost for it.
DISPLAY_MAGICS = ("matplotlib", "config", "load_ext", "reload_ext", "unload_ext", "autoreload", "tensorboard", "precision",
                  "pprint", "xmode", "colors", "pip", "conda", "mamba", "cd", "env", "alias", "logstart")


class Outputs:
    """What a cell prints and displays, in order, as nbformat's outputs: the first `limit` characters, and counts of the rest."""

    def __init__(self, limit: int):
        self.limit, self.kept, self.written = limit, 0, 0
        self.items: list = []
        self.drawn = self.undrawn = 0  # characters of pictures that are kept; pictures that are not

    def stream(self, name: str, text: str) -> None:
        self.written += len(text)
        goes_on = bool(self.items) and self.items[-1].get("name") == name
        text = text[:self.limit - self.kept]
        if not text or not (goes_on or len(self.items) < MOST_OUTPUTS):
            return
        self.kept += len(text)
        if goes_on:
            self.items[-1]["text"].append(text)
        else:
            self.items.append({"output_type": "stream", "name": name, "text": [text]})

    def display(self, kind: str, data: dict) -> None:
        """Keep what can be shown safely: plain text, and pictures."""
        shown, full = {}, len(self.items) >= MOST_OUTPUTS
        if isinstance(text := data.get("text/plain"), str):
            self.written += len(text)
            shown["text/plain"] = "" if full else text[:max(self.limit - self.kept, 0)]
            self.kept += len(shown["text/plain"])
        for mime in ("image/png", "image/jpeg"):
            picture = data.get(mime)
            if isinstance(picture, bytes):
                picture = base64.b64encode(picture).decode()
            if not isinstance(picture, str):
                continue
            if full or self.drawn + len(picture) > MAX_FIGURES:
                self.undrawn += 1
            else:
                shown[mime] = picture
                self.drawn += len(picture)
        if any(shown.values()):
            self.items.append({"output_type": kind, "data": shown})

    def listed(self) -> list[dict]:
        return [{**item, "text": "".join(item["text"])} if "text" in item else item for item in self.items]

    @property
    def dropped(self) -> int:
        return self.written - self.kept


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a cell."""

    def __init__(self, outputs: Outputs, name: str):
        self.outputs, self.stream_name = outputs, name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.outputs.stream(self.stream_name, str(text))
        return len(text)


def serve(control: socket.socket, shell) -> None:
    """Fork and end children as the grader asks on `control`, until it is closed; does not return."""
    confine.die_with_parent()
    confine.adopt_orphans()
    gc.freeze()  # children look for garbage among what is theirs alone: they need not copy the rest
    children: dict[int, int | None] = {}  # process -> the descriptor that tells how it ended, when it is confined
    for number, request, channel in requests(control, Fork, Reap):
        if isinstance(request, Fork):
            try:
                pid, status = _fork(lambda job=request, channel=channel: _child(channel, job, shell), request)
                children[pid] = status
                reply: Forked | Reaped = Forked(pid)
            except confine.Confinement as error:
                reply = Forked(None, str(error))
            channel.close()
        else:
            reply = _reap(request.pid, children, request.grace)
        say(control, number, reply)
    for pid, status in children.items():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL) if status is not None else os.killpg(pid, signal.SIGKILL)
    os._exit(0)  # nothing here is worth the tenth of a second that Python takes to tidy it up


def requests(control: socket.socket, *kinds: type) -> Iterator[tuple[int, Any, Any]]:
    """The grader's numbered requests of these kinds, each with the channel that came with it, until there are no more."""
    while True:
        try:
            yield _receive_with_channel(control, kinds)
        except (EOFError, OSError):
            return


def say(channel: socket.socket, number: int, message) -> None:
    """Send a message that carries this number."""
    wire.send(channel, numbered(number, message))


def _receive_with_channel(control: socket.socket, kinds: tuple[type, ...]):
    """One request from the grader, with the child's end of a new channel when there is one."""
    message, ancillary, _, _ = control.recvmsg(wire.PREFIX.size, socket.CMSG_LEN(array.array("i").itemsize))
    if not message:
        raise EOFError
    control.settimeout(None)
    while len(message) < wire.PREFIX.size:
        message += control.recv(wire.PREFIX.size - len(message))
    size, _ = wire.PREFIX.unpack(message)
    body = b""
    while len(body) < size:
        part = control.recv(size - len(body))
        if not part:
            raise EOFError
        body += part
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    number, request = read(wire.unpack(message + body), None, *kinds)
    return number, request, socket.socket(fileno=descriptors[0]) if descriptors else None


def _fork(run, job: Fork) -> tuple[int, int | None]:
    if job.isolation == "bubblewrap":
        return confine.fork_confined(run, job.limits)
    pid = os.fork()
    if pid == 0:
        run()  # does not return
    return pid, None


def _reap(pid: int, children: dict[int, int | None], grace: float) -> Reaped:
    """End a child and everything it started; how it ended, where it ended by itself, within `grace` seconds."""
    status = children.pop(pid, None)
    if status is None:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        return Reaped(pid, end_all(children, pid))
    try:
        select.select([status], [], [], grace)
        code = confine.ended(status)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)  # returns when every process of the namespace is gone
        return Reaped(pid, code)
    except confine.Confinement as error:
        return Reaped(pid, None, str(error))
    finally:
        os.close(status)


def end_all(others: Container[int], pid: int = 0) -> int | None:
    """End every child of this process but the others, with all that it started; how the one with this number ended."""
    import psutil

    status = None
    for _ in range(50):  # what forks while it is being killed is caught in the next round
        survivors = []
        for child in psutil.Process().children():
            if child.pid not in others:
                with contextlib.suppress(psutil.Error):
                    survivors += [child, *child.children(recursive=True)]
        for process in survivors:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for process in survivors:
            with contextlib.suppress(ChildProcessError):  # another's child is ours in the next round
                code = os.waitpid(process.pid, 0)[1]
                status = code if process.pid == pid else status
        if not survivors:
            break
    return os.waitstatus_to_exitcode(status) if status is not None else None


# ---------------------------------------------------------------------------------------------------- one submission


def _child(channel: socket.socket, job: Fork, shell) -> None:
    try:
        confine.close_descriptors(keep={channel.fileno()})
        os.setsid()
        if job.isolation != "bubblewrap":
            confine.die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(job.folder)
        os.environ["HOME"] = job.folder
        os.environ["TMPDIR"] = tempfile.tempdir = "/tmp" if job.isolation == "bubblewrap" else job.folder
        sys.path.insert(0, job.folder)  # as in Jupyter; everything of ours is loaded already
        confine.limit_resources(job.limits, job.isolation)
        if job.isolation == "landlock":
            landlock.restrict(job.readable, job.folder)
        extra = probes.own_probes(job.folder)
        answers, unusual = Answers(), _watched_states()
        changed = watch.seal(watch, probes, sys.modules[_exercise.__module__])
        say(channel, 0, Ready(os.getpid()))
        while True:
            number, request = read(wire.receive(channel), None, Inspect, RunCell, Exercise)
            if isinstance(request, Inspect):
                with confine.less_memory(INSPECT_MEGABYTES):
                    inspected = dataclasses.replace(rules.inspect(request), closures=closure.closures(request))
                say(channel, number, inspected)
                continue
            outputs = Outputs(int(job.limits["output_characters"]))
            shell.outputs = outputs
            outcome: Outcome | None = None
            reply: CellDone | Exercised | None = None
            with _captured(outputs):
                if isinstance(request, RunCell):
                    reply = _run_cell(shell, request, answers, unusual)
                else:
                    outcome = _exercise(shell, request, extra, answers)
            if outcome is not None:
                if request.forbid and (name := changed()):
                    outcome = dataclasses.replace(outcome, uses=(Use(watch.TAMPERING + name), *outcome.uses),
                                                  signs=tuple({*outcome.signs, "watch"}))
                reply = Exercised(outcome)
            try:
                say(channel, number, reply)
            except wire.WireError as error:
                failure = Failure("WireError", str(error))
                say(channel, number, Exercised(Outcome(failure=failure)) if outcome is not None else CellDone([], 0, failure))
    except confine.Confinement as error:
        say(channel, 0, Forked(None, str(error)))
    except (EOFError, OSError):
        pass
    finally:
        os._exit(0)


def make_shell():
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Hook(DisplayHook):
        """The value of a cell's last line becomes an output, and `_` and `Out` work."""

        def __call__(self, result=None):
            if result is not None and not self.quiet():
                self.update_user_ns(result)
                self.shell.outputs.display("execute_result", self.compute_format_data(result)[0])

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, **_):
            self.shell.outputs.display("display_data", data)

        def clear_output(self, wait=False):
            pass

    class Shell(InteractiveShell):
        displayhook_class = Hook
        display_pub_class = Publisher
        outputs = Outputs(0)

        def run_line_magic(self, magic_name, line, _stack_depth=1):
            if magic_name not in DISPLAY_MAGICS and self.find_line_magic(magic_name) is not None:
                return super().run_line_magic(magic_name, line, _stack_depth + 1)
            try:
                return super().run_line_magic(magic_name, line, _stack_depth + 1)
            except Exception as error:
                print(f"%{magic_name}: {error}", file=sys.stderr)

        def ask_exit(self):  # what `exit()` and `quit()` call
            raise SystemExit("the notebook asked Python to exit")

        def enable_gui(self, gui=None):  # `%matplotlib inline` must not fail without a screen
            pass

        def _showtraceback(self, etype, evalue, stb):  # errors are reported as such, not as text
            pass

    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    shell = Shell.instance(config=config)
    sys.modules["__main__"] = shell.user_module
    return shell


def _run_cell(shell, request: RunCell, answers: Answers, unusual: Callable[[], tuple[str, ...]]) -> CellDone:
    before, outputs = dict(shell.user_ns), shell.outputs
    # With silent=False and no history, IPython still registers the source, so that AutoGraph and inspect find it.
    result = shell.run_cell(request.source, store_history=False, cell_id=request.id)
    _show_figures(outputs)
    error = result.error_before_exec or result.error_in_exec
    failure = probes.failure(error) if error is not None else None
    changes = answers.after(request.question, before, dict(shell.user_ns))
    return CellDone(outputs.listed(), outputs.dropped, failure, outputs.undrawn, *changes, unusual())


def _watched_states() -> Callable[[], tuple[str, ...]]:
    """What says which of the libraries' states are not as they are now, by default; it keeps the functions that ask."""
    import keras
    import numpy as np
    import tensorflow as tf

    ask = {"eager": tf.executing_eagerly, "policy": lambda get=keras.config.dtype_policy: get().name, "seterr": np.geterr}
    usual = {state: look() for state, look in ask.items()}

    def unusual() -> tuple[str, ...]:
        found = {state: look() for state, look in ask.items()}
        found["seterr"] = usual["seterr"] if "raise" not in found["seterr"].values() else found["seterr"]  # others do no harm
        return tuple(state for state, value in found.items() if value != usual[state])

    return unusual


class Answers:
    """What the cells of answers defined, and what later cells took from them: names they use for something else, or delete."""

    def __init__(self):
        self.defined: dict[str, object] = {}
        self.when: dict[str, int] = {}  # question -> number of the cell that defined its answer
        self.lost: list[tuple[int, str, object]] = []  # number of a cell, a name that it took, what that meant before
        self.cells = 0

    def after(self, question: str | None, before: dict, names: dict) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Keep what a cell defined and took; `defines`, `taken` and `deleted` of its `CellDone`.

        Args:
            question: the one that the cell answers, if any.
            before, names: the notebook's names before and after the cell.
        """
        self.cells += 1
        before = {name: value for name, value in before.items() if not name.startswith("_")}
        shadowed = {name: getattr(builtins, name) for name in names.keys() - before.keys() if hasattr(builtins, name)}
        self.lost += [(self.cells, name, value) for name, value in (before | shadowed).items()
                      if name not in names or _works(value) and not _works(names[name])]
        taken = tuple(name for name, answer in self.defined.items()
                      if name != question and before.get(name) is answer and names.get(name, answer) is not answer)
        defines = ()
        if question and names.get(question) is not None:
            if callable(names[question]) or question not in self.defined:
                self.defined[question], self.when[question] = names[question], self.cells
        elif question:
            defines = tuple(name for name, value in names.items() if before.get(name) is not value and
                            isinstance(value, (types.FunctionType, type)) and value.__module__ == "__main__")[:MOST_DEFINED]
        return defines, taken, tuple(name for name in before if name not in names)

    @contextlib.contextmanager
    def restored(self, question: str, names: dict) -> Iterator[None]:
        """Within, names mean what they did when an answer was defined, where later cells made something else of functions,
        classes and modules, or deleted what there was; and answers are answers."""
        needed = {name: value for cell, name, value in reversed(self.lost) if cell > self.when.get(question, self.cells)}
        needed |= {name: answer for name, answer in self.defined.items() if not callable((names | needed).get(name))}
        before = {name: names[name] for name in needed if name in names}
        names.update(needed)
        try:
            yield
        finally:
            for name in needed:
                names.pop(name, None)
            names.update(before)


def _works(value) -> bool:
    """Is this something that an answer could use as it uses functions, classes and modules?"""
    return callable(value) or isinstance(value, types.ModuleType)


def _show_figures(outputs: Outputs) -> None:
    """What Jupyter shows under a cell: the figures it has drawn."""
    pyplot = sys.modules["matplotlib.pyplot"]
    for number in pyplot.get_fignums()[:20]:
        with contextlib.suppress(Exception):  # a figure that cannot be drawn is no reason to lose the cell
            picture = io.BytesIO()
            figure = pyplot.figure(number)
            figure.savefig(picture, format="png", bbox_inches="tight")
            outputs.display("display_data", {"image/png": picture.getvalue(), "text/plain": str(figure)})


def _exercise(shell, request: Exercise, extra, answers: Answers) -> Outcome:
    names = shell.user_ns
    answer = answers.defined.get(request.question, names.get(request.question))
    if answer is None:
        return Outcome(undefined=True)
    with answers.restored(request.question, names):
        return _exercised(answer, names, request, extra, answers)


def _exercised(answer, names: dict, request: Exercise, extra, answers: Answers) -> Outcome:
    others = [owner[name] for name in request.others for owner in (names, answers.defined) if name in owner]
    observation = failure = None
    uses: list[Use] = []
    signs: set[str] = set()
    counts: list[int] = []
    try:
        with watch.watching(request.forbid, answer, others) as (uses, signs):
            exercised = probes.first_of(answer, counts) if request.first else answer
            observation = probes.exercise(exercised, request.probe, request.inputs, request.seed, extra)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are a student's error like any other
        failure = probes.failure(error)
    return Outcome(observation, failure, uses=tuple(uses), signs=tuple(sorted(signs)), several=max(counts, default=0))


@contextlib.contextmanager
def _captured(outputs: Outputs):
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream(outputs, "stdout"), Stream(outputs, "stderr")
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        with contextlib.suppress(Exception):
            sys.modules["matplotlib.pyplot"].close("all")
