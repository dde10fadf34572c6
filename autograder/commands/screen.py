"""What the commands share: the two consoles, a progress bar, and how a command ends badly."""

from __future__ import annotations

import sys
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
INTERRUPTED = 130  # the exit status after Ctrl-C


def progress_bar(hidden: bool = False) -> Progress:
    """A bar that names what it waits for, and is gone when it is done."""
    # A narrow bar: in 80 columns there has to be room for what is waited for. In a log there is nothing to move.
    return Progress(SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=12),
                    MofNCompleteColumn(), TimeRemainingColumn(compact=True), console=err, transient=True,
                    disable=hidden or not err.is_terminal)


def fail(error: Exception | str, status: int) -> NoReturn:
    """One line on stderr, and an exit status."""
    err.print("autograder: " + str(error).replace("[", "\\["), style="red", soft_wrap=True)
    sys.exit(status)
