"""What an answer may not use, as its source says it: reads student code as text and runs none of it.

Names are followed through imports, aliases and `getattr` with a constant, in the answer and in every function, class and alias of
the notebook that it reaches. What a source hides, `autograder.inside.watch` sees when it runs; neither is a proof. Sources are
hostile, too: this runs in a submission's process before its cells do, within limits of its own, and says so where they end it.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
from dataclasses import dataclass, field

from autograder.inside.protocol import MAX_LINE, Inspect, Inspected, Use
from autograder.inside.watch import NEVER

CANONICAL = (("tensorflow.compat.v1", "tf"), ("tensorflow.compat.v2", "tf"), ("tensorflow", "tf"), ("tf.keras", "keras"),
             ("tf.compat.v1", "tf"), ("tf.compat.v2", "tf"), ("np", "numpy"))
MAX_STEPS = 500_000  # nodes and paths looked at, of all cells and for all questions; twenty times what the longest lesson takes
MAX_PATHS = 40  # that one name can stand for
MAX_PARTS = 12  # of a path; no library's public names are that deep
MAX_DEPTH = 40  # of an expression that stands for a path, or of a text in pieces
FOR_LESSONS = ("check", "data", "diagrams", "moving", "plots")  # of the package, and of anybody's interest
SUSPECTS = {"ctypes": "ctypes", "_ctypes": "ctypes", "subprocess": "subprocess", "os.system": "subprocess",
            "os.popen": "subprocess", "os.fork": "fork", "multiprocessing": "fork",
            "tf.Session": "v1 session", "tf.InteractiveSession": "v1 session",
            "sys.setprofile": "watch", "sys.settrace": "watch"}


class TooComplex(Exception):
    """A source that cannot be read within the limits; the message is "too large" or "too deeply nested"."""


@dataclass
class _Names:
    """What the names of a notebook stand for: dotted paths of libraries, and definitions of the notebook's own.

    `unread` says why some of it was left out; `left` is how many steps of reading it may still cost.
    """

    paths: dict[str, set[str]] = field(default_factory=dict)
    definitions: dict[str, list[tuple[ast.AST, str]]] = field(default_factory=dict)  # name -> (node, source of its cell)
    signs: set[str] = field(default_factory=set)
    unread: str = ""
    left: int = MAX_STEPS

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooComplex("too large")

    def add(self, name: str, paths: set[str]) -> None:
        known = self.paths.setdefault(name, set())
        known.update(path for path in sorted(paths)[:MAX_PATHS] if path.count(".") < MAX_PARTS)
        if len(known) > MAX_PATHS:
            self.paths[name] = set(sorted(known)[:MAX_PATHS])
            self.unread = self.unread or "too complex"


def inspect(request: Inspect) -> Inspected:
    """Read a notebook for what each of its questions rules out; total: what cannot be read is said."""
    names, found = _Names(), {}
    try:
        for source in request.cells:
            _collect(source, names)
        for question, forbid in request.questions.items():
            if use := _violation(question, names, tuple(forbid), set(request.questions) - {question}):
                found[question] = use
    except TooComplex as error:
        names.unread = str(error)
    except (RecursionError, MemoryError):
        names.unread = "too deeply nested"
    return Inspected(found, tuple(sorted(names.signs)), names.unread)


def _violation(question: str, names: _Names, forbid: tuple[str, ...], others: set[str]) -> Use | None:
    """The first forbidden name that the answer to a question reaches, with its line; `others` have rules of their own."""
    if not forbid:
        return None
    patterns = tuple(canonical(pattern) for pattern in forbid)
    judged: dict[str, bool] = {}

    def ruled_out(path: str) -> bool:
        if path not in judged:
            names.spend(len(patterns))
            judged[path] = path not in NEVER and any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
        return judged[path]

    waiting, done = [(question, "")], set()
    while waiting:
        name, origin = waiting.pop()
        if name in others or (name, origin) in done:
            continue
        done.add((name, origin))
        known = names.definitions.get(name, ())
        # Two cells may each have a helper of the same name: a cell's own is meant.
        for node, source in [item for item in known if item[1] == origin] or known:
            for inner in ast.walk(node):
                names.spend()
                paths = _paths(inner, names)
                if isinstance(inner, ast.ImportFrom | ast.Import):
                    paths = set(_imported(inner).values())
                for path in sorted(paths):
                    if ruled_out(path):
                        return Use(path, _line(source, inner))
                if isinstance(inner, ast.Name) and inner.id in names.definitions:
                    waiting.append((inner.id, source))
    return None


def canonical(path: str) -> str:
    """`tensorflow.keras.layers.Dense` -> `keras.layers.Dense`, as patterns spell it."""
    for _ in range(3):
        for old, new in CANONICAL:
            if path == old or path.startswith(old + "."):
                path = new + path[len(old):]
    return path


def _collect(source: str, names: _Names) -> None:
    """Note what a cell imports, defines and renames; cells that do not parse never run either."""
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError):
        return
    except (RecursionError, MemoryError):
        names.unread = "too deeply nested"
        return
    nodes = list(ast.walk(tree))
    names.spend(len(nodes))
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, path in _imported(node).items():
                names.add(name, {path})
    for _ in range(3):  # aliases of aliases
        for node in nodes:
            target = None
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                target, value = node.targets[0].id, node.value
            elif isinstance(node, ast.NamedExpr | ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                target, value = node.target.id, node.value
            if target is not None:
                names.add(target, _paths(value, names))
    for node in nodes:
        names.signs.update(_signs(node, names))
    for node in tree.body:
        for name, part in _defined(node):
            names.definitions.setdefault(name, []).append((part, source))


def _signs(node: ast.AST, names: _Names) -> set[str]:
    """Marks of `protocol.SIGNS` that a node gives, for a person to look at."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("exec", "eval", "compile"):
        return {"exec"}
    if isinstance(node, ast.Import | ast.ImportFrom):
        paths = {canonical(alias.name) for alias in node.names} if isinstance(node, ast.Import) else \
            {canonical(f"{node.module or ''}.{alias.name}") for alias in node.names}
    else:
        paths = _paths(node, names) if isinstance(node, ast.Attribute) else set()
    found = {sign for path in paths for suspect, sign in SUSPECTS.items() if path == suspect or path.startswith(suspect + ".")}
    if any(path.startswith("autograder.") and path.split(".")[1] not in FOR_LESSONS for path in paths):
        found.add("autograder")
    return found


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


