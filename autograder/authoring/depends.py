"""On which definitions in its author's files an answer's outcome depends: an edit of any other computes nothing again.

By names alone, and generously: whatever is bound to a name that a definition mentions, in either file, counts, and so does what
that mentions. What binds no name (a call that sets something up) counts for every answer. Comments, docstrings and layout do not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder.authoring.lesson import read_lesson
from autograder.grading.cache import digest

DECLARE = ("case", "misconception")  # decorators that only declare; `variation` makes its answer out of the question's


class Definitions:
    """Every definition of an assignment's lesson, without its demos, and of its questions, by the names that it binds."""

    def __init__(self, folder: Path):
        sources = [cell.source for cell in read_lesson(folder) if cell.kind in ("setup", "question")]
        sources.append((Path(folder) / "questions.py").read_text(encoding="utf-8"))
        self._named: dict[str, list[int]] = {}
        self._texts: list[str] = []
        self._mentions: list[set[str]] = []
        self._always: set[int] = set()
        for node in [node for source in sources for node in ast.parse(source).body if not _is_text(node) and not _asks(node)]:
            number = len(self._texts)
            bound = set(_bound(node))
            for name in bound:
                self._named.setdefault(name, []).append(number)
            if not bound:
                self._always.add(number)
            _without_docstrings(node)
            self._mentions.append(set(_mentioned(node)))
            self._texts.append(ast.dump(node))

    def digest(self, names: Iterable[str]) -> str:
        """Of all that answers of these names depend on; of everything when one of them is nowhere defined."""
        names = set(names)
        if not names <= set(self._named):
            return digest(self._texts)
        reached, todo = set(), self._always | {number for name in names for number in self._named[name]}
        while todo:
            number = todo.pop()
            reached.add(number)
            todo.update(other for name in self._mentions[number] for other in self._named.get(name, ()) if other not in reached)
        return digest([self._texts[number] for number in sorted(reached)])


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a statement, or one within it, may bind or change what is bound to."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name  # what is bound within is its own
        return
    for part in ast.walk(node):
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield part.name
        elif isinstance(part, ast.Name) and isinstance(part.ctx, (ast.Store, ast.Del)):
            yield part.id
        elif isinstance(part, (ast.Subscript, ast.Attribute)) and isinstance(part.ctx, (ast.Store, ast.Del)):
            yield from (name.id for name in ast.walk(part.value) if isinstance(name, ast.Name))  # TABLE["relu"] = …
        elif isinstance(part, ast.alias):
            yield (part.asname or part.name).split(".")[0]


def _mentioned(node: ast.AST) -> Iterator[str]:
    """Names, attributes, and text that could be one, but not the question that a definition is only declared for."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DECLARE:
        parts: Iterable[ast.AST] = [*node.args, *node.keywords]
    elif isinstance(node, ast.Attribute) and node.attr in DECLARE:
        return
    else:
        parts = ast.iter_child_nodes(node)
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        yield node.value
    for part in parts:
        yield from _mentioned(part)


def _asks(node: ast.stmt) -> bool:
    """softmax = Question(lesson.softmax, …): how an answer is judged, not what it gives."""
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "Question"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _without_docstrings(node: ast.AST) -> None:
    for part in ast.walk(node):
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and _is_text(part.body[0]):
            part.body[0] = ast.Pass()
