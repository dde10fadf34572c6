"""Who is behind an account: a list of students, with the names by which other systems know them."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from autograder.authoring.course import CourseError
from autograder.files import read_table

# Where a system's names stand. Several students share a repository when they have the same team.
ACCOUNTS = {"repositories": ("github_username", "username", "login", "github"),
            "Canvas": ("canvas_id",), "Moodle": ("moodle_id",)}
TEAM = ("team", "group_name", "group")
IDENTIFIER = ("identifier", "student_id", "student", "id", "email")
SAFE = re.compile(r"[^/\\\0]+")


class RosterError(CourseError):
    """The list of students cannot be used; the message is one line."""


@dataclass(frozen=True)
class Roster:
    """Students by account, in small letters; and those without one. A team's account is of several students."""

    students: dict[str, tuple[str, ...]]
    without: tuple[str, ...] = ()

    @property
    def everyone(self) -> set[str]:
        """All who have an account."""
        return {student for members in self.students.values() for student in members}


def read_roster(path: Path, system: str = "repositories") -> Roster:
    """Read a CSV file with a column of accounts, and one of students' names where these differ.

    Args:
        system: whose accounts are asked for, a key of `ACCOUNTS`.
    Raises:
        RosterError: no such columns, somebody twice, or a name that cannot be a directory's.
    """
    try:
        rows = read_table(path)
    except (OSError, csv.Error) as error:
        raise RosterError(f"{path}: expected a CSV file; it cannot be read ({type(error).__name__})") from None
    except UnicodeDecodeError:
        raise RosterError(f"{path}: expected a CSV file in UTF-8; save it so from the spreadsheet") from None
    columns = {(name or "").strip().lower(): name for name in (rows[0] if rows else {})}
    first = lambda names: next((columns[name] for name in names if name in columns), None)  # noqa: E731
    account, team = first(ACCOUNTS[system]), first(TEAM) if system == "repositories" else None
    name = first(IDENTIFIER) or account
    if name is None or not (account or team):
        raise RosterError(f"{path}: expected a header with one of {', '.join(ACCOUNTS[system])}. "
                          f"Received: {', '.join(columns) or 'nothing'}")
    students: dict[str, tuple[str, ...]] = {}
    teams: dict[str, list[str]] = {}
    everyone, without = set(), []
    for row in rows:
        accounts = [_plain(row[column] or "", system) for column in (account, team) if column]
        student = unicodedata.normalize("NFC", (row.get(name) or "").strip()) or accounts[0]
        if not student:
            continue  # an empty line
        if not SAFE.fullmatch(student) or student.startswith(".") or not student.isprintable():
            raise RosterError(f"{path}: expected names that can be a directory's. Received: {student!r}")
        if student in everyone or (account and accounts[0] in students):
            raise RosterError(f"{path}: expected everyone once; {student if student in everyone else accounts[0]} is there twice")
        everyone.add(student)
        if account and accounts[0]:
            students[accounts[0]] = (student,)
        if team and accounts[-1]:
            teams.setdefault(accounts[-1], []).append(student)
        if not any(accounts):
            without.append(student)
    if both := set(teams) & set(students):
        raise RosterError(f"{path}: expected teams and accounts to differ; {sorted(both)[0]} is both")
    return Roster(students | {name: tuple(members) for name, members in teams.items()}, tuple(without))


def _plain(account: str, system: str) -> str:
    """An account as a repository's name or a download ends with it."""
    account = unicodedata.normalize("NFC", account).strip().lower()
    if system == "Moodle":  # "Participant 17" in its grading worksheet
        return re.sub(r"^.*?(\d*)$", r"\1", account)
    return re.sub(r"[^\w.-]+", "-", account) if system == "repositories" else account
