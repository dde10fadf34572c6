"""From what an answer did inside to what is compared: the trusted half of a probe. Nothing here runs student code.

A probe *exercises* an answer in its sandbox and returns raw arrays (`autograder.inside.probes`). What is concluded from them is
concluded here, by the function of the same name in the assignment's `observe.py`: `name(seen, inputs, **options)` returns the
observation. `seen` comes from a process in which student code ran: any names, shapes and values, or words where no array was
given. A probe without such a function is compared as it is.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import numpy as np

from autograder.inside import probes
from autograder.inside.protocol import NO_ARRAY, WORDS, Failure, Observation, Outcome, Probe

FILE = "observe.py"  # beside an assignment's probes.py; students get it, a sandbox never
ODD = "gave back something else than the question asks for."


def load_observers(folder: Path) -> ModuleType | None:
    """An assignment's `observe.py` in `folder`, if it has one."""
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("assignment_observers", path)
    assert spec is not None and spec.loader is not None  # of a file that ends in .py
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def without_observers(files: Iterable[Path]) -> list[Path]:
    """Of the files that a release ships, those that a sandbox may hold."""
    return [file for file in files if file.name != FILE]


def observed(outcome: Outcome, probe: Probe, inputs, observers: ModuleType | None) -> Outcome:
    """An outcome with what is compared in the place of what was seen; whatever was seen, there is one."""
    if outcome.observation is None:
        return outcome
    seen = {name: plain_words(value) if isinstance(value, str) else value for name, value in outcome.observation.items()}
    observer = getattr(observers, probe.name, None)
    if observer is None:
        return dataclasses.replace(outcome, observation=seen)
    try:
        with np.errstate(all="ignore"):
            found: Observation = {name: probes.array(value) if not isinstance(value, (str, np.ndarray)) else value
                                  for name, value in observer(seen, inputs, **probe.options).items()}
        return dataclasses.replace(outcome, observation=found)
    except probes.AnswerError as error:
        return dataclasses.replace(outcome, observation=None, failure=probes.failure(error))
    except Exception:  # something that no answer of the right form gives
        return dataclasses.replace(outcome, observation=None, failure=Failure("AnswerError", ODD, sentence=ODD))


def tried(answer, probe: Probe, inputs, seed: str, extra: ModuleType | None, observers: ModuleType | None) -> Outcome:
    """The outcome of an answer that runs in this process: a reference, a known mistake, or a student's own in a notebook.

    Raises:
        whatever the answer raises.
    """
    return observed(Outcome(probes.exercise(answer, probe, inputs, seed, extra)), probe, inputs, observers)


def plain_words(text: str) -> str:
    """One of the few texts that may stand where an array is missing."""
    return text if text in WORDS else NO_ARRAY


def sentences(folder: Path) -> tuple[str, ...]:
    """Every sentence that an `AnswerError` may have in an assignment: what hidden cases may say is one of them."""
    found = [ODD]
    for path in (Path(probes.__file__), *(Path(folder) / name for name in ("probes.py", FILE))):
        if not path.is_file():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "AnswerError" \
                    and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                found.append(node.args[0].value)
    return tuple(dict.fromkeys(found))
