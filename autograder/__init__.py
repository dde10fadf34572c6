"""A course kit for neural networks with Keras and TensorFlow: lessons, and an autograder that students can trust.

The public names are loaded when first used: a student's notebook that only says `from autograder import check` does not
load the grader. A sandbox holds this file, `data`, `diagrams`, `moving`, `plots` and `inside`, and nothing else of the package.
"""

import importlib

__version__ = "0.2.0"
__all__ = ["Question", "check", "data", "diagrams", "grade", "load_lesson", "moving", "plots", "probes"]

_HOME = {"Question": "authoring.question", "load_lesson": "authoring.lesson", "check": "student.check", "grade": "grading.grade"}
_MODULES = {"data": "data", "diagrams": "diagrams", "moving": "moving", "plots": "plots", "probes": "inside.probes"}


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"autograder.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"autograder.{_MODULES[name]}")
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
