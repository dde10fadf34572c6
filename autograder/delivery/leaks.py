"""Does a folder give away what students must not have: solutions, hidden cases, misconceptions, the course's secret?

What is looked for comes from `solutions/` and the hidden key. Everything is searched: files, what is packed in archives, wheels
and array files, the cells of notebooks, and, where the folder is a git repository, every object of its history.
"""

from __future__ import annotations

import ast
import gzip
import io
import json
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autograder.authoring.course import Course, CourseError
from autograder.authoring.lesson import BEGIN, END, read_lesson, strip_solution
from autograder.grading.key import SECRET_FILE, Key, load
from autograder.inside import wire

MAX_OBJECT = 200 * 2**20  # bytes of one object of a repository's history
SHORTEST = 25  # characters, white space counted once: less is found by accident
SMALLEST = 16  # bytes of an array
MOST_BYTES = 500 * 2**20  # of one file once unpacked
DEEPEST = 5  # archives in archives
PUBLIC = ("lesson.py", "questions.py")  # whatever other Python lies beside these two is given to students


class LeakError(CourseError):
    """What was about to be written, or is there already, holds something hidden; nothing was written."""


@dataclass(frozen=True)
class Secrets:
    """What must not be found: text (white space counted once) and arrays' bytes, each with what it gives away."""

    texts: dict[str, str]
    arrays: dict[bytes, str]


def secrets(course: Course, assignment: str) -> Secrets:
    """Everything hidden about an assignment.

    Raises:
        KeyFileError: it has not been built.
    """
    key, folder = load(course.key(assignment)), course.solution(assignment)
    public = _public_text(folder, key.examples())
    texts: dict[str, str] = {}
    for lines, secret, what in (*_solutions(folder), *_functions(folder / "questions.py", _visible(key))):
        for text in _windows(lines, secret):
            if text not in public:
                texts.setdefault(text, what)
    for question in key.questions:
        for case in question.cases:
            text = _once(case.description)
            if not case.visible and len(text) >= SHORTEST and text not in public:
                texts.setdefault(text, f"hidden case {question.name}.{case.name}")
    if (file := course.root / SECRET_FILE).is_file() and len(ours := file.read_text().strip()) >= SHORTEST:
        texts[_once(ours)] = "the course's secret"
    return Secrets(texts, _arrays(key))


