"""What students handed in elsewhere becomes submissions: whose it is, and which notebook counts.

A repository and a download are a stranger's. Of a student's files the notebook is taken, with copies beside it: regular files of
sane size, by content. Git is asked for nothing but the commit.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from autograder.authoring.course import Course
from autograder.authoring.lesson import notebook_name
from autograder.delivery.roster import Roster, RosterError
from autograder.files import atomic, read_regular
from autograder.grading.cells import LFS_POINTER
from autograder.grading.submission import MAX_BYTES, TIMESTAMP, Unreadable, find_notebook

NOTE = "collected.json"  # beside a collected notebook: where it came from
MAX_COMMIT = 2**20  # bytes
MOST_COPIES = 5
GIT_SECONDS = 20


@dataclass(frozen=True)
class Commit:
    """The commit a repository stands at. Its time is what the committer's machine said, not when it was pushed."""

    hash: str
    time: datetime.datetime


@dataclass(frozen=True)
class Collected:
    """What became of a student's files for one assignment.

    Attributes:
        source: the repository's name, or what a download calls the student.
        note: what is odd about them, although a notebook was taken.
        problem: why nothing was taken.
    """

    source: str
    student: str
    assignment: str
    commit: Commit | None = None
    note: str = ""
    problem: str = ""


def collect(folder: Path, course: Course, target: Path, roster: Roster | None = None,
            assignments: list[str] | None = None) -> tuple[list[Collected], list[str]]:
    """Copy the notebooks of cloned repositories to `target/STUDENT/ASSIGNMENT`.

    Args:
        folder: holds a repository for each student or team, named by the account, with an assignment's name in front or not.
        assignments: those to look for; by default every one whose notebook a repository holds under its own name, else the one
            that the repository's name tells.
    Returns:
        What became of each repository, and the students of the roster who have none.
    """
    found: list[Collected] = []
    plan: dict[tuple[str, str], Path] = {}
    met: set[str] = set()
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path.is_dir() or path.is_symlink()):
            continue
        students = whose(path.name, course, roster)
        if path.is_symlink():
            found.append(Collected(path.name, ", ".join(students), "", problem="it is a link"))
        elif not students:
            found.append(Collected(path.name, "", "", problem="its owner is not in the roster"))
        else:
            met.update(students)
            there = assignments or _assignments(path, course)
            if not there:
                found.append(Collected(path.name, ", ".join(students), "",
                                       problem="neither its name nor its files tell the assignment: name it with --assignment"))
            for student, assignment in ((student, assignment) for student in students for assignment in there):
                if (other := plan.setdefault((student, assignment), path)) != path:
                    raise RosterError(f"expected one repository for each student and assignment; {student} has {other.name} and "
                                      f"{path.name} for {assignment}. Move one of them away.")
    found += [_collect_one(path, course, student, assignment, target) for (student, assignment), path in plan.items()]
    return found, sorted(roster.everyone - met) if roster else []


def whose(name: str, course: Course, roster: Roster | None) -> tuple[str, ...]:
    """The students that a repository's name stands for; none when the roster has nobody who fits.

    Accounts may hold hyphens, as what stands in front of them does: with a roster the longest one that ends the name counts.
    """
    if roster is not None:
        lower = unicodedata.normalize("NFC", name).lower()
        fits = [account for account in roster.students if lower == account or lower.endswith(f"-{account}")]
        return roster.students[max(fits, key=len)] if fits else ()
    assignment, rest = _split(name, course)
    return (rest if assignment else name,)


def _split(name: str, course: Course) -> tuple[str | None, str]:
    """The assignment that a repository's name tells, and what stands behind it."""
    lower = name.lower()
    for assignment in course.assignments:
        for form in (assignment, notebook_name(assignment)):
            for prefix in {form.lower(), form.lower().replace("_", "-")}:
                at = lower.find(f"{prefix}-")
                if (at == 0 or (at > 0 and lower[at - 1] == "-")) and lower[at + len(prefix) + 1:]:
                    return assignment, name[at + len(prefix) + 1:]
    return None, name


def _assignments(path: Path, course: Course) -> list[str]:
    """The assignments whose notebooks a repository holds, here or one folder down; else the one it is called after."""
    own = [assignment for assignment in course.assignments if _folders(path, assignment)]
    named, _ = _split(path.name, course)
    return own or ([] if named is None else [named])


def _folders(path: Path, assignment: str) -> list[Path]:
    """Where in a repository the assignment's notebook lies under its own name: at the top, or one folder down."""
    inner = sorted(Path(entry) for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False))
    return [folder for folder in (path, *inner) if os.path.lexists(folder / f"{notebook_name(assignment)}.ipynb")]


def _collect_one(path: Path, course: Course, student: str, assignment: str, target: Path) -> Collected:
    commit = read_commit(path)
    try:
        folder = (*_folders(path, assignment)[:1], path)[0]  # a repository may hold other assignments, too
        name, files = take(folder, course, assignment)
        name = folder.relative_to(path) / name
        note = _beside_the_commit(path, name, files[name.name], commit)
        store(files, target / student / assignment, {"repository": path.name, "note": note}, commit)
    except (Unreadable, OSError) as error:
        return Collected(path.name, student, assignment, commit, problem=str(error))
    return Collected(path.name, student, assignment, commit, note)


