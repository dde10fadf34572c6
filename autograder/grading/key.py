"""Answer keys: what the reference and every known mistake return on each case, computed once and kept in one `.npz`.

The hidden key stays with the instructor (`build/keys/`, mode 0600). The examples that students get are the same thing
restricted to the visible cases. Neither holds code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autograder.files import atomic
from autograder.inside import wire
from autograder.inside.protocol import Observation, Outcome, Probe, plain, typed

FORMAT = 4  # of the file; a key of another format must be built again
EXAMPLES = "examples.npz"  # the visible part of a key, as a release ships it
SECRET_FILE = ".autograder_secret"


class KeyFileError(ValueError):
    """A key that is missing, damaged or of another version; the message says what to do."""


@dataclass(frozen=True)
class CaseKey:
    """A case with its inputs made and its answers known."""

    name: str
    description: str
    points: int
    visible: bool
    probe: Probe
    inputs: Any
    expected: Observation
    misconceptions: dict[str, list[Outcome]]  # one for each variant
    follow_through: dict[str, Outcome]  # "question.misconception" -> what the reference gives on top of that mistake
    rtol: float
    atol: float


@dataclass(frozen=True)
class QuestionKey:
    """A question's cases, the hints of its misconceptions, and the points of the whole question.

    Attributes:
        sentences: those that its probes have for an `AnswerError`, with {placeholders} for its fields.
    """

    name: str
    max_score: int
    hints: dict[str, str]
    uses: tuple[str, ...]
    forbid: tuple[str, ...]
    cases: tuple[CaseKey, ...]
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Key:
    """The answer key of an assignment.

    Attributes:
        source: a digest of the solution files it was built from.
        versions: the releases that computed it, as `versions.installed` names them.
        written: answers that a person grades, with their points.
    """

    assignment: str
    notebook: str
    source: str
    questions: tuple[QuestionKey, ...]
    versions: dict[str, str]
    written: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of what is asked and expected, whichever releases computed it."""
        return "sha256:" + hashlib.sha256(wire.pack(_to_data(dataclasses.replace(self, versions={})))).hexdigest()

    @property
    def max_score(self) -> int:
        return sum(question.max_score for question in self.questions) + sum(self.written.values())

    @property
    def forbid(self) -> tuple[str, ...]:
        """All that is ruled out in one question or another: a sandbox had better be ready for it."""
        return tuple(sorted({pattern for question in self.questions for pattern in question.forbid}))

    def beneath(self, question: QuestionKey) -> tuple[str, ...]:
        """The names that `beneath` gives of this key's questions."""
        return beneath(question, self.questions)

    def examples(self) -> Key:
        """The part students may have: visible cases, and nothing that depends on the hidden ones."""
        questions = tuple(
            dataclasses.replace(question, cases=tuple(case for case in question.cases if case.visible))
            for question in self.questions)
        return dataclasses.replace(self, questions=questions, source="")


def save(key: Key, path: Path, *, private: bool) -> None:
    """Write a key, whole or not at all; a private one is readable by its owner only, from its first byte on."""
    data, arrays = wire.flatten(_to_data(key))
    manifest = json.dumps({"format": FORMAT, "key": data}, ensure_ascii=False).encode()  # unsorted: misconceptions as declared
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path, mode=0o600 if private else 0o644) as file:
        named: dict[str, Any] = {f"a{i}": a for i, a in enumerate(arrays)}
        np.savez_compressed(file, manifest=np.frombuffer(manifest, np.uint8), **named)


def beneath(question, questions: Sequence) -> tuple[str, ...]:
    """The earlier questions that a question builds on, and those that they build on: first ones first.

    Args:
        question, questions: in order, whatever has a `name` and `uses`: of a key, or as they are declared.
    """
    needed = set(question.uses)
    for other in reversed(questions):
        if other.name in needed:
            needed.update(other.uses)
    return tuple(other.name for other in questions if other.name in needed)


def load(path: Path) -> Key:
    """Read a key.

    Raises:
        KeyFileError: it is not there, or cannot be read.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            content = json.loads(file["manifest"].tobytes())
            if content["format"] != FORMAT:
                raise KeyFileError(f"{path}: expected format {FORMAT}. Received: {content['format']}. Build it again.")
            data = wire.restore(content["key"], [file[f"a{i}"] for i in range(len(file.files) - 1)])
        return _from_data(data)
    except FileNotFoundError:
        raise KeyFileError(f"{path}: expected an answer key; found none. Run `autograder build` first.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        if isinstance(error, KeyFileError):
            raise
        raise KeyFileError(f"{path}: expected an answer key; the file is damaged ({type(error).__name__}). "
                           "Run `autograder build` again, or get a fresh copy.") from None


def same(a: Key, b: Key, rtol: float = 1e-5, atol: float = 1e-6) -> bool:
    """Are two keys equal up to float noise? Another processor or release may round the last bit of a reference differently."""
    (data_a, arrays_a), (data_b, arrays_b) = (wire.flatten(_to_data(dataclasses.replace(key, versions={}))) for key in (a, b))
    return data_a == data_b and all(
        x.shape == y.shape and x.dtype == y.dtype and np.allclose(x, y, rtol, atol, equal_nan=True)
        for x, y in zip(arrays_a, arrays_b))


def case_rng(secret: bytes | None, assignment: str, question: str, case: str) -> np.random.Generator:
    """The generator that makes a case's inputs: secret for a hidden case, public (`secret` None) for a visible one."""
    name = f"{assignment}/{question}/{case}".encode()
    digest = hashlib.sha256(name).digest() if secret is None else hmac.new(secret, name, hashlib.sha256).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def course_secret(root: Path) -> bytes:
    """The course's secret: from the environment, or a file made once, readable by its owner only."""
    if value := os.environ.get("AUTOGRADER_SECRET"):
        return value.encode()
    path = root / SECRET_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if not (value := path.read_text().strip()):
            raise KeyFileError(f"{path}: expected a secret; the file is empty. Delete it and build again.") from None
        return value.encode()
    with os.fdopen(descriptor, "w") as file:
        value = secrets.token_hex(32)
        file.write(value + "\n")
    return value.encode()


def _to_data(key: Key) -> dict:
    return plain(key)


def _from_data(data: dict) -> Key:
    return typed(data, Key)
