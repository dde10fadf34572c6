"""What became of a notebook's cells beside what they showed: why an answer is not there, and which cell spoiled another's.

Names and failures come from a process in which student code ran, before it has seen a hidden case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from autograder.grading import said
from autograder.grading.submission import RunCell
from autograder.inside.protocol import CellDone, Failure, Outcome

MAGIC = re.compile(r"\s*%%(\w+)")
RUNS = ("time", "capture", "prun")  # cell magics that run a cell as if they were not there
NOT_KEPT = {"timeit": "keeps nothing of what it runs", "writefile": "writes its lines to a file and runs none of them",
            "file": "writes its lines to a file and runs none of them"}
NOT_RUN = "does not run it as code of this notebook"
UNDEFINED_NAME = re.compile(r"name '(\w+)' is not defined")
UNUSUAL = {
    "eager": "The cell {} leaves eager execution switched off, so that no tensor has a value. Delete what does that "
             "(`tf.compat.v1.disable_eager_execution()`).",
    "policy": "The cell {} leaves Keras with another precision than float32 (`keras.config.set_dtype_policy`). Delete what does "
              "that.",
    "seterr": "The cell {} leaves NumPy raising an exception where it warns by default (`np.seterr`). Delete what does that.",
}


@dataclass
class Ran:
    """What the cells of a submission did.

    Attributes:
        questions: of the assignment.
        own: question -> its own cell, once that has run or gone wrong, with what it defines in place of the answer.
        failed: cells that went wrong, and how.
        deleted: name -> the cell that deleted it.
        unusual: state of a library -> the first cell that left it so.
    """

    questions: frozenset[str] = frozenset()
    own: dict[str, tuple[RunCell, tuple[str, ...]]] = field(default_factory=dict)
    failed: dict[str, tuple[RunCell, Outcome]] = field(default_factory=dict)
    deleted: dict[str, str] = field(default_factory=dict)
    unusual: dict[str, str] = field(default_factory=dict)

    def done(self, cell: RunCell, done: CellDone) -> list[str]:
        """Keep what a cell did, and give the notes there are to make of it."""
        if cell.question:
            self.own[cell.question] = cell, done.defines
        self.deleted.update({name: cell.id for name in done.deleted})
        self.unusual = {state: self.unusual.get(state, cell.id) for state in done.unusual}
        notes = [f"The cell {cell.id} uses the name {name} for something else; what its answer cell defined was graded."
                 for name in sorted(self.questions.intersection(done.taken))]
        if gone := ", ".join(sorted(self.questions.intersection(done.deleted))):
            notes.append(f"The cell {cell.id} deletes {gone}; what was there before it was graded.")
        return notes

    def went_wrong(self, cell: RunCell, outcome: Outcome) -> None:
        """Keep how a cell failed, or took its process with it."""
        self.failed.setdefault(cell.id, (cell, outcome))
        if cell.question:
            self.own.setdefault(cell.question, (cell, ()))

    def error(self, question: str) -> Outcome | None:
        """How a question's own cell went wrong."""
        cell, _ = self.own.get(question, (None, ()))
        return self.failed[cell.id][1] if cell and cell.id in self.failed else None

    def not_defined(self, question: str) -> str:
        """Why there is no answer to a question, although its cell did not fail."""
        cell, defines = self.own.get(question, (None, ()))
        lines = [line.strip() for line in cell.source.splitlines() if line.strip()] if cell else []
        if cell is None or not lines:
            return f"{question} is not written yet."
        if all(line.startswith("#") for line in lines):
            return f"{question} is not written yet: every line of its cell is a comment."
        if magic := _not_kept(cell.source):
            return f"{question} is not defined: its cell begins with {magic}. Delete that line."
        if defines:
            return f"{question} is not defined: its cell defines {', '.join(f'`{name}`' for name in defines)} instead."
        return f"{question} is not written yet: its cell runs and does not define it."

    def cause(self, failures: Iterable[Failure | None]) -> str:
        """What another cell did, or did not get to, that explains one of the failures; "" when none is known to."""
        for state, cell in self.unusual.items():
            return UNUSUAL[state].format(cell)
        for failure in failures:
            found = UNDEFINED_NAME.search(failure.message) if failure and failure.error == "NameError" else None
            if found and (sentence := self._why_missing(found[1])):
                return sentence
        return ""

    def _why_missing(self, name: str) -> str:
        if name in self.questions:
            if (error := self.error(name)) is None:
                return self.not_defined(name)
            return f"The cell of {name} did not get as far as defining it. {said.fact(error)}"
        for cell, outcome in self.failed.values():
            if _assigns(cell.source, name):
                return f"The cell {cell.id} did not get as far as defining `{name}`. {said.fact(outcome)}"
        for cell, _ in self.own.values():
            if (magic := _not_kept(cell.source)) and _assigns(cell.source, name):
                return f"The cell {cell.id}, which defines `{name}`, begins with {magic}."
        return f"The cell {self.deleted[name]} deletes `{name}`." if name in self.deleted else ""


def _not_kept(source: str) -> str:
    """The cell magic that a source begins with, and what it does, where what the cell defines is lost by it."""
    found = MAGIC.match(source)
    return f"`%%{found[1]}`, which {NOT_KEPT.get(found[1], NOT_RUN)}" if found and found[1] not in RUNS else ""


def _assigns(source: str, name: str) -> bool:
    """Does a line of this source bind a name, as far as a look at its text can tell?"""
    binding = rf"^[ \t]*(?:(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|{name}[ \t]*(?:=(?!=)|:|,)|(?:from|import)\b.*\b{name}\b)"
    return re.search(binding, source, re.MULTILINE) is not None
