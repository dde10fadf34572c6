"""What an answer uses while it runs: TensorFlow operations and library functions that its question forbids.

Runs in the sandbox beside student code, and in a student's own kernel under `check`, so it knows no secret. It watches what
is executed, not what is written: operations run eagerly or inside a `tf.function`, under whatever name they were imported.
What is written is read by `autograder.grading.rules`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import inspect
import linecache
import sys
import threading
from collections.abc import Sequence
from types import CodeType

from autograder.inside import probes
from autograder.inside.protocol import Use

OPERATIONS = "tf.raw_ops."  # a pattern that begins so names TensorFlow operation types
ROOTS = {"tf": "tensorflow", "np": "numpy"}
# Subclassing a layer or making an input is how every layer and model begins.
NEVER = {"keras.layers.Layer", "keras.layers.Input", "keras.layers.InputLayer", "keras.layers.InputSpec"}
METHODS = ("__init__", "__call__", "__enter__", "call", "build")  # of a forbidden class, whose call is noticed
MAX_SEEN = 20


@contextlib.contextmanager
def watching(forbid: Sequence[str]):
    """Notice forbidden operations and functions that run inside the block.

    Yields:
        A list that fills with a `Use` for each of them.
    """
    seen: list[Use] = []
    if not forbid:
        yield seen
        return

    def note(name: str, wherever: bool = False) -> None:
        inside, line = _student_line()
        if (inside or wherever) and len(seen) < MAX_SEEN and name not in {use.name for use in seen}:
            seen.append(Use(name, line))

    codes = _codes(tuple(forbid))
    with _operations(forbid, note), _calls(codes, note):
        yield seen


@contextlib.contextmanager
def _operations(forbid: Sequence[str], note):
    patterns = [pattern.removeprefix(OPERATIONS) for pattern in forbid if pattern.startswith(OPERATIONS)]
    if not patterns:
        yield
        return
    from tensorflow.python.eager import context
    from tensorflow.python.framework import op_callbacks

    known: dict[str, str | None] = {}

    def forbidden(kind: str) -> str | None:
        """The forbidden operation that an operation is, or that a traced function of this name contains."""
        if kind not in known:
            known[kind] = kind if any(fnmatch.fnmatchcase(kind, pattern) for pattern in patterns) else None
            if known[kind] is None and context.context().has_function(kind):
                definition = context.context().get_function_def(kind)
                known[kind] = next(filter(None, (forbidden(name) for node in definition.node_def for name in _kinds(node))), None)
        return known[kind]

    def callback(op_type, inputs, attrs, outputs, op_name=None, graph=None):
        kind = op_type.decode() if isinstance(op_type, bytes) else str(op_type)
        if found := forbidden(kind):
            note(OPERATIONS + found, wherever=found != kind)  # a function traced before has no line of its own
        elif "Call" in kind and attrs is not None:
            for value in attrs:
                name = getattr(value, "name", value)
                if isinstance(name, (str, bytes)) and (found := forbidden(name.decode() if isinstance(name, bytes) else name)):
                    note(OPERATIONS + found, wherever=True)

    op_callbacks.add_op_callback(callback)
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # an answer that has thrown our callback out gains nothing by it
            op_callbacks.remove_op_callback(callback)


def _kinds(node) -> list[str]:
    """The operation type of a graph's node, and the functions it calls."""
    return [node.op, *(value.func.name for value in node.attr.values() if value.HasField("func"))]


@contextlib.contextmanager
def _calls(codes: dict[CodeType, str], note):
    if not codes:
        yield
        return

    def profile(frame, event, argument):
        if event == "call" and frame.f_code in codes:
            note(codes[frame.f_code])

    before = sys.getprofile()
    sys.setprofile(profile)
    threading.setprofile(profile)
    try:
        yield
    finally:
        if sys.getprofile() is not profile:
            note("sys.setprofile", wherever=True)
        sys.setprofile(before)
        threading.setprofile(None)


@functools.lru_cache(maxsize=16)
def _codes(forbid: tuple[str, ...]) -> dict[CodeType, str]:
    """The code of every function and method that the patterns name, with its public name."""
    codes: dict[CodeType, str] = {}
    for pattern in forbid:
        if pattern.startswith(OPERATIONS):
            continue
        for name, thing in expand(pattern):
            members = [vars(thing)[method] for method in METHODS if method in vars(thing)] if inspect.isclass(thing) else [thing]
            for member in members:
                code = getattr(inspect.unwrap(member) if callable(member) else member, "__code__", None)
                if code is not None:
                    codes.setdefault(code, name)
    return codes


def modules(forbid: list[str]) -> tuple[str, ...]:
    """Modules that patterns look into and that are not loaded with TensorFlow: loading SciPy's takes half a second."""
    return tuple(sorted({pattern.rpartition(".")[0] for pattern in forbid
                         if "." in pattern and pattern.split(".")[0] not in (*ROOTS, "keras")}))


def expand(pattern: str) -> list[tuple[str, object]]:
    """Public names that a pattern matches, with what they are; only modules that are loaded are looked into."""
    head, *parts = pattern.split(".")
    found = [(head, sys.modules.get(ROOTS.get(head, head)))]
    for part in parts:
        step = []
        for name, thing in found:
            if thing is None:
                continue
            names = [part] if not any(mark in part for mark in "*?[") else \
                [member for member in dir(thing) if not member.startswith("_") and fnmatch.fnmatchcase(member, part)]
            for member in names:
                with contextlib.suppress(Exception):  # lazily loaded members can fail
                    step.append((f"{name}.{member}", getattr(thing, member)))
        found = step
    return [(name, thing) for name, thing in found if name not in NEVER]


def _student_line() -> tuple[bool, str | None]:
    """Is the answer's own code at work, rather than the probe around it, and at which line of the notebook, if at one."""
    frame, inside = sys._getframe(1), False
    while frame is not None and frame.f_code is not probes.exercise.__code__:
        file = frame.f_code.co_filename
        if probes.in_notebook(file):
            return True, linecache.getline(file, frame.f_lineno).strip()[:120] or None
        inside = inside or "__autograph_generated_file" in file
        frame = frame.f_back
    return inside, None
