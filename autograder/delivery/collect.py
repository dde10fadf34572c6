"""From cloned student repositories to submissions: whose repository it is, which notebook in it counts, and of which commit.

A repository is a stranger's. Of it one regular file is read, by content, and git is asked for nothing but the commit.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import json
import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from autograder.authoring.course import Course, CourseError
from autograder.authoring.lesson import notebook_name
from autograder.files import atomic, read_regular
from autograder.grading.submission import MAX_BYTES, Unreadable, find_notebook

NOTE = "collected.json"  # beside a collected notebook: where it came from
MAX_COMMIT = 2**20  # bytes
GIT_SECONDS = 20
TIMESTAMP = "timestamp.txt"  # nbgrader's, for late penalties
USERNAME = ("github_username", "username", "login", "github")
IDENTIFIER = ("identifier", "student_id", "student", "id", "email")
SAFE = re.compile(r"[^/\\\0]+")


class RosterError(CourseError):
    """The list of students cannot be used; the message is one line."""


@dataclass(frozen=True)
class Commit:
    """The commit a repository stands at. Its time is what the committer's machine said, not when it was pushed."""

    hash: str
    time: datetime.datetime


@dataclass(frozen=True)
class Collected:
    """What became of one repository for one assignment; `problem` says why nothing was taken."""

    repository: str
    student: str
    assignment: str
    commit: Commit | None = None
    problem: str = ""


