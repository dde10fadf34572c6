"""The command `autograder`, the same as `python -m autograder`: what has to hold from the first import on.

Ctrl-C ends it with status 130, a request to end (SIGTERM) with 143, in the same order: what was graded is kept, and nothing is
half written.
"""

import gc
import signal
import sys


class Ended(KeyboardInterrupt):
    """A signal asked this process to end. Python itself ends, by SIGINT, after an `exec` that a plain KeyboardInterrupt left."""


def main() -> None:
    """Run the command line, and end as a shell expects of what a signal has ended."""
    number = signal.SIGINT

    def end(received, frame):
        nonlocal number
        number = received
        raise Ended

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, end)
    try:
        from autograder.commands.main import main as run  # takes most of a second, which may be interrupted, too

        run()
    except KeyboardInterrupt:
        sys.exit(128 + number)
    except SystemExit as done:
        sys.exit(128 + number if done.code == 128 + signal.SIGINT else done.code)
    finally:
        gc.freeze()  # to look for garbage among all that was imported would take Python a third of a second while it ends


if __name__ == "__main__":
    main()
