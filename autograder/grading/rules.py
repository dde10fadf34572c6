"""What an answer may not use, as its source says it. Trusted: reads student code as text and runs none of it.

Names are followed through imports, aliases and `getattr` with a constant, in the answer and in every function, class and alias of
the notebook that it reaches. What a source hides, `autograder.inside.watch` sees when it runs.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
from dataclasses import dataclass, field

from autograder.inside.watch import NEVER

CANONICAL = (("tensorflow.compat.v1", "tf"), ("tensorflow.compat.v2", "tf"), ("tensorflow", "tf"), ("tf.keras", "keras"),
             ("tf.compat.v1", "tf"), ("tf.compat.v2", "tf"), ("np", "numpy"))
MAX_DEFINITIONS = 2000


@dataclass
class _Names:
    """What the names of a notebook stand for: dotted paths of libraries, and definitions of the notebook's own."""

    paths: dict[str, set[str]] = field(default_factory=dict)
    definitions: dict[str, list[tuple[ast.AST, str]]] = field(default_factory=dict)  # name -> (node, source of its cell)


def violation(question: str, sources: list[str], forbid: tuple[str, ...], others: tuple[str, ...] = ()) -> tuple[str, str] | None:
    """The first forbidden name that the answer to a question reaches.

    Args:
        sources: the notebook's code cells, in order.
        others: the other questions; their answers have rules of their own.
    Returns:
        (public name, the line that uses it), or None.
    """
    if not forbid:
        return None
    names = _read(tuple(sources))
    waiting, done = [(question, "")], set()
    while waiting and len(done) < MAX_DEFINITIONS:
        name, origin = waiting.pop()
        if name in others or (name, origin) in done:
            continue
        done.add((name, origin))
        known = names.definitions.get(name, ())
        # Two cells may each have a helper of the same name: a cell's own is meant.
        for node, source in [item for item in known if item[1] == origin] or known:
            for inner in ast.walk(node):
                for path in _paths(inner, names):
                    if any(_matches(path, pattern) for pattern in forbid):
                        return path, _line(source, inner)
                if isinstance(inner, ast.ImportFrom | ast.Import):
                    for path in _imported(inner).values():
                        if any(_matches(path, pattern) for pattern in forbid):
                            return path, _line(source, inner)
                if isinstance(inner, ast.Name) and inner.id in names.definitions:
                    waiting.append((inner.id, source))
    return None


@functools.lru_cache(maxsize=4)
def _read(sources: tuple[str, ...]) -> _Names:
    """A notebook's names; the questions of a submission follow one another and share them."""
    names = _Names()
    for source in sources:
        _collect(source, names)
    return names


def canonical(path: str) -> str:
    """`tensorflow.keras.layers.Dense` -> `keras.layers.Dense`, as patterns spell it."""
    for _ in range(3):
        for old, new in CANONICAL:
            if path == old or path.startswith(old + "."):
                path = new + path[len(old):]
    return path


def _matches(path: str, pattern: str) -> bool:
    return path not in NEVER and fnmatch.fnmatchcase(path, canonical(pattern))


def _collect(source: str, names: _Names) -> None:
    """Note what a cell imports, defines and renames; cells that do not parse never run either."""
    try:
        tree = ast.parse(_without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, path in _imported(node).items():
                names.paths.setdefault(name, set()).add(path)
    for _ in range(3):  # aliases of aliases
        for node in ast.walk(tree):
            target = None
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                target, value = node.targets[0].id, node.value
            elif isinstance(node, ast.NamedExpr | ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                target, value = node.target.id, node.value
            if target is not None:
                names.paths.setdefault(target, set()).update(_paths(value, names))
    for node in tree.body:
        for name, part in _defined(node):
            names.definitions.setdefault(name, []).append((part, source))


def _defined(node: ast.AST):
    """What a top-level statement defines, also inside `if`, `try` and `with`."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, node
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            for inner in ast.walk(target):
                if isinstance(inner, ast.Name):
                    yield inner.id, node
    elif isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
        for inner in ast.iter_child_nodes(node):
            yield from _defined(inner)
    elif isinstance(node, ast.ExceptHandler):
        for inner in node.body:
            yield from _defined(inner)


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name.split(".")[0]: canonical(alias.name if alias.asname else alias.name.split(".")[0])
                for alias in node.names}
    return {alias.asname or alias.name: canonical(f"{node.module or ''}.{alias.name}") for alias in node.names if not node.level}


def _paths(node: ast.AST, names: _Names) -> set[str]:
    """The dotted paths of libraries that an expression can stand for."""
    if isinstance(node, ast.Name):
        return names.paths.get(node.id, set())
    if isinstance(node, ast.Attribute):
        return {canonical(f"{path}.{node.attr}") for path in _paths(node.value, names)}
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        owner = node.value  # vars(tf.nn)["softmax"], tf.nn.__dict__["softmax"]
        if isinstance(owner, ast.Attribute) and owner.attr == "__dict__":
            return {canonical(f"{path}.{node.slice.value}") for path in _paths(owner.value, names)}
        if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "vars" and owner.args:
            return {canonical(f"{path}.{node.slice.value}") for path in _paths(owner.args[0], names)}
    if isinstance(node, ast.Call):
        function = getattr(node.func, "id", getattr(node.func, "attr", ""))  # of a name, of an attribute
        texts = [value for argument in node.args if (value := _text(argument)) is not None]
        if function == "getattr" and len(node.args) >= 2 and texts:
            return {canonical(f"{path}.{texts[0]}") for path in _paths(node.args[0], names)}
        if function in ("import_module", "__import__") and texts:
            return {canonical(texts[0])} if function == "import_module" else {canonical(texts[0].split(".")[0])}
    return set()


def _text(node: ast.AST) -> str | None:
    """A string that the source writes out, also in pieces."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.JoinedStr):
        parts = [_text(part.value if isinstance(part, ast.FormattedValue) else part) for part in node.values]
        return None if None in parts else "".join(parts)
    return None


def _without_magics(source: str) -> str:
    """Lines of IPython's own syntax become `pass`, so that the rest parses; a cell magic keeps its body."""
    lines = source.splitlines()
    return "\n".join(line[:len(line) - len(line.lstrip())] + "pass" if line.lstrip().startswith(("%", "!", "?")) else line
                     for line in lines)


def _line(source: str, node: ast.AST) -> str:
    lines = source.splitlines()
    number = getattr(node, "lineno", 0)
    return lines[number - 1].strip()[:120] if 0 < number <= len(lines) else ""
