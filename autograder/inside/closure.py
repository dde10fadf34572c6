"""What decides what an answer does, where a notebook is plain enough to say so: reads student code as text and runs none of it.

An answer's *closure* is the release's cells, its own, and those that define what these name, and so on. It is known of a notebook
whose own cells do nothing but define, with a few libraries. That is no wall: a function can reach further than its text shows.
Whoever takes a closure's verdict over runs the closure alone, so that only its own author can be mistaken.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence

from autograder.inside.protocol import Closure, Inspect
from autograder.inside.rules import canonical, parsed, without_magics

# The same calls of these give the same; and of what the release's cells import that is not Python's own.
LIBRARIES = frozenset(("autograder", "collections", "dataclasses", "functools", "itertools", "keras", "math", "numpy", "operator",
                       "tf", "typing", "__future__"))
DECORATORS = ("functools.partial", "keras.saving.register_keras_serializable", "keras.utils.register_keras_serializable",
              "tf.function", "staticmethod", "classmethod", "property", "dataclasses.dataclass")
# What reaches for more than its text names, or for what other cells share.
FAR = frozenset(("breakpoint", "compile", "delattr", "eval", "exec", "exit", "get_ipython", "getattr", "globals", "hash", "id",
                 "input", "locals", "open", "quit", "setattr", "vars", "__import__", "In", "Out"))
FAR_ATTRIBUTES = frozenset(("backend", "compat", "config", "experimental", "io", "numpy_function", "py_function",
                            "seed", "seterr", "timestamp"))
FAR_BEGINNINGS = ("set_", "enable_", "disable_", "load", "save", "clear_", "urandom")
OWN_DUNDERS = frozenset(("__init__", "__call__", "__name__", "__doc__"))
CONSTANTS = (ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop,
             ast.expr_context)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def closures(request: Inspect) -> dict[str, Closure]:
    """The closures of the questions that a notebook answers; none where it does more than define, or cannot be read."""
    own = [number for number, answers in enumerate(request.answers) if answers is not None]
    sources = [request.cells[number] for number in own]
    if not own or any(without_magics(source) != "\n".join(source.splitlines()) for source in sources):
        return {}
    try:
        return _closures(request, own, [parsed(source) for source in request.cells])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _closures(request: Inspect, own: Sequence[int], trees: Sequence[ast.Module]) -> dict[str, Closure]:
    given = [number for number in range(len(trees)) if number not in own]
    imported = {name: path for tree in trees for name, path in _imports(tree)}
    outer = {name for tree in trees for name in _bound(tree)}
    released = {path.split(".")[0] for number in given for _, path in _imports(trees[number])}
    libraries = LIBRARIES | released - sys.stdlib_module_names
    if not all(_plain(trees[number], imported, libraries, outer) for number in own):
        return {}
    shown = {number: ast.dump(trees[number]) for number in own}
    uses = [_loaded(tree) for tree in trees]
    binds = [set(_bound(tree)) for tree in trees]
    found = {}
    for question, beneath in request.beneath.items():
        cells = {number for number in own if request.answers[number] in (question, *beneath)}
        waiting = [*given, *cells]
        while waiting:
            names = uses[waiting.pop()]
            new = {number for number in own if number not in cells and not names.isdisjoint(binds[number])}
            cells |= new
            waiting += new
        if any(request.answers[number] == question for number in cells):
            ordered = sorted({*given, *cells})  # where each stands among the release's cells matters, too
            text = json.dumps([question, [[shown.get(number, ""), request.answers[number]] for number in ordered]])
            found[question] = Closure(tuple(ordered), hashlib.sha256(text.encode()).hexdigest())
    return found


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that imports give, with what they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                yield alias.asname or first, canonical(alias.name if alias.asname else first)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, canonical(f"{'.' * node.level}{node.module or ''}.{alias.name}")


def _bound(tree: ast.Module) -> Iterator[str]:
    """The names that a cell gives a meaning outside of its functions; a loop's and the like among them."""
    yield from (name for name, _ in _imports(tree))
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, DEFINITIONS):
            yield node.name
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        waiting += ast.iter_child_nodes(node)


def _loaded(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _plain(tree: ast.Module, imported: dict[str, str], libraries: frozenset[str], outer: set[str]) -> bool:
    """Does a cell define functions, classes and constants, and nothing that another cell could notice?"""
    return all(_defines(node, imported) for node in tree.body) and \
        all(_stays(node, imported, libraries, outer) for node in ast.walk(tree))


def _defines(node: ast.stmt, imported: dict[str, str]) -> bool:
    """Does a statement outside of functions bind names, and nothing else, to what nobody can change?"""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value is None or _constant(node.value)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        defaults = [*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)]
        return all(map(_constant, defaults)) and all(_decorates(each, imported) for each in node.decorator_list)
    if isinstance(node, ast.ClassDef):
        values = [*node.bases, *(keyword.value for keyword in node.keywords)]
        return all(map(_constant, values)) and all(_decorates(each, imported) for each in node.decorator_list) and \
            all(_defines(inner, imported) for inner in node.body)
    return False


def _constant(node: ast.expr) -> bool:
    """Is this made of numbers, texts and names?"""
    return all(isinstance(inner, CONSTANTS) for inner in ast.walk(node))


def _decorates(node: ast.expr, imported: dict[str, str]) -> bool:
    if isinstance(node, ast.Call):
        return all(map(_constant, (*node.args, *(each.value for each in node.keywords)))) and _decorates(node.func, imported)
    return _path(node, imported) in DECORATORS


def _path(node: ast.expr, imported: dict[str, str]) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return canonical(".".join([imported.get(node.id, node.id), *reversed(parts)])) if isinstance(node, ast.Name) else ""


def _stays(node: ast.AST, imported: dict[str, str], libraries: frozenset[str], outer: set[str]) -> bool:
    """Does a node neither reach for what it does not name nor change what is not its own?"""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return all(path.split(".")[0] in libraries and not path.endswith(".*") for _, path in _imports(ast.Module([node], [])))
    if isinstance(node, ast.Name):
        return node.id not in FAR and imported.get(node.id, "math").split(".")[0] in libraries
    if isinstance(node, ast.Call) and not (node.args or node.keywords):
        return not (isinstance(node.func, ast.Attribute) and node.func.attr == "default_rng")  # of its own seed each time
    if isinstance(node, ast.Attribute):
        name = node.attr
        if name in FAR_ATTRIBUTES or name.startswith(FAR_BEGINNINGS) or name.startswith("__") and name not in OWN_DUNDERS:
            return False
    if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        root = node.value
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        return isinstance(root, ast.Name) and root.id not in outer and not hasattr(builtins, root.id)
    return not isinstance(node, ast.Global)