def _paths(node: ast.AST, names: _Names, depth: int = 0) -> set[str]:
    """The dotted paths of libraries that an expression can stand for: none where it is nested deeper than any honest one."""
    names.spend()
    if depth > MAX_DEPTH:
        return set()
    depth += 1
    if isinstance(node, ast.Name):
        return names.paths.get(node.id, set())
    if isinstance(node, ast.Attribute):
        return {canonical(f"{path}.{node.attr}") for path in _paths(node.value, names, depth)}
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        owner = node.value  # vars(tf.nn)["softmax"], tf.nn.__dict__["softmax"]
        if isinstance(owner, ast.Attribute) and owner.attr == "__dict__":
            return {canonical(f"{path}.{node.slice.value}") for path in _paths(owner.value, names, depth)}
        if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "vars" and owner.args:
            return {canonical(f"{path}.{node.slice.value}") for path in _paths(owner.args[0], names, depth)}
    if isinstance(node, ast.Call):
        function = getattr(node.func, "id", getattr(node.func, "attr", ""))  # of a name, of an attribute
        texts = [value for argument in node.args if (value := _text(argument)) is not None]
        if function == "getattr" and len(node.args) >= 2 and texts:
            return {canonical(f"{path}.{texts[0]}") for path in _paths(node.args[0], names, depth)}
        if function in ("import_module", "__import__") and texts:
            return {canonical(texts[0])} if function == "import_module" else {canonical(texts[0].split(".")[0])}
    return set()


def _text(node: ast.AST, depth: int = 0) -> str | None:
    """A string that the source writes out, also in a few pieces."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left, depth + 1), _text(node.right, depth + 1)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.JoinedStr):
        parts = [_text(part.value if isinstance(part, ast.FormattedValue) else part, depth + 1) for part in node.values]
        known = [part for part in parts if part is not None]
        return "".join(known) if len(known) == len(parts) else None
    return None


@functools.lru_cache
def parsed(source: str) -> ast.Module:
    """A cell's syntax.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it has none, or too much of it.
    """
    return ast.parse(without_magics(source))


def without_magics(source: str) -> str:
    """Lines of IPython's own syntax become `pass`, so that the rest parses; a cell magic keeps its body."""
    lines = source.splitlines()
    return "\n".join(line[:len(line) - len(line.lstrip())] + "pass" if line.lstrip().startswith(("%", "!", "?")) else line
                     for line in lines)


def _line(source: str, node: ast.AST) -> str:
    lines = source.splitlines()
    number = getattr(node, "lineno", 0)
    return lines[number - 1].strip()[:MAX_LINE] if 0 < number <= len(lines) else ""
