"""What an answer's source uses of what its question rules out. The source is read by a child; here is what becomes of it.

Student code is parsed in the submission's first process, before any cell has run in it, within limits of its own. A source that
cannot be read costs its author a sentence: what the answers do when they run is watched all the same. Signs are for a person.
"""

from __future__ import annotations

from dataclasses import replace

from autograder.grading.key import Key
from autograder.grading.submission import Submission
from autograder.inside.protocol import Inspect, Inspected
from autograder.sandbox.sandbox import Child, Died

MAX_CHARACTERS = 2_000_000  # of all cells; hundreds of times an honest notebook's
UNREAD = "Its source is {} to be read for what questions rule out; what its answers do when they run was watched."
HIDDEN_SIGN = "On a hidden case, {} does something for a person to look at, which it does not do on visible ones."
ABOUT = {
    "autograder": "uses the autograder's own modules",
    "ctypes": "uses ctypes",
    "exec": "runs code that it makes from text",
    "fork": "forks its process",
    "subprocess": "starts another program",
    "thread": "uses a thread",
    "v1 session": "uses a session of TensorFlow 1",
    "watch": "changes what watches it",
}


def inspect(submission: Submission, key: Key, child: Child, closures: bool = False) -> Inspected:
    """What the answers' source uses of what is ruled out; `child` has run no cell yet. One that it was too much for is closed.

    Args:
        closures: find those of the answers, too.
    """
    cells = [cell.source for cell in submission.cells]
    if sum(map(len, cells)) > MAX_CHARACTERS:
        return Inspected({}, unread="too large")
    request = Inspect(cells, {question.name: question.forbid for question in key.questions})
    if closures:
        request = replace(request, beneath={question.name: key.beneath(question) for question in key.questions},
                          answers=[cell.question or "" if cell.question or cell.added else None for cell in submission.cells])
    try:
        return child.inspect(request)
    except Died:
        child.close()
        return Inspected({}, unread="too complex")


def notes(inspected: Inspected) -> list[str]:
    """What to say of a notebook's source beside its verdict."""
    return ([UNREAD.format(inspected.unread)] if inspected.unread else []) + \
        [f"A cell {ABOUT[sign]}." for sign in inspected.signs]
