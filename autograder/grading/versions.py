"""Which releases computed an answer key, which run answers here, and whether that can matter.

A minor release of TensorFlow, Keras or NumPy may compute other numbers or take other arguments; a patch release mends bugs. A
newer Python knows syntax that an older one does not: it matters where answers run with a newer one than built the key.
"""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from collections.abc import Mapping

import autograder

TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu")  # its distributions
WORDS = {"python": "Python", "tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}  # what is compared


def installed() -> dict[str, str]:
    """The releases that this process would run answers with, by name; "" for what is not there. Imports nothing."""
    return {"python": platform.python_version(), "tensorflow": release(*TENSORFLOW), "keras": release("keras"),
            "numpy": release("numpy"), "autograder": autograder.__version__}


@functools.cache  # every verdict names them, and looking each up takes half a millisecond
def release(*names: str) -> str:
    """The release of the first of these distributions that is installed; "" when none is."""
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def notice(built: Mapping[str, str], here: Mapping[str, str]) -> str:
    """One sentence when answers run with other releases than their key was built with, in a way that can matter; else "".

    Args:
        built: releases that computed the key.
        here: releases that run answers.
    """
    other = [name for name in WORDS if built.get(name) and here.get(name) and _matters(name, built[name], here[name])]
    if not other:
        return ""
    return f"Answers run with {_listed(here, other)} here; the expected values were computed with {_listed(built, other)}."


def _matters(name: str, built: str, here: str) -> bool:
    return _minor(here) > _minor(built) if name == "python" else _minor(here) != _minor(built)


def _minor(version: str) -> list[int]:
    """Major and minor number of a release."""
    return [int("".join(filter(str.isdigit, part)) or 0) for part in version.split(".")[:2]]


def _listed(versions: Mapping[str, str], names: list[str]) -> str:
    return ", ".join(f"{WORDS[name]} {versions[name]}" for name in names)