def find(folder: Path, secrets: Secrets) -> list[str]:
    """What a folder gives away, a line each: where, and what. Empty when nothing does."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.split("/")[0] == ".git":
            continue  # its objects are searched below
        if path.is_symlink():
            found.append(f"{name}: a link, which could lead anywhere")
        elif path.is_file():
            found += [f"{name}: {what}" for what in find_in(name, path.read_bytes(), secrets)]
    if (folder / ".git").exists():
        for name, data in _git_objects(folder):
            found += [f"{name}: {what}" for what in find_in(name, data, secrets)]
    return found


def find_in(name: str, data: bytes, secrets: Secrets) -> list[str]:
    """What one file gives away."""
    found = set()
    for piece in _unpacked(name, data):
        text = _once(piece.decode("utf-8", "replace"))
        found |= {what for word, what in secrets.texts.items() if word in text}
        found |= {what for array, what in secrets.arrays.items() if array in piece}
    return sorted(found)


# ---------------------------------------------------------------------------------------------------- what is hidden


def _public_text(folder: Path, examples: Key) -> str:
    shown = [strip_solution(cell.source) if cell.question else cell.source for cell in read_lesson(folder)]
    shown += [path.read_text(encoding="utf-8") for path in folder.glob("*.py") if path.name not in PUBLIC]
    for question in examples.questions:
        shown += [*question.hints.values(), *(case.description for case in question.cases)]
    return _once("\n".join(shown))


def _visible(key: Key) -> set[str]:
    return {case.name for question in key.questions for case in question.cases if case.visible}


def _solutions(folder: Path) -> Iterator[tuple[list[str], set[int], str]]:
    for cell in read_lesson(folder):
        if cell.question:
            lines, inside, secret = cell.source.splitlines(), False, set()
            for number, line in enumerate(lines):
                inside = (inside or line.strip() == BEGIN) and line.strip() != END
                if inside and line.strip() != BEGIN:
                    secret.add(number)
            kept = [number for number, line in enumerate(lines) if line.strip() not in (BEGIN, END)]
            yield ([lines[number] for number in kept], {kept.index(number) for number in secret}, f"solution of {cell.question}")


def _functions(path: Path, visible: set[str]) -> Iterator[tuple[list[str], set[int], str]]:
    """The functions and classes of questions.py, but for the cases that students see."""
    source = path.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            decorators = [ast.unparse(item) for item in node.decorator_list]
            if any(".case(" in item and "visible=True" in item for item in decorators):
                continue
            kind = "hidden case" if any(".case(" in item for item in decorators) else "misconception" if decorators else "helper"
            lines = source.splitlines()[node.lineno - 1:node.end_lineno]
            yield lines, set(range(len(lines))), f"{kind} {node.name}"


def _windows(lines: list[str], secret: set[int]) -> Iterator[str]:
    """Each secret line, with as many lines before it as make it long enough to be no accident."""
    for number in sorted(secret):
        if not any(character.isalnum() for character in lines[number]):
            continue
        first = number
        while len(text := _once("\n".join(lines[first:number + 1]))) < SHORTEST and first > 0:
            first -= 1
        if len(text) >= SHORTEST:
            yield text


def _arrays(key: Key) -> dict[bytes, str]:
    def blobs(case) -> set[bytes]:
        arrays = [array for value in (case.inputs, case.expected) for array in wire.flatten(value)[1]]
        return {np.ascontiguousarray(array).tobytes() for array in arrays
                if array.nbytes >= SMALLEST and len(np.unique(array)) > 3}

    shown = set().union(*(blobs(case) for question in key.questions for case in question.cases if case.visible))
    return {blob: f"numbers of the hidden case {question.name}.{case.name}" for question in key.questions
            for case in question.cases if not case.visible for blob in blobs(case) - shown}


# ---------------------------------------------------------------------------------------------------- where it is looked for


def _unpacked(name: str, data: bytes, depth: int = 0) -> Iterator[bytes]:
    """A file's bytes, and those of everything that is packed in it."""
    yield data
    if depth == DEEPEST or len(data) > MOST_BYTES:
        return
    try:
        if data[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for item in archive.infolist():
                    if item.file_size <= MOST_BYTES:
                        yield from _unpacked(item.filename, archive.read(item), depth + 1)
        elif data[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(data)) as unzipped:
                yield from _unpacked(name, unzipped.read(MOST_BYTES), depth + 1)
        elif data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    file = tar.extractfile(member) if member.isfile() and member.size <= MOST_BYTES else None
                    if file is not None:
                        yield from _unpacked(member.name, file.read(), depth + 1)
        elif data[:6] == b"\x93NUMPY":
            array = np.load(io.BytesIO(data), allow_pickle=False)
            if array.dtype == np.uint8:  # a key's text
                yield from _unpacked(name, array.tobytes(), depth + 1)
        elif data.lstrip()[:1] in (b"{", b"["):
            yield "\n".join(_strings(json.loads(data))).encode("utf-8", "replace")
    except (ValueError, OSError, EOFError, RecursionError, zipfile.BadZipFile, tarfile.TarError):
        return  # not what its first bytes say: searched as it is


def _strings(value) -> Iterator[str]:
    """All text in a JSON value; the lines of a notebook's cell stay together."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield "".join(value) if all(isinstance(item, str) for item in value) else "\n".join(
            text for item in value for text in _strings(item))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)


def _git_objects(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every object that the repository holds, those that no branch reaches too."""
    command = ["git", "-C", str(folder), "cat-file", "--batch-all-objects", "--batch"]
    with tempfile.TemporaryFile() as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as git:
        assert git.stdout is not None  # it is a pipe
        try:
            while line := git.stdout.readline(1000):
                identity, kind, size = line.decode().split()
                if int(size) > MAX_OBJECT:
                    raise LeakError(f"expected objects of at most {MAX_OBJECT // 2**20} MB in {folder}; {identity[:10]} has "
                                    f"{int(size) // 2**20:,} MB. Look at it yourself.")
                yield f"git {kind} {identity[:10]}", git.stdout.read(int(size))
                git.stdout.read(1)  # the line's end
        except BaseException:
            git.kill()
            raise
        if git.wait():
            errors.seek(0)
            raise LeakError(f"expected {folder} to be a git repository whose history can be read; git says: "
                            f"{errors.read(2000).decode(errors='replace').strip()[:200]}")


def _once(text: str) -> str:
    return " ".join(text.split())
