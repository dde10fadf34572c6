"""What students wrote, by question, read as text: nothing of it is run, and nothing is parsed but into tokens."""

from __future__ import annotations

import io
import re
import token
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat

from autograder.grading.submission import Submission, Unreadable, find_notebook, read_submission

MOST_CHARACTERS = 50_000  # of one answer that are read
LONGEST_LINE = 1000  # characters: of longer ones nothing is read, for Python's tokenizer takes their square as time
MOST_ERRORS = 20  # lines that are no Python, after which the rest of an answer is left out
LONGEST_STUB = 4000  # characters of an answer that is shown to an author
DOCSTRING = "Say what is wrong, then what to do: students read this."


class Token(NamedTuple):
    """A token of Python: its `token` number, its text, and the line it begins on, from 1 on."""

    kind: int
    text: str
    line: int


def read_answers(folders: Iterable[tuple[str, Path]], skeleton: nbformat.NotebookNode,
                 notebook: str) -> dict[str, dict[str, str]]:
    """By student and question, the answer's source with the cells that the student added around it.

    Args:
        folders: (student, directory) pairs; who has no notebook that can be read is left out.
        skeleton: the released notebook; `notebook` is its name.
    """
    answers = {}
    for student, folder in folders:
        try:
            path, _ = find_notebook(folder, notebook)
            answers[student] = answers_of(read_submission(path, skeleton, student))
        except (Unreadable, OSError):
            continue
    return answers


def answers_of(submission: Submission) -> dict[str, str]:
    """By question, the answer's source with the cells that the student added between it and the questions before and after."""
    found: dict[str, list[str]] = {}
    current: str | None = None
    between: list[str] = []
    for cell in submission.cells:
        if cell.question:
            found[cell.question] = [*found.get(cell.question, []), *between, cell.source]
            current, between = cell.question, []
        elif cell.added:
            between.append(cell.source)
            if current:
                found[current].append(cell.source)
    return {question: "\n".join(sources)[:MOST_CHARACTERS] for question, sources in found.items()}


def tokens(source: str) -> Iterator[Token]:
    """A source's tokens; after a line that is no Python it goes on with the next."""
    lines, first = [line if len(line) <= LONGEST_LINE else "\n" for line in source.splitlines(keepends=True)], 0
    for _ in range(MOST_ERRORS):
        last = first
        try:
            for item in tokenize.generate_tokens(iter(lines[first:]).__next__):
                if item.type == token.ENDMARKER:
                    return
                last = first + item.start[0]
                yield Token(item.type, item.string, last)
            return
        except (tokenize.TokenError, SyntaxError, ValueError, StopIteration):
            first = max(last, first + 1)


def stub(source: str, question: str, name: str) -> str:
    """An answer as a misconception for an author to paste and to word; "" when its text does not define the question so."""
    start = re.search(rf"^(?:def|class) {re.escape(question)}\b", source, re.MULTILINE)
    if start is None:
        return ""
    lines = source[start.start():].splitlines()
    body = [lines[0]]
    for line in lines[1:]:
        if line[:1] not in ("", " ", "\t", ")", "#"):
            break
        body.append(line)
    if max(map(len, body)) > LONGEST_LINE:
        return ""
    text = "\n".join(body).rstrip()
    text = re.sub(rf"\b{re.escape(question)}\b", name, text, count=1)
    head = _end_of_head(text)
    # Without the question's docstring: a misconception's is its hint.
    written = re.sub(r"""\A\s*[rRbBuU]?(\"{3}|'{3}).*?\1""", "", text[head:], count=1, flags=re.DOTALL)
    return f'@{question}.misconception\n{text[:head]}\n    """{DOCSTRING}"""\n{written.lstrip(chr(10))}'[:LONGEST_STUB]


def _end_of_head(text: str) -> int:
    """Where the line with `def` or `class` ends: after the colon that no bracket holds."""
    depth = 0
    for item in _placed(text):
        depth += (item.string in "([{") - (item.string in ")]}") if item.type == token.OP else 0
        if item.type == token.OP and item.string == ":" and depth == 0:
            lines = text.splitlines(keepends=True)
            return sum(map(len, lines[:item.end[0] - 1])) + item.end[1]
    return len(text)


def _placed(text: str) -> Iterator[tokenize.TokenInfo]:
    """A text's tokens with their places, as far as it is Python."""
    with io.StringIO(text) as file:
        try:
            yield from tokenize.generate_tokens(file.readline)
        except (tokenize.TokenError, SyntaxError):
            return
