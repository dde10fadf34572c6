"""Verdicts that several students share, because their answers and all that these reach are the same.

The first notebook with such an answer is graded as ever. With the second, where the answer took longer than a process costs,
the answer's closure (see `autograder.inside.closure`) is run once alone: in its process is nothing of any one student's, so that
nobody can spoil another's verdict. Who has the same closure gets what came of it; what was not plain, each one's own run decides.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.grading.verdict import QuestionVerdict, Status

WORTH = 0.1  # seconds that an answer's cases take, from which on they are worth a process of their own


@dataclass(frozen=True)
class Shared:
    """A verdict, and what the release's cells show where its answer runs."""

    verdict: QuestionVerdict
    outputs: Mapping[str, list] = field(default_factory=dict)


class Sharing:
    """What is known of closures, by their digests, of one assignment's submissions graded in one way; for several threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}
        self._claimed: set[str] = set()
        self._shared: dict[str, Shared] = {}

    def find(self, digest: str) -> Shared | None:
        """What came of a closure that was run alone."""
        return self._shared.get(digest)

    def claim(self, digest: str) -> bool:
        """Is this closure to be run alone now? True once, for whoever asks first."""
        with self._lock:
            if digest in self._claimed or self._seconds.get(digest, -1.0) < WORTH:
                return False
            self._claimed.add(digest)
            return True

    def took(self, digest: str, seconds: float) -> None:
        """Note how long the cases of an answer took, which ran among others."""
        with self._lock:
            self._seconds.setdefault(digest, seconds)

    def keep(self, digest: str, shared: Shared) -> None:
        """Keep what came of a closure that was run alone."""
        self._shared[digest] = shared


def holds_for_all(verdict: QuestionVerdict, lines: frozenset[str]) -> bool:
    """Would everybody's own run have come to this verdict, in these words? It quotes no line: others may write it differently."""
    said = "\n".join((verdict.message, *(case.message for case in verdict.cases)))
    return verdict.status in (Status.PASSED, Status.PARTIAL, Status.FAILED) and not any(f"`{line}`" in said for line in lines)
