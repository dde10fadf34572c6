"""Wrong answers derived from a reference by changing one thing of its syntax tree: students' slips, by the hundred.

Each is a *mutant*. What changes nothing for any input is no mistake (`autograder.authoring.mutation` tries); of the rest, every
one should cost points, and most should have a name.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import os
from collections.abc import Callable, Iterator

from autograder.authoring.lesson import BEGIN, END

MOST_SHOWN = 80  # characters of what was changed, and of what it became
OTHER_FUNCTION = {  # by the last part of its name
    "reduce_sum": "reduce_mean", "reduce_mean": "reduce_sum", "sum": "mean", "mean": "sum", "reduce_max": "reduce_min",
    "reduce_min": "reduce_max", "max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum", "argmax": "argmin",
    "argmin": "argmax", "exp": "expm1", "log": "log1p", "log1p": "log", "floor": "ceil", "ceil": "floor", "tanh": "sigmoid",
    "sigmoid": "tanh", "ones": "zeros", "zeros": "ones", "sin": "cos", "cos": "sin", "reduce_any": "reduce_all",
    "reduce_all": "reduce_any", "any": "all", "all": "any"}
DROPPED_FUNCTION = {  # f(x, …) becomes x: a forgotten step
    "transpose", "sqrt", "rsqrt", "square", "abs", "stop_gradient", "softmax", "relu", "reverse", "cast", "sorted", "reversed",
    "log", "exp", "clip_by_value", "permutation", "expand_dims", "squeeze", "tanh", "sigmoid", "round"}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
             ast.Mod: ast.FloorDiv}
STRICTNESS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
OPPOSITE = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
            ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}
OTHER_DTYPE = {"float32": "int32", "float64": "float16", "int32": "float32", "int64": "int32", "bool": "float32"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A reference with one thing changed.

    Attributes:
        kind: of slip, as the report counts them.
        line: of the cell, from 1.
        was, now: the part that was changed, as Python.
        source: the whole cell's text.
        text: old and new text for a variation; None where no text that occurs once makes it.
    """

    kind: str
    line: int
    was: str
    now: str
    source: str
    text: tuple[str, str] | None = None

    @property
    def change(self) -> str:
        """As one line, by which an author may list it: `return tf.reduce_sum(x, axis=-1) → return tf.reduce_sum(x, axis=0)`."""
        was, now = (" ".join(code.split()) for code in self.text or (self.was, self.now))
        first = len(os.path.commonprefix([was, now]))
        return f"{_around(was, first)} → {_around(now, first)}"


def mutants(cell: str) -> list[Mutant]:
    """Every mutant of a cell's answer, in the order of its lines. Only what a student writes is changed.

    Args:
        cell: with the markers around its solution.
    """
    lines, solution, inside = cell.splitlines(), set(), False
    for number, line in enumerate(lines, 1):
        inside = (inside or line.strip() == BEGIN) and line.strip() != END
        if inside:
            solution.add(number)
    tree, found, texts = ast.parse(cell), [], {ast.unparse(ast.parse(cell))}
    nodes = list(ast.walk(tree))
    for number, node in enumerate(nodes):
        if not isinstance(node, (ast.stmt, ast.expr, ast.keyword)) or node.lineno not in solution:
            continue
        for kind, changed in _changes(node):
            other = copy.deepcopy(tree)
            twin = list(ast.walk(other))[number]
            try:
                source = ast.unparse(ast.fix_missing_locations(_Replace(twin, changed).visit(other)))
            except (ValueError, TypeError, AttributeError):  # what no source stands for
                continue
            if source not in texts:
                texts.add(source)
                now = ast.unparse(changed)
                found.append(Mutant(kind, node.lineno, ast.unparse(node), now, source, _text(cell, node, now, source)))
    return sorted(found, key=lambda mutant: mutant.line)


