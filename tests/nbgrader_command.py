"""nbgrader's commands without their start: each in a process forked from one that has imported nbgrader, and nothing of ours."""

import multiprocessing
import os
import sys
import tempfile

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["nbgrader.apps.nbgraderapp", __name__])


def run(arguments, folder, environment, timeout=600):
    """The exit status of `nbgrader ARGUMENTS` in a folder, what it printed, and what it complained of."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        command = SERVER.Process(target=_nbgrader, args=(
            [str(argument) for argument in arguments], str(folder), environment, *map(multiprocessing.reduction.DupFd, (out.fileno(), errors.fileno()))))
        command.start()
        command.join(timeout)
        if command.exitcode is None:
            command.kill()
            raise TimeoutError(f"nbgrader {' '.join(arguments)}")
        out.seek(0), errors.seek(0)
        return command.exitcode, out.read().decode(), errors.read().decode()


def _nbgrader(arguments, folder, environment, out, errors):
    os.dup2(out.detach(), 1)
    os.dup2(errors.detach(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["nbgrader", *arguments]
    from nbgrader.apps.nbgraderapp import main

    main()
