"""Files written whole or not at all, scratch directories, and files of strangers read with care.

What is being written, and a directory in use, is locked by the process that has it. What a killed run has left is not: the next
run that comes by removes it.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows, where students may check: nothing is locked, and nothing removed
    fcntl = None  # type: ignore[assignment]

PART = ".part"  # ends the name of a file that is being written
SCRATCH = "autograder-run-"  # begins the name of a scratch directory
STALE_SECONDS = 60  # what is younger may be about to be locked


class NotRegular(OSError):
    """What was to be read is a link, a device, a directory or too large; the message says which."""


class atomic:
    """`with atomic(path) as file:` writes bytes to a temporary file beside `path` and moves it there when all went well.

    What writes by name, not to `file`, writes to `name`.

    Args:
        replace: what is there; else what is there by then stays, and what was written is thrown away.
    """

    def __init__(self, path: Path, mode: int = 0o644, replace: bool = True):
        self.path, self.mode, self._put = Path(path), mode, os.replace if replace else _put_anew

    def __enter__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        tidy_folder(self.path.parent)
        descriptor, self.name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=PART, dir=self.path.parent)  # mode 0600
        _lock(descriptor)
        self.file = os.fdopen(descriptor, "wb")
        return self.file

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                if not self.file.closed:  # as a text layer on top of it may have done
                    self.file.flush()  # which may find the disk full
                os.chmod(self.name, self.mode)
                self._put(self.name, self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.name)
            with contextlib.suppress(OSError):  # what is left to be written nobody wants
                self.file.close()


def _put_anew(file: str, path: Path) -> None:
    try:
        os.link(file, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(file, path)


class Scratch:
    """A temporary directory; use it as a context manager, which gives its path, or `remove` it."""

    def __init__(self):
        tidy()
        self.path = tempfile.mkdtemp(prefix=SCRATCH)
        self._lock = os.open(self.path, os.O_RDONLY)
        _lock(self._lock)

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, *_):
        self.remove()

    def remove(self) -> None:
        """Remove it, with all that is in it."""
        remove_tree(self.path)
        os.close(self._lock)


def tidy() -> None:
    """Remove the temporary directories that killed runs left."""
    _remove_leftovers(Path(tempfile.gettempdir()), f"{SCRATCH}*")


def tidy_folder(folder: Path) -> None:
    """Remove what killed runs left half-written in a folder."""
    _remove_leftovers(folder.resolve(), f".*{PART}")


def remove_tree(folder: str | Path) -> None:
    """Delete a directory whatever modes its owner gave what is in it."""

    def retry(function, path, _):
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), stat.S_IRWXU)
            if not os.path.islink(path):
                os.chmod(path, stat.S_IRWXU)
            function(path)

    shutil.rmtree(folder, onerror=retry)


def _lock(descriptor: int) -> None:
    """Until the descriptor is closed, by whatever end of this process. Where there are no locks, nothing is ever removed."""
    if fcntl:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@functools.cache
def _remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove what nobody is at work with any more; once a process."""
    for path in folder.glob(pattern) if fcntl else ():
        with contextlib.suppress(OSError):  # somebody else's, or gone
            about = path.lstat()
            if about.st_uid != os.getuid() or time.time() - about.st_mtime < STALE_SECONDS:
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if stat.S_ISDIR(about.st_mode):
                    remove_tree(path)
                else:
                    path.unlink()
            finally:
                os.close(descriptor)


def read_regular(path: Path, limit: int) -> bytes:
    """A stranger's file: neither followed, if it is a link, nor waited for, if it is a pipe.

    Args:
        limit: bytes that it may have.
    Raises:
        NotRegular: it is no regular file, or larger.
        OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        if Path(path).is_symlink():
            raise NotRegular("it is a link") from None
        raise NotRegular(error.strerror or type(error).__name__) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular("it is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(limit + 1)  # not the size it says: a file can grow
    if len(content) > limit:
        raise NotRegular(f"it has more than {limit / 2**20:g} MB")
    return content


def read_table(path: Path) -> list[dict[str | None, Any]]:
    """The rows of a CSV file in UTF-8, as `csv.DictReader` gives them; comma, semicolon or tab separates its columns.

    Raises:
        OSError, UnicodeDecodeError, csv.Error: it cannot be read.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        file.seek(0)
        # A spreadsheet separates columns by what does not separate decimals where it stands.
        return list(csv.DictReader(file, delimiter=max(",;\t", key=header.count)))
