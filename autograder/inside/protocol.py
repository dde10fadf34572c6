"""What crosses the boundary: requests and replies as frozen dataclasses, numbered, with their types checked on arrival.

Both sides import this module. What a reply holds comes from a process in which student code ran: it has these types and
nothing else is known of it. The form on the wire is `autograder.inside.wire`'s.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.inside.wire import WireError

# What a person should look at beside a verdict; nothing else is taken for a sign.
SIGNS = ("autograder", "ctypes", "exec", "fork", "subprocess", "thread", "v1 session", "watch")

STATES = ("eager", "policy", "seterr")  # of libraries, which a cell can change and any later answer may suffer from

Observation = dict[str, np.ndarray | str]  # named arrays, or a few words where the answer gave something that is no array
MOST_VALUES = 9  # that an answer gives back in place of one, and are counted
MAX_LINE = 120  # characters of a notebook's line that are quoted
NO_ARRAY = "something that is no array"
# All that is ever said in the place of an array. Fixed texts: what stands there can carry nothing else out of a sandbox.
THINGS = ("None", "a string", "an integer beyond 64 bits", "a ragged tensor", "a symbolic tensor, which has no value",
          "a dictionary", "a function", "a class", "an array of Python objects", "an array of strings",
          "an array of another type", "an array that is too large", NO_ARRAY)
WORDS = frozenset(THINGS) | {f"a list with {thing}" for thing in THINGS} | {
    "a very deeply nested list", "a sequence of too many items", "a list of arrays with different shapes"}


@dataclass(frozen=True)
class Probe:
    """A probe's name and options: what has to be known to run it elsewhere."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """How an answer or a cell went wrong.

    Attributes:
        error: the exception's type.
        line, function: the notebook's line, and the function, that it came from.
        sentence, fields: of an `AnswerError`: the sentence that the message was made from, and what was put into it.
    """

    error: str
    message: str = ""
    line: str | None = None
    function: str | None = None
    sentence: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Use:
    """Something that a question forbids and its answer used: its public name, and the notebook's line that led to it."""

    name: str
    line: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What an answer did on a case: gave an observation, failed, was not there, or took its process with it.

    Attributes:
        undefined: the notebook defines no such name.
        uses: what it used of what its question forbids.
        signs: those of `SIGNS` that it gave while it ran.
        several: how many values it gave back, 2 to `MOST_VALUES`, when it was exercised as if the first were its only one.
        first: what was observed then; outside, in the outcome of having exercised it as it is.
        died: "timeout" or "crashed" when the process did not survive; `said` is then the sandbox's sentence about it, and `brief`
            the same without what the one who ended it chose: an exit status, a signal.
    """

    observation: Observation | None = None
    failure: Failure | None = None
    undefined: bool = False
    uses: tuple[Use, ...] = ()
    signs: tuple[str, ...] = ()
    several: int = 0
    first: Observation | None = None
    died: str = ""
    said: str = ""
    brief: str = ""


# ---------------------------------------------------------------------------------------------------- requests and replies


@dataclass(frozen=True)
class Begin:
    """To the warm parent, with a channel: fork a worker, which answers on it."""


@dataclass(frozen=True)
class Begun:
    """The worker's process id as the warm parent sees it."""

    pid: int


@dataclass(frozen=True)
class Fork:
    """To a worker, with a channel: start a child. `limits` are `course.toml`'s; `readable` is what Landlock leaves."""

    isolation: str
    folder: str
    limits: dict[str, float]
    readable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forked:
    """The child's process id as the worker sees it; `refused` says which wall could not be put up."""

    pid: int | None
    refused: str = ""


@dataclass(frozen=True)
class Reap:
    """To a worker: end a child and all it started, `grace` seconds after it began to end by itself at the latest; to the warm
    parent: end a worker so."""

    pid: int
    grace: float = 0.0


@dataclass(frozen=True)
class Reaped:
    """How it ended, as `os.waitstatus_to_exitcode` says it; None where it was ended from outside."""

    pid: int
    exit: int | None = None
    refused: str = ""


@dataclass(frozen=True)
class Ready:
    """The warm parent has imported everything; a child stands behind its walls. `pid` is the sender's own."""

    pid: int


@dataclass(frozen=True)
class RunCell:
    """To a child: run a cell's source; `question` is the one that it answers, if any."""

    id: str
    source: str
    question: str | None = None


