"""Is a right answer written otherwise still right? References in float64, as graphs, with `keras.ops`, in another order."""

from __future__ import annotations

import ast
import functools
import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from autograder.authoring.answers import Exercise, declared
from autograder.authoring.build import source_digest
from autograder.authoring.course import Course
from autograder.authoring.rewritten import rewritten, source_of
from autograder.authoring.separation import tolerances
from autograder.grading.key import Key

SAME = ("abs argmax argmin cast cos einsum equal exp expand_dims eye floor log log1p matmul maximum minimum ones ones_like "
        "reshape round shape sigmoid sign sin sqrt square squeeze stack tanh tensordot tile transpose where zeros "
        "zeros_like").split()
KERAS = {  # tf's name -> that of keras.ops with the same arguments
    **{name: name for name in SAME}, "reduce_sum": "sum", "reduce_mean": "mean", "reduce_max": "max", "reduce_min": "min",
    "reduce_prod": "prod", "concat": "concatenate", "range": "arange", "pow": "power"}


def variants(answer: Callable) -> Iterator[tuple[str, Callable]]:
    """Other ways to write a reference, each with its name. Some do not fit it: they raise, here or when they are called."""
    if inspect.isclass(answer):
        yield "in float64", type(answer.__name__, (answer,), {"__init__": _float64_layer(answer)})
    else:
        import tensorflow as tf  # lazy: as everywhere

        yield "under tf.function", tf.function(answer)
        yield "in float64", functools.wraps(answer)(_float64(answer))
    tree = ast.parse(source_of(answer))
    for words, change in (("with keras.ops", _Keras()), ("in another order", _Reversed())):
        changed = ast.unparse(ast.fix_missing_locations(change.visit(ast.parse(source_of(answer)))))
        if changed != ast.unparse(tree):
            try:
                yield words, rewritten(answer, f"{HELP}\n{changed}", words)
            except Exception:  # it does not fit
                continue


def farthest(course: Course, assignment: str, key: Key, run: Callable = map) -> list[tuple[float, str]]:
    """How many tolerances the honest variants of each question are away from what is expected, and which does what in which case.

    Args:
        run: works as the built-in `map` does.
    """
    folder = course.solution(assignment)
    work = functools.partial(_farthest, folder, source_digest(folder), key)
    return [found for one in run(work, [question.name for question in key.questions]) for found in one or []]


def _farthest(folder: Path, digest: str, key: Key, name: str) -> list[tuple[float, str]]:
    questions, extra, observers = declared(folder, digest)
    (asked,) = [question for question in key.questions if question.name == name]
    declarations, found = {case.name: case for case in questions[name].cases}, []
    for words, answer in variants(questions[name].answer):
        for case in asked.cases:
            exercise = Exercise(folder, questions[name], declarations[case.name], questions, case.inputs, extra, observers)
            away = tolerances(case, exercise.outcome(answer))
            if not math.isinf(away):  # else it does not fit the reference: a graph has no Python loops, say
                found.append((away, f"{name} {words}, in {case.name}"))
    return [max(found)] if found else []


def _float64(answer: Callable) -> Callable:
    def wide(*arguments, **options):
        casts: list[str] = []
        given = _cast(arguments, "float32", "float64", casts)
        result = answer(*given, **options)
        return _cast(result, "float64", "float32", []) if casts else result  # where all is float64 anyway, that is asked for

    return wide


def _float64_layer(answer: type) -> Callable:
    def __init__(self, *arguments, **options):
        answer.__init__(self, *arguments, **{"dtype": "float64", **options})

    return __init__


def _cast(value, old: str, new: str, casts: list[str]):
    """A value with its arrays and tensors of one dtype in another; `casts` gets a note for each."""
    import tensorflow as tf

    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_cast(item, old, new, casts) for item in value)
    if isinstance(value, dict):
        return {name: _cast(item, old, new, casts) for name, item in value.items()}
    if getattr(getattr(value, "dtype", None), "name", "") != old or isinstance(value, tf.Variable):
        return value
    casts.append(old)
    return tf.cast(value, new) if tf.is_tensor(value) else np.asarray(value, new)


class _Keras(ast.NodeTransformer):
    """tf.reduce_sum(…) -> keras.ops.sum(…), also where it stands in tf.math."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr in KERAS and ast.unparse(node.value) in ("tf", "tf.math", "tf.linalg", "tf.nn"):
            return ast.parse(f"_ops.{KERAS[node.attr]}", mode="eval").body
        return self.generic_visit(node)


class _Reversed(ast.NodeTransformer):
    """Sums, means and products of matrices whose terms are added from the other end."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = ast.unparse(node.func)
        if name in ("tf.reduce_sum", "tf.reduce_mean", "tf.math.reduce_sum", "tf.math.reduce_mean"):
            return ast.Call(ast.Name("_reversed"), [node.func, *node.args], node.keywords)
        if name in ("tf.matmul", "tf.linalg.matmul") and len(node.args) == 2 and not node.keywords:
            return ast.Call(ast.Name("_reversed_product"), node.args, [])
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("_reversed_product"), [node.left, node.right], []) if isinstance(node.op, ast.MatMult) else node


def _reversed(reduce: Callable, values, axis=None, keepdims=False):
    import tensorflow as tf

    values = tf.convert_to_tensor(values)
    return reduce(values[(slice(None, None, -1),) * values.shape.rank], axis, keepdims) if axis is None else \
        reduce(tf.reverse(values, [axis] if isinstance(axis, int) else list(axis)), axis, keepdims)


def _reversed_product(left, right):
    if left.ndim < 2 or right.ndim < 2:
        return left @ right
    return left[..., ::-1] @ right[..., ::-1, :]


HELP = f"from {__name__} import _reversed, _reversed_product\nfrom keras import ops as _ops"