def read_roster(path: Path) -> dict[str, str]:
    """GitHub user names (in small letters) and the names their submissions get.

    The file is CSV with a column of user names (`github_username`, `username`, `login` or `github`), and one of names
    (`identifier`, `student_id`, `student`, `id` or `email`) where these differ.

    Raises:
        RosterError: no such columns, somebody twice, or a name that cannot be a directory's.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RosterError(f"{path}: expected a CSV file; it cannot be read ({type(error).__name__})") from None
    columns = {(name or "").strip().lower(): name for name in (rows[0] if rows else {})}
    user = next((columns[name] for name in USERNAME if name in columns), None)
    if user is None:
        raise RosterError(f"{path}: expected a header with one of {', '.join(USERNAME)}. "
                          f"Received: {', '.join(columns) or 'nothing'}")
    name = next((columns[name] for name in IDENTIFIER if name in columns), user)
    roster: dict[str, str] = {}
    for row in rows:
        login, student = (row[user] or "").strip().lower(), (row[name] or "").strip()
        if not login:
            continue  # not linked to an account yet
        student = student or login
        if not SAFE.fullmatch(student) or student.startswith(".") or not student.isprintable():
            raise RosterError(f"{path}: expected names that can be a directory's. Received: {student!r}")
        if login in roster or student in roster.values():
            raise RosterError(f"{path}: expected everyone once; {login if login in roster else student} is there twice")
        roster[login] = student
    return roster


def collect(folder: Path, course: Course, target: Path, roster: dict[str, str] | None = None,
            assignments: list[str] | None = None) -> tuple[list[Collected], list[str]]:
    """Copy the notebooks of cloned repositories to `target/STUDENT/ASSIGNMENT`.

    Args:
        folder: holds a repository for each student, named by the user name, with an assignment's name in front or not.
        assignments: those to look for; by default every one whose notebook a repository holds under its own name.
    Returns:
        What became of each repository, and the students of the roster who have none.
    """
    found: list[Collected] = []
    plan: dict[tuple[str, str], Path] = {}
    met: set[str] = set()
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path.is_dir() or path.is_symlink()):
            continue
        student = whose(path.name, course, roster)
        if path.is_symlink():
            found.append(Collected(path.name, student or "", "", problem="it is a link"))
        elif student is None:
            found.append(Collected(path.name, "", "", problem="its owner is not in the roster"))
        else:
            met.add(student)
            there = assignments or [assignment for assignment in course.assignments
                                    if os.path.lexists(path / f"{notebook_name(assignment)}.ipynb")]
            if not there:
                found.append(Collected(path.name, student, "", problem="it holds no notebook of this course under its own name"))
            for assignment in there:
                if (other := plan.setdefault((student, assignment), path)) != path:
                    raise RosterError(f"expected one repository for each student and assignment; {student} has {other.name} and "
                                      f"{path.name} for {assignment}. Move one of them away.")
    found += [_collect_one(path, student, assignment, target) for (student, assignment), path in plan.items()]
    return found, sorted(set((roster or {}).values()) - met)


def whose(name: str, course: Course, roster: dict[str, str] | None) -> str | None:
    """The student that a repository's name stands for; None when the roster has nobody who fits.

    User names may hold hyphens, as what stands in front of them does: with a roster the longest one that ends the name counts.
    """
    lower = name.lower()
    if roster is not None:
        fits = [login for login in roster if lower == login or lower.endswith(f"-{login}")]
        return roster[max(fits, key=len)] if fits else None
    for assignment in course.assignments:
        for form in (assignment, notebook_name(assignment)):
            for prefix in {form.lower(), form.lower().replace("_", "-")}:
                at = lower.find(f"{prefix}-")
                if (at == 0 or (at > 0 and lower[at - 1] == "-")) and lower[at + len(prefix) + 1:]:
                    return name[at + len(prefix) + 1:]
    return name


def _collect_one(path: Path, student: str, assignment: str, target: Path) -> Collected:
    commit = read_commit(path)
    try:
        notebook, _ = find_notebook(path, notebook_name(assignment))
        content = read_regular(notebook, MAX_BYTES)
        place = _place(target / student / assignment)
    except (Unreadable, OSError) as error:
        return Collected(path.name, student, assignment, commit, str(error))
    note = {"repository": path.name, "commit": commit and commit.hash, "time": commit and commit.time.isoformat()}
    files = {notebook.name: content, NOTE: json.dumps(note, indent=1).encode() + b"\n"}
    if commit:
        files[TIMESTAMP] = f"{commit.time:%Y-%m-%d %H:%M:%S} UTC\n".encode()
    for name, data in files.items():
        with atomic(place / name) as file:
            file.write(data)
    return Collected(path.name, student, assignment, commit)


def read_commit(repository: Path) -> Commit | None:
    """The commit a clone stands at, or None when it is no clone or has none."""
    git = repository / ".git"
    if git.is_symlink() or not git.is_dir():
        return None
    # Its configuration may be the student's: nothing is fetched, and `cat-file` starts no program that it names.
    command = ["git", "-c", "protocol.allow=never", "-c", "core.fsmonitor=false", f"--git-dir={git}", "cat-file"]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        said = _first_bytes([*command, "--batch"], b"HEAD\n", environment)
        head, _, body = said.partition(b"\n")
        identity, kind, _ = head.decode().split(" ")
        found = re.search(rb"^committer .*> (\d+) [+-]\d{4}$", body.partition(b"\n\n")[0], re.MULTILINE)
        if kind != "commit" or not found:
            return None
        return Commit(identity, datetime.datetime.fromtimestamp(int(found[1]), datetime.UTC))
    except (OSError, ValueError, OverflowError):
        return None


def _first_bytes(command: list[str], question: bytes, environment: dict[str, str]) -> bytes:
    """The first `MAX_COMMIT` bytes that a program says within `GIT_SECONDS`; then it is ended. A commit can be gigabytes."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
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


def _place(folder: Path) -> Path:
    """A submission's directory, emptied when it was collected before.

    Raises:
        Unreadable: there is one that came another way.
    """
    if folder.is_symlink() or (folder.exists() and any(folder.iterdir()) and not (folder / NOTE).is_file()):
        raise Unreadable(f"{folder} is there already and was not collected from a repository: move it away first")
    if folder.exists():
        shutil.rmtree(folder)
    return folder
