"""When a submission was handed in, as far as the file says that the exchange, `zip_collect` and `collect` put beside it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.files import read_regular
from autograder.grading.submission import TIMESTAMP


def timestamp(folder: Path) -> str:
    """The time as it stands beside the notebook; "" when there is none.

    What has the name and is no small regular file with a date is nothing: `timestamp_note` says so.
    """
    with contextlib.suppress(OSError, ValueError, OverflowError):
        text = read_regular(folder / TIMESTAMP, 1000).decode().strip()
        parse_utc(text)
        return text
    return ""


def timestamp_note(folder: Path) -> str:
    """A line for what has the name where `timestamp` has found none; "" where nothing has it."""
    if os.path.lexists(folder / TIMESTAMP):
        return f"{TIMESTAMP} holds no date that nbgrader can read: the submission counts as handed in without one."
    return ""
