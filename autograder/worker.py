"""The untrusted side: runs a submission's cells, then exercises its answers as the grader asks.

Started by `autograder.sandbox` as `python -I -m autograder.worker CONTROL_FD`. This first process (the *warm parent*) imports
TensorFlow once and never runs student code. For each submission it forks; the child receives a channel of its own,
on which the grader sends cells and probe requests. Whatever the child replies is only ever compared with the key, which
is not here: this module imports the probes and the wire, nothing else of the kit.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import io
import os
import resource
import signal
import socket
import sys

from autograder import probes, wire

OUTPUT_LIMIT = 20_000  # characters kept of what one cell prints
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class CappedText(io.TextIOBase):
    """A text stream that keeps the first characters written to it and only counts the rest."""

    def __init__(self, limit: int):
        self.limit, self.parts, self.kept, self.written = limit, [], 0, 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        text = str(text)
        if self.kept < self.limit:
            self.parts.append(text[:self.limit - self.kept])
            self.kept += len(self.parts[-1])
        self.written += len(text)
        return len(text)

    def text(self) -> str:
        dropped = self.written - self.kept
        return "".join(self.parts) + (f"\n… {dropped:,} more characters" if dropped else "")


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    _warm_up()
    with contextlib.suppress(OSError, AttributeError):  # Linux: what a child leaves running becomes ours, to be found and ended
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    wire.send(control, {"ready": True})
    children = set()
    while True:
        try:
            request, channel = _receive_with_channel(control)
        except (EOFError, OSError):
            break
        if "fork" in request:
            pid = os.fork()
            if pid == 0:
                control.close()
                _child(channel, request["fork"])  # does not return
            channel.close()
            children.add(pid)
            wire.send(control, {"pid": pid})
        elif "reap" in request:
            wire.send(control, _reap(request["reap"], children))
    for pid in children:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _warm_up() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import IPython.core.interactiveshell  # noqa: F401
    import keras  # noqa: F401
    import matplotlib
    import tensorflow as tf  # noqa: F401

    matplotlib.use("Agg")
    import matplotlib.pyplot  # noqa: F401

    # No operation may run here: TensorFlow's threads would not survive the fork.
    gc.collect()
    gc.freeze()  # keeps the children from copying these pages when they collect


def _receive_with_channel(control: socket.socket):
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
    return wire.unpack(message + body), socket.socket(fileno=descriptors[0]) if descriptors else None


def _reap(pid: int, children: set[int]) -> dict:
    """End a child and everything it started; how it ended."""
    import psutil

    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    status = None
    for _ in range(50):  # what forks while it is being killed is caught in the next round
        survivors = [p for p in psutil.Process().children(recursive=True) if p.pid == pid or p.pid not in children]
        for process in survivors:
            with contextlib.suppress(psutil.Error):
                process.kill()
        try:
            while True:
                ended, code = os.waitpid(-1, os.WNOHANG if status is not None else 0)
                if ended == 0:
                    break
                if ended == pid:
                    status = code
                children.discard(ended)
        except ChildProcessError:
            break
        if status is not None and not survivors:
            break
    return {"exit": os.waitstatus_to_exitcode(status) if status is not None else None}


# ---------------------------------------------------------------------------------------------------- one submission


def _child(channel: socket.socket, job: dict) -> None:
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(job["folder"])
        os.environ["HOME"] = os.environ["TMPDIR"] = job["folder"]
        sys.path.insert(0, job["folder"])  # as in Jupyter; everything of ours is loaded already
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        shell = _shell()
        extra = probes.own_probes(job["folder"])
        wire.send(channel, {"started": True})
        while True:
            request = wire.receive(channel)
            reply = _run_cell(shell, request) if "cell" in request else _observe(shell, request, extra)
            try:
                wire.send(channel, reply)
            except wire.WireError as error:
                wire.send(channel, {"error": "WireError", "message": str(error)})
    except (EOFError, OSError):
        pass
    finally:
        os._exit(0)


def _shell():
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class SilentDisplayHook(DisplayHook):
        """Keeps `_` and `Out` working; a value on a cell's last line is computed into text nowhere."""

        def __call__(self, result=None):
            if result is not None and not self.quiet():
                self.update_user_ns(result)

    class Shell(InteractiveShell):
        displayhook_class = SilentDisplayHook
        display_pub_class = CapturingDisplayPublisher

        def ask_exit(self):  # what `exit()` and `quit()` call
            raise SystemExit("the notebook asked Python to exit")

        def enable_gui(self, gui=None):  # `%matplotlib inline` must not fail without a screen
            pass

    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    shell = Shell.instance(config=config)
    sys.modules["__main__"] = shell.user_module
    return shell


def _run_cell(shell, request: dict) -> dict:
    output = CappedText(OUTPUT_LIMIT)
    with _captured(output):
        # With silent=False and no history, IPython still registers the source, so that AutoGraph and inspect find it.
        result = shell.run_cell(request["cell"], store_history=False, cell_id=request["id"])
    shell.display_pub.outputs.clear()
    error = result.error_before_exec or result.error_in_exec
    return {"output": output.text(), **(probes.failure(error) if error is not None else {})}


def _observe(shell, request: dict, extra) -> dict:
    answer = shell.user_ns.get(request["question"], None)
    if answer is None:
        return {"error": "NameError", "message": "", "undefined": True}
    output = CappedText(OUTPUT_LIMIT)
    try:
        with _captured(output):
            probe = probes.Probe(request["probe"]["name"], request["probe"]["options"])
            observation = probes.observe(answer, probe, request["inputs"], request["seed"], extra)
        return {"observation": observation, "output": output.text()}
    except BaseException as error:  # SystemExit and KeyboardInterrupt are a student's error like any other
        return {"output": output.text(), **probes.failure(error)}


@contextlib.contextmanager
def _captured(output: CappedText):
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = output
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        with contextlib.suppress(Exception):
            sys.modules["matplotlib.pyplot"].close("all")


if __name__ == "__main__":
    main()
