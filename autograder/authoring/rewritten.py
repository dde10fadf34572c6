"""Answers made out of a reference by changing its text: variations that an author names, mutants and honest rewritings."""

from __future__ import annotations

import contextlib
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from autograder.authoring.blame import DeclarationError


def source_of(answer: Callable) -> str:
    """The text of the lesson's cell that a reference comes from, its markers included."""
    folder = Path(str(sys.modules[answer.__module__].__file__)).parent
    # Not inspect.getsource: it looks for a class in the file of its module, and a cell's lines are not the file's.
    return "".join(linecache.getlines(f"<{folder.name}:{answer.__name__}>"))


def varied(answer: Callable, changes: Mapping[str, str]) -> str:
    """The text of a reference with some of it replaced.

    Args:
        changes: old text, which occurs once, by new text.
    Raises:
        DeclarationError: it occurs more or less often, or the new is the old.
    """
    source = source_of(answer)
    for old, new in changes.items():
        if not isinstance(old, str) or not isinstance(new, str) or not old or old == new:
            raise DeclarationError(f"a variation replaces text by other text. Received: {old!r}: {new!r}")
        if (times := source.count(old)) != 1:
            advice = "write more of what stands around it" if times else "copy it from the lesson"
            raise DeclarationError(f"the reference must contain {old!r} once; it does {times} times: {advice}")
        source = source.replace(old, new)
    return source


def rewritten(answer: Callable, source: str, name: str) -> Callable:
    """What a cell's text defines in the place of a reference, beside all else that its lesson defines.

    Args:
        name: of the text, in tracebacks.
    Raises:
        whatever running the text raises.
    """
    filename = f"<rewritten {answer.__name__}: {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = dict(vars(sys.modules[answer.__module__]))
    with _registered_again():
        exec(compile(source, filename, "exec"), namespace)
    return namespace[answer.__name__]


@contextlib.contextmanager
def _registered_again() -> Iterator[None]:
    """Let what the reference has registered with Keras under its name stay registered."""
    import keras

    registered = keras.saving.get_custom_objects()
    before = dict(registered)
    try:
        yield
    finally:
        registered.clear()
        registered.update(before)
