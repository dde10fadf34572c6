"""Between a graded submission and the student who handed it in through nbgrader's exchange: how feedback finds its way back.

The exchange puts a secret beside each submission, which the student keeps too: feedback is released under a name made of it.
"""

from __future__ import annotations

import contextlib
import glob
import re
from pathlib import Path

from nbgrader.exchange.default import ExchangeReleaseFeedback

from autograder.files import read_regular
from autograder.grading.submission import TIMESTAMP, printable

SECRET = "submission_secret.txt"


def secret(folder: Path) -> str:
    """What the exchange has put beside a submission; "" when it came another way."""
    with contextlib.suppress(OSError, ValueError):
        text = read_regular(folder / SECRET, 1000).decode("ascii")
        return text if re.fullmatch("[0-9a-f]+", text) else ""
    return ""


class ReleaseFeedback(ExchangeReleaseFeedback):
    """nbgrader's own, which ends at the first submission that came another way: here the others get their feedback."""

    def copy_files(self):
        for folder in sorted(glob.glob(self.src_path)):
            if all(Path(folder, name).is_file() for name in (SECRET, TIMESTAMP)):
                self.src_path = glob.escape(folder)
                super().copy_files()
            else:
                self.log.warning("%s: not released, because the submission did not come through the exchange", printable(folder))