def take(folder: Path, course: Course, assignment: str) -> tuple[Path, dict[str, bytes]]:
    """The notebook that counts of a stranger's files: its path below `folder`, and its content by its name.

    Copies in the same place come with it: grading names them, because one may be what was meant.

    Raises:
        Unreadable: there is none, or it is no file to grade.
        OSError: it is no regular file, or too large.
    """
    notebook, _ = find_notebook(folder, notebook_name(assignment))
    name = notebook.relative_to(folder)
    if link := next((parent for parent in name.parents if (folder / parent).is_symlink()), None):
        raise Unreadable(f"{link} is a link")
    others = {f"{notebook_name(other)}.ipynb" for other in course.assignments if other != assignment}
    if name.name in others:
        raise Unreadable(f"expected {notebook_name(assignment)}.ipynb; found {name} only, which is another assignment's")
    files = {name.name: read_regular(notebook, MAX_BYTES)}
    if files[name.name].startswith(LFS_POINTER.encode()):
        raise Unreadable("the notebook is a pointer of Git LFS, not the file: run `git lfs pull` in the clone, and collect again")
    copies = sorted(path for path in notebook.parent.glob("[!.]*.ipynb") if path != notebook and path.name not in others)
    for path in copies[:MOST_COPIES]:
        with contextlib.suppress(OSError):
            files[path.name] = read_regular(path, MAX_BYTES)
    return name, files


def store(files: dict[str, bytes], place: Path, note: dict, commit: Commit | None = None) -> None:
    """Write a submission, with a note of where it came from, in the place of what was collected before.

    Raises:
        Unreadable: there is one that came another way.
    """
    if place.is_symlink() or (place.exists() and any(place.iterdir()) and not (place / NOTE).is_file()):
        raise Unreadable(f"{place} is there already and was not collected: move it away first")
    if place.exists():
        shutil.rmtree(place)
    if commit:
        note |= {"commit": commit.hash, "time": commit.time.isoformat()}
        files |= {TIMESTAMP: f"{commit.time:%Y-%m-%d %H:%M:%S} UTC\n".encode()}
    for name, data in (files | {NOTE: json.dumps(note, indent=1).encode() + b"\n"}).items():
        with atomic(place / name) as file:
            file.write(data)


# ---------------------------------------------------------------------------------------------------- git


def read_commit(repository: Path) -> Commit | None:
    """The commit a clone stands at, or None when it is no clone or has none."""
    said = _git_says(repository, "HEAD")
    head, _, body = said.partition(b"\n")
    try:
        identity, kind, _ = head.decode().split(" ")
        found = re.search(rb"^committer .*> (\d+) [+-]\d{4}$", body.partition(b"\n\n")[0], re.MULTILINE)
        if kind != "commit" or not found:
            return None
        return Commit(identity, datetime.datetime.fromtimestamp(int(found[1]), datetime.UTC))
    except (OSError, ValueError, OverflowError):
        return None


def _beside_the_commit(repository: Path, name: Path, content: bytes, commit: Commit | None) -> str:
    """What to say when a file is not as in the commit, so that its time says nothing; "" when it is."""
    if commit is None:
        odd = (repository / ".git").is_file()
        return "its commit is not known: .git is a file, as in a worktree, and may lead anywhere" if odd else ""
    question = f"{commit.hash}:{name.as_posix()}"
    said = _git_says(repository, question) if "\n" not in question else b""
    head, _, body = said.partition(b"\n")
    identity = head.decode("utf-8", "replace").split(" ")[0]
    if not re.fullmatch(r"[0-9a-f]{40,64}", identity):
        return "the notebook is not in the commit"
    as_committed = {_blob(form, identity) for form in (content, content.replace(b"\r\n", b"\n"))}  # Windows changes line ends
    pointed_at = body.startswith(LFS_POINTER.encode()) and f"oid sha256:{hashlib.sha256(content).hexdigest()}\n".encode() in body
    return "" if identity in as_committed or pointed_at else "the notebook was changed after the commit"


def _blob(content: bytes, like: str) -> str:
    """The name that git gives a file's content, by the algorithm that made the name `like`."""
    return hashlib.new("sha1" if len(like) == 40 else "sha256", b"blob %d\0" % len(content) + content).hexdigest()


def _git_says(repository: Path, question: str) -> bytes:
    """What a clone's `git cat-file --batch` answers, as far as it is read; nothing when there is no clone."""
    git = repository / ".git"
    if git.is_symlink() or not git.is_dir():
        return b""
    # Its configuration may be the student's: nothing is fetched, and `cat-file` starts no program that it names.
    command = ["git", "-c", "protocol.allow=never", "-c", "core.fsmonitor=false", f"--git-dir={git}", "cat-file", "--batch"]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return _first_bytes(command, question.encode("utf-8", "replace") + b"\n", environment)
    except OSError:
        return b""


def _first_bytes(command: list[str], question: bytes, environment: dict[str, str]) -> bytes:
    """The first `MAX_COMMIT` bytes that a program says within `GIT_SECONDS`; then it is ended. A commit can be gigabytes."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdin is not None and process.stdout is not None  # they are pipes
    with process:
        timer = threading.Timer(GIT_SECONDS, process.kill)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(question)
                process.stdin.close()
            return process.stdout.read(MAX_COMMIT)
        finally:
            timer.cancel()
            process.kill()
