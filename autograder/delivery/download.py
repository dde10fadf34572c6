"""All submissions of an assignment, as Canvas and Moodle hand them out in one archive, become submissions to grade.

    Canvas   lovelaceada_LATE_101_5001_cross_entropy.ipynb         the student's number in Canvas is 101
    Moodle   Ada Lovelace_17_assignsubmission_file/cross_entropy.ipynb   "Participant 17" of the grading worksheet

Names and contents are strangers': nothing is unpacked but into a directory of its own, a file at a time, up to a size.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from autograder.authoring.course import Course, CourseError
from autograder.authoring.lesson import notebook_name
from autograder.delivery.collect import Collected, store, take
from autograder.delivery.roster import Roster
from autograder.files import Scratch, read_regular
from autograder.grading.submission import MAX_BYTES, Unreadable

SYSTEMS = {
    "Moodle": re.compile(r"(?P<who>[^/]+_(?P<id>\d+))_assignsubmission_[a-z]+(?:_?/|_)(?P<file>.+)", re.DOTALL),
    # Text typed into a page has no number of its own.
    "Canvas": re.compile(r"(?P<who>[^/]+?_(?P<id>\d+))_(?:\d+_(?=.)|(?=(?:text|link)\.html))(?P<file>[^/]+)", re.DOTALL)}
LATE = "_LATE_"  # Canvas's, between a name in small letters and the student's number
NOBODYS = re.compile(r"(?:.*/)?(?:__MACOSX/.*|\.[^/]*|Thumbs\.db|desktop\.ini)", re.DOTALL)  # what computers add by themselves
MOST_FILES = 50  # of one student
MOST_BYTES = 2 * MAX_BYTES  # of one student, once unpacked
DEEPEST = 3  # folders of a student's own
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)  # a member cannot be read

Read = Callable[[], bytes]


class Skipped(Exception):
    """A file of a download is not unpacked; the message says why."""


class Download:
    """An archive of submissions, or the folder that a browser unpacked it into. `with`: the archive is open.

    Attributes:
        system: whose it is, a key of `SYSTEMS`.
    """

    def __init__(self, path: Path):
        """Open an archive.

        Raises:
            CourseError: it is none, or neither Canvas's nor Moodle's.
        """
        self.path, self._archive = path, None
        try:
            if path.is_dir():
                files = {file.relative_to(path).as_posix(): _reader(file) for file in path.rglob("*") if not file.is_dir()}
            else:
                self._archive = zipfile.ZipFile(path)
                files = {item.filename: self._member(self._archive, item)
                         for item in self._archive.infolist() if not item.is_dir()}
        except (*BROKEN, ValueError) as error:
            raise CourseError(f"{path}: expected a folder of clones, or the zip of all submissions that Canvas or Moodle makes; "
                              f"it cannot be read ({error})") from None
        self.system, self._numbers, self._files = max(((system, *_students(files, form)) for system, form in SYSTEMS.items()),
                                                      key=lambda found: len(found[1]))
        self._others = [name for name in files if not SYSTEMS[self.system].fullmatch(name) and not NOBODYS.fullmatch(name)]
        if not self._files:
            self.__exit__()
            raise CourseError(f"{path}: expected the submissions as Canvas or Moodle name them, such as ada_101_5001_x.ipynb or "
                              f"Ada_17_assignsubmission_file/x.ipynb. Received: {', '.join(sorted(files)[:3]) or 'nothing'}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._archive:
            self._archive.close()

    def collect(self, course: Course, target: Path, roster: Roster | None = None,
                assignment: str | None = None) -> tuple[list[Collected], list[str]]:
        """Copy each student's notebook to `target/STUDENT/ASSIGNMENT`. Without a roster students are called by their numbers.

        Args:
            assignment: by default the one whose notebook somebody handed in under its own name.
        Returns:
            What became of each student's files and of those that name no student; and who of the roster has none.
        Raises:
            CourseError: the files do not tell the assignment.
        """
        assignment = assignment or self._assignment(course)
        found, met = [], set()
        for number, who in sorted(self._numbers.items()):
            student, = roster.students.get(number, ("",)) if roster else (number,)
            if not student:
                found.append(Collected(who, "", assignment, problem=f"{self.system}'s number {number} is not in the roster"))
                continue
            met.add(student)
            found.append(self._collect_one(who, course, student, assignment, target))
        if self._others:
            some = ", ".join(name[:60] for name in sorted(self._others)[:3])
            found.append(Collected(self.path.name, "", assignment,
                                   problem=f"{len(self._others)} with names that tell no student: {some}"))
        return found, sorted(roster.everyone - met) if roster else []

    def _assignment(self, course: Course) -> str:
        names = {_own_name(PurePosixPath(name).name) for files in self._files.values() for name in files}
        there = [name for name in course.assignments if f"{notebook_name(name)}.ipynb" in names]
        if len(there) != 1:
            raise CourseError(f"{self.path}: expected notebooks of one assignment; found {', '.join(there) or 'none'}. "
                              "Name it with --assignment")
        return there[0]

    def _collect_one(self, who: str, course: Course, student: str, assignment: str, target: Path) -> Collected:
        late = self.system == "Canvas" and LATE in who
        with Scratch() as scratch:
            skipped = _unpack(self._files[who], Path(scratch))
            note = f"not unpacked: {'; '.join(skipped[:3])}" if skipped else ""
            try:
                _, files = take(Path(scratch), course, assignment)
                source = {"download": self.path.name, "as": who, "late": late, "note": note}
                store(files, target / student / assignment, source)
            except (Unreadable, OSError) as error:
                return Collected(who, student, assignment, problem=f"{error} {note}".strip())
        return Collected(who, student, assignment, note="; ".join(filter(None, ["late, says Canvas" if late else "", note])))

    def _member(self, archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Read:
        def read() -> bytes:
            if stat.S_IFMT(item.external_attr >> 16) not in (0, stat.S_IFREG):
                raise Skipped("it is not a regular file")
            if item.flag_bits & 1:
                raise Skipped("it is encrypted")
            with archive.open(item) as file:
                content = file.read(MAX_BYTES + 1)  # not the size it says
            if len(content) > MAX_BYTES:
                raise Skipped(f"it has more than {MAX_BYTES // 2**20} MB")
            return content
        return read


def is_download(path: Path) -> bool:
    """Is this an archive, or a folder whose files are called as those of one?"""
    return path.is_file() or any(form.fullmatch(f"{entry.name}/x" if entry.is_dir() else entry.name)
                                 for entry in path.iterdir() for form in SYSTEMS.values())


def _students(files: dict[str, Read], form: re.Pattern) -> tuple[dict[str, str], dict[str, dict[str, Read]]]:
    """What a download calls each student, by the student's number; and by that the files, by the student's own names."""
    numbers: dict[str, str] = {}
    theirs: dict[str, dict[str, Read]] = {}
    for name, read in files.items():
        if found := form.fullmatch(name):
            who = numbers.setdefault(found["id"], found["who"])
            theirs.setdefault(who, {})[found["file"]] = read
    return numbers, theirs


def _unpack(files: dict[str, Read], folder: Path) -> list[str]:
    """Write a student's files below an empty directory; why some of them are not there."""
    skipped = [f"{len(files) - MOST_FILES} more files"] if len(files) > MOST_FILES else []
    only = sum(name.lower().endswith(".ipynb") for name in files) == 1
    left = MOST_BYTES
    for name, read in sorted(files.items())[:MOST_FILES]:
        try:
            place = folder / _safe(_own_name(name) if only else name)
            if left <= 0:
                raise Skipped(f"the files before it have more than {MOST_BYTES // 2**20} MB")
            left -= MAX_BYTES  # what reading it may take, should it not come to an end
            content = read()
            left += MAX_BYTES - len(content)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        except (*BROKEN, Skipped) as error:
            skipped.append(f"{PurePosixPath(name).name[:60]!r}: {error}")
    return skipped


def _reader(path: Path) -> Read:
    return lambda: read_regular(path, MAX_BYTES)


def _own_name(name: str) -> str:
    """A file's name before Canvas numbered it, because it was handed in again."""
    return re.sub(r"-\d+(?=\.ipynb$)", "", name)


def _safe(name: str) -> PurePosixPath:
    """A student's file name as a path that stays where it is put.

    Raises:
        Skipped: it leads elsewhere, or is no name.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or not path.parts or len(path.parts) > DEEPEST or ".." in path.parts or not name.isprintable() or \
            any(len(part.encode("utf-8", "replace")) > 200 or ":" in part for part in path.parts):
        raise Skipped("its name is no path below a folder")
    return path