@dataclass(frozen=True)
class CellDone:
    """What a cell printed and displayed, as nbformat's outputs; how many characters and pictures were dropped; how it failed.

    Attributes:
        defines: functions and classes of an answer's cell that does not define its answer.
        taken: answers whose names mean something else after this cell, which is not theirs.
        deleted: names that were there before it and are not after it.
        unusual: of `STATES`, what is not as it is by default after it.
    """

    outputs: list[dict[str, Any]]
    dropped: int
    failure: Failure | None = None
    undrawn: int = 0
    defines: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unusual: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """To a child: exercise an answer on a case. `forbid` is what the answer may not use; `others` are the
    questions that it builds on, whose answers have rules of their own; `first` takes the first of several values that it gives
    back for its only one."""

    question: str
    probe: Probe
    inputs: Any
    seed: str
    forbid: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    first: bool = False


@dataclass(frozen=True)
class Exercised:
    """What came of it."""

    outcome: Outcome


@dataclass(frozen=True)
class Inspect:
    """To a child in which no cell has run: read the cells' source for what questions rule out.

    Attributes:
        questions: name -> what it forbids.
        answers: of each cell, the question that it answers, "" for another of the student's own, None for one of the release;
            none, where nobody asks for closures.
        beneath: question -> those that it builds on.
    """

    cells: list[str]
    questions: dict[str, tuple[str, ...]]
    answers: list[str | None] = field(default_factory=list)
    beneath: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Closure:
    """What decides what an answer does: the numbers of those cells, in order, and a digest that does not know comments."""

    cells: tuple[int, ...]
    digest: str


@dataclass(frozen=True)
class Inspected:
    """The first thing ruled out that each answer's source uses, signs of `SIGNS`, and why some of it was not read, or "".

    Attributes:
        closures: of the answers whose closures are known.
    """

    found: dict[str, Use]
    signs: tuple[str, ...] = ()
    unread: str = ""
    closures: dict[str, Closure] = field(default_factory=dict)


MESSAGES = {kind.__name__: kind for kind in (Begin, Begun, Fork, Forked, Reap, Reaped, Ready, RunCell, CellDone, Exercise,
                                            Exercised, Inspect, Inspected)}


def numbered(number: int, message: Any) -> dict[str, Any]:
    """A message as plain data. A reply carries the number of its request."""
    return {"number": number, "kind": type(message).__name__, "body": plain(message)}


def read(data: Any, number: int | None, *kinds: type) -> tuple[int, Any]:
    """A message of one of these kinds, with its number.

    Args:
        number: the one it has to carry; None takes any.
    Raises:
        WireError: it is none, or another's; a reply that comes late has another number.
    """
    if not isinstance(data, dict) or set(data) != {"number", "kind", "body"} or type(data["number"]) is not int:
        raise WireError("not a message")
    if number is not None and data["number"] != number:
        raise WireError("a message with another number was expected")
    kind = MESSAGES.get(data["kind"]) if isinstance(data["kind"], str) else None
    if kind not in kinds:
        raise WireError("a message of another kind was expected")
    return data["number"], typed(data["body"], kind)


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, all the way down; arrays are not copied."""
    if dataclasses.is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def typed(data: Any, kind: Any) -> Any:
    """The inverse of `plain`: data as what its type says, so that nothing else gets in.

    Raises:
        WireError: it is something else.
    """
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return data
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        if not isinstance(data, dict) or not set(data) <= set(hints):
            raise WireError(f"expected a {kind.__name__}")
        try:
            return kind(**{name: typed(value, hints[name]) for name, value in data.items()})
        except TypeError:
            raise WireError(f"a {kind.__name__} is not complete") from None
    if origin in (typing.Union, types.UnionType):
        for part in parts:
            try:
                return typed(data, part)
            except WireError:
                continue
    elif origin in (dict, Mapping) and isinstance(data, dict):
        return {typed(key, parts[0]): typed(value, parts[1]) for key, value in data.items()}
    elif origin is list and isinstance(data, list):
        return [typed(item, parts[0]) for item in data]
    elif origin is tuple and isinstance(data, list):
        return tuple(typed(item, parts[0]) for item in data)
    elif kind is float and type(data) in (int, float):
        return data
    elif isinstance(kind, type) and issubclass(kind, enum.Enum) and data in list(kind):
        return kind(data)
    elif isinstance(kind, type) and type(data) is kind:  # True is no int here
        return data
    raise WireError(f"expected {getattr(kind, '__name__', kind)}")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