def spread(found: list[Mutant], limit: int | None) -> list[Mutant]:
    """At most so many of them, from everywhere: the same ones each time."""
    if limit is None or len(found) <= limit:
        return found
    return [found[number * len(found) // limit] for number in range(limit)]


def _text(cell: str, node: ast.stmt | ast.expr | ast.keyword, now: str, source: str) -> tuple[str, str] | None:
    lines = cell.splitlines()
    if node.lineno != node.end_lineno:
        return None
    line = lines[node.lineno - 1].encode()  # columns are counted in bytes
    new = (line[:node.col_offset] + now.encode() + line[node.end_col_offset:]).decode().strip()
    old = line.decode().strip()
    if cell.count(old) != 1:
        return None
    try:
        same = ast.unparse(ast.parse(cell.replace(old, new))) == source
    except SyntaxError:
        return None
    return (old, new) if same else None


class _Replace(ast.NodeTransformer):
    def __init__(self, node: ast.AST, new: ast.AST):
        self.node, self.new = node, new

    def visit(self, node: ast.AST):
        return self.new if node is self.node else self.generic_visit(node)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in a node's place, each with its kind."""
    for kind, make in KINDS:
        for new in make(copy.deepcopy(node)):
            yield kind, new


def _changed(node: ast.AST, **fields) -> ast.AST:
    """The same kind of node with other fields."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _operator(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        yield _changed(node, op=OPERATORS[type(node.op)]())


def _operand(node: ast.AST) -> Iterator[ast.AST]:
    """A forgotten bias, 1/n, √d or factor."""
    if isinstance(node, ast.BinOp):
        yield node.left
        if isinstance(node.op, (ast.Add, ast.Mult)):
            yield node.right
        if isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant):  # 1 − p
            yield node.right
        if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow)):
            yield _changed(node, left=node.right, right=node.left)


def _sign(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert, ast.Not)) \
            and not isinstance(node.operand, ast.Constant):
        yield node.operand
    if value := _given(node):
        yield _changed(node, value=ast.UnaryOp(ast.USub(), value))


def _given(node: ast.AST) -> ast.expr | None:
    """What a function gives back, if that is one thing."""
    value = node.value if isinstance(node, ast.Return) else None
    return None if isinstance(value, (ast.Tuple, ast.Dict, ast.Constant)) else value


def _comparison(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for table in (STRICTNESS, OPPOSITE):
            if type(node.ops[0]) in table:
                yield _changed(node, ops=[table[type(node.ops[0])]()])
    if isinstance(node, ast.BoolOp):
        yield _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        yield _changed(node, op=ast.BitOr() if isinstance(node.op, ast.BitAnd) else ast.BitAnd())


def _constant(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Constant) or isinstance(node.value, (str, bytes, bool, complex)) or node.value is None:
        return
    if isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
        if node.value > 0:
            yield ast.Constant(node.value - 1)
    elif isinstance(node.value, float) and node.value:
        yield ast.Constant(node.value * 2)
        yield ast.Constant(1.0)


def _axis(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, ast.keyword) or node.arg not in ("axis", "axes", "batch_dims", "perm"):
        return
    value = node.value
    if isinstance(value, ast.UnaryOp) and isinstance(value.operand, ast.Constant) and isinstance(value.operand.value, int):
        others: tuple = (0, -value.operand.value - 1) if value.operand.value < 2 else (0, -1)
    elif isinstance(value, ast.Constant) and isinstance(value.value, int):
        others = (-1, value.value + 1)
    elif isinstance(value, (ast.List, ast.Tuple)) and len(value.elts) > 1:
        for i in range(len(value.elts) - 1):
            swapped = list(value.elts)
            swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
            yield _changed(node, value=_changed(value, elts=swapped))
        others = ()
    else:
        others = ()
    for other in others:
        yield _changed(node, value=ast.parse(str(other), mode="eval").body)


def _flag(node: ast.AST) -> Iterator[ast.AST]:
    """keepdims, transpose_a, reverse, training, use_bias, from_logits, …"""
    if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
        yield _changed(node, value=ast.Constant(not node.value.value))
    if isinstance(node, ast.keyword) and node.arg == "training":
        yield from (_changed(node, value=ast.Constant(value)) for value in (True, False))


def _dtype(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Attribute) and node.attr in OTHER_DTYPE:
        yield _changed(node, attr=OTHER_DTYPE[node.attr])
    if isinstance(node, ast.Constant) and node.value in ("float32", "int32"):
        yield ast.Constant(OTHER_DTYPE[node.value])


def _function(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in DROPPED_FUNCTION and node.args:
        yield node.args[0]
    if other := OTHER_FUNCTION.get(name):
        if isinstance(node.func, ast.Attribute):
            yield _changed(node, func=_changed(node.func, attr=other))
        else:
            yield _changed(node, func=ast.Name(other))
    if name == "where" and len(node.args) == 3:
        yield _changed(node, args=[node.args[0], node.args[2], node.args[1]])
    elif len(node.args) >= 2 and not any(isinstance(arg, ast.Starred) for arg in node.args[:2]):
        yield _changed(node, args=[node.args[1], node.args[0], *node.args[2:]])
    if name == "range" and len(node.args) <= 2:
        last = node.args[-1]
        yield _changed(node, args=[*node.args[:-1], ast.BinOp(last, ast.Sub(), ast.Constant(1))])
        yield _changed(node, args=[*node.args[:-1], ast.BinOp(last, ast.Add(), ast.Constant(1))])


def _forgotten(node: ast.AST) -> Iterator[ast.AST]:
    """An argument or a step that is left out."""
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg:
                yield _changed(node, keywords=[other for other in node.keywords if other is not keyword])
    if isinstance(node, (ast.AugAssign, ast.Expr)) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        yield ast.Pass()
    if isinstance(node, ast.If):
        yield _changed(node, test=ast.Constant(False))
        yield _changed(node, test=ast.Constant(True))
    if isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse


def _order(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        yield _changed(node, value=_changed(node.value, elts=node.value.elts[::-1]))


def _slice(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Slice):
        if node.lower is not None:
            yield _changed(node, lower=None)
        if node.upper is not None:
            yield _changed(node, upper=None)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value


def _gradient(node: ast.AST) -> Iterator[ast.AST]:
    """A gradient that is stopped where it should flow."""
    if value := _given(node):
        name = ast.Attribute(ast.Name("tf", ast.Load()), "stop_gradient", ast.Load())
        yield _changed(node, value=ast.Call(name, [value], []))


KINDS: tuple[tuple[str, Callable[[ast.AST], Iterator[ast.AST]]], ...] = (
    ("operator", _operator), ("forgotten or exchanged operand", _operand), ("sign or negation", _sign),
    ("comparison", _comparison),
    ("constant", _constant), ("axis", _axis), ("flag", _flag), ("dtype", _dtype), ("function or arguments", _function),
    ("forgotten argument or step", _forgotten), ("order of results", _order), ("slice or transpose", _slice),
    ("stopped gradient", _gradient))


def _around(text: str, place: int) -> str:
    """A short text whole, of a long one what is around a place."""
    if len(text) <= MOST_SHOWN:
        return text
    start = max(0, min(place - MOST_SHOWN // 2, len(text) - MOST_SHOWN))
    return "…" * (start > 0) + text[start:start + MOST_SHOWN] + "…" * (start + MOST_SHOWN < len(text))
