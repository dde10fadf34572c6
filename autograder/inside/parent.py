"""The warm parent: imports what notebooks need once, and forks a worker for each of the grader's jobs.

Started by the sandbox with the number of its control descriptor and names of modules. It never runs student code, and no
submission's channel passes through it: whatever a submission does to its worker, the next one's comes from here, in a few
hundredths of a second.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys

from autograder.inside import confine, watch, worker
from autograder.inside.protocol import Begin, Begun, Ready, Reap, Reaped


def behind_bubblewrap() -> None:
    """As `main`, in a namespace of bubblewrap's."""
    confine.leave_root()
    main()


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    shell = _warm_up(sys.argv[2:])
    confine.silence()
    confine.adopt_orphans()
    worker.say(control, 0, Ready(os.getpid()))
    workers: set[int] = set()
    for number, request, channel in worker.requests(control, Begin, Reap):
        if isinstance(request, Begin):
            pid = os.fork()
            if pid == 0:
                try:
                    control.close()
                    worker.serve(channel, shell)
                finally:
                    os._exit(1)
            channel.close()
            workers.add(pid)
            worker.say(control, number, Begun(pid))
        else:
            workers.discard(request.pid)
            worker.say(control, number, Reaped(request.pid, worker.end_all(workers, request.pid)))
    worker.end_all(())
    os._exit(0)


def _register_once() -> None:
    """Have TensorFlow register its kernels and operations here, which it does once in a process.

    No operation may run here, nor a graph's constants be folded: what waits for a thread that was started here waits forever in
    a fork, which has none of them.
    """
    with contextlib.suppress(Exception):  # nothing depends on it, and it is not public
        from tensorflow.python.framework import kernels, op_def_registry

        op_def_registry.get("no such operation")  # for the first of which a description of all operations is made
        kernels.get_registered_kernels_for_op("MatMul")


def _warm_up(forbid: list[str]):
    """Import what notebooks import, be ready to look for what is forbidden, and make the shell that every child inherits."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    gc.disable()  # a fifth of the time, spent on looking for garbage that imports do not make
    import keras  # noqa: F401
    import matplotlib
    import psutil  # noqa: F401
    import tensorflow as tf  # noqa: F401

    matplotlib.use("Agg")
    import matplotlib.pyplot  # noqa: F401

    watch.prepare(forbid)
    import autograder

    # The release's cells import it; grading is not here, and what a check would print nobody reads.
    autograder.check = lambda name=None: None
    shell = worker.make_shell()
    shell.run_cell("pass")  # what IPython does at its first cell
    _register_once()
    gc.freeze()  # keeps whoever is forked from copying these pages when it collects
    gc.enable()
    confine.prepare()
    return shell


if __name__ == "__main__":
    main()
