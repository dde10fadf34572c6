"""Files written whole or not at all, and files of strangers read with care."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path


class NotRegular(OSError):
    """What was to be read is a link, a device, a directory or too large; the message says which."""


class atomic:
    """`with atomic(path) as file:` writes bytes to a temporary file beside `path` and moves it there when all went well."""

    def __init__(self, path: Path, mode: int = 0o644):
        self.path, self.mode = Path(path), mode

    def __enter__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, self.name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)  # mode 0600
        self.file = os.fdopen(descriptor, "wb")
        return self.file

    def __exit__(self, kind, *_):
        try:
            self.file.close()  # writes what is left, and may find the disk full
            if kind is None:
                os.chmod(self.name, self.mode)
                os.replace(self.name, self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.name)


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
