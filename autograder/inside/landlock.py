"""Walls around one submission without namespaces: Landlock for files and signals, `seccomp` for all the rest.

For machines where bubblewrap cannot work, such as most containers. A confined process reads Python's directories and the
system's libraries, writes to its scratch directory, and opens no other file of its account; no program it starts may do more
(landlock(7)). What it lacks beside bubblewrap is `autograder.sandbox.isolation`'s to say.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from autograder.inside import confine, seccomp

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # on every architecture
CREATE_RULESET_VERSION, RULE_PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REFER, TRUNCATE, IOCTL_DEV = 1, 2, 4, 8, 1 << 13, 1 << 14, 1 << 15
FIRST = (1 << 13) - 1  # every right of the first version; later ones brought the last three above
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # what can be said of a file that is no directory
NETWORK = 3  # binding and connecting TCP
ABSTRACT_SOCKETS, SIGNALS = 1, 2  # not to those outside
SIGNALS_SINCE = 6
OF_ITSELF = ("cmdline", "fd", "maps", "stat", "statm", "status")  # of /proc/self: TensorFlow ends a process without the first

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Which version of Landlock the running kernel offers; 0 where it has none or keeps it off."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION), 0)


def restrict(readable: Sequence[str], folder: str) -> None:
    """Put the calling process, and all it starts, behind the walls.

    Args:
        readable: files and directories to read and to start programs from; those that are not there are passed over.
        folder: the directory to write to.
    Raises:
        confine.Confinement: the kernel refused a wall.
    """
    offered = version()
    if not offered:
        raise confine.Confinement("Landlock: this kernel does not offer it")
    confine.join_new_keyring()
    confine.drop_capabilities()
    files = FIRST | sum(right for right, since in ((REFER, 2), (TRUNCATE, 3), (IOCTL_DEV, 5)) if offered >= since)
    attributes = struct.pack("=QQQ", files, NETWORK if offered >= 4 else 0,
                             ABSTRACT_SOCKETS | SIGNALS if offered >= SIGNALS_SINCE else 0)
    ruleset = _libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    _check(ruleset, "rules")
    for path in readable:
        _allow(ruleset, path, EXECUTE | READ_FILE | READ_DIR)
    _allow(ruleset, "/dev/null", READ_FILE | WRITE_FILE)
    _allow(ruleset, folder, files)
    for name in OF_ITSELF:  # kept open, or /proc might make them anew, unknown to the rules
        _allow(ruleset, f"/proc/self/{name}", READ_FILE | READ_DIR, keep=True)
    _check(_libc.syscall(RESTRICT_SELF, ruleset, 0), "restricting itself")
    os.close(ruleset)
    try:
        seccomp.load(alone=False, signals_to=None if offered >= SIGNALS_SINCE else os.getpid())
    except OSError as error:
        raise confine.Confinement(error.strerror) from None


def _allow(ruleset: int, path: str, rights: int, keep: bool = False) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights &= -1 if os.path.isdir(path) else OF_FILES
    _check(_libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, struct.pack("=Qi", rights, place), 0), f"a rule for {path}")
    if not keep:
        os.close(place)


def _check(result: int, what: str) -> None:
    if result < 0:
        raise confine.Confinement(f"Landlock: {what}: {os.strerror(ctypes.get_errno())}")


def trial() -> None:
    """Stand behind the walls once and look, as `autograder.sandbox.isolation` asks; prints one line, `ok` or what is wrong.

    The arguments: the directory to write to, one that holds a file `secret` and is not to be read, and what may be read, as JSON.
    """
    folder, closed, readable = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    try:
        restrict(readable, folder)
    except confine.Confinement as error:
        print(error)
        return
    Path(folder, "mine").write_text("mine")
    for what, tried in (("reading", lambda: (closed / "secret").read_text()), ("listing", lambda: os.listdir(closed)),
                        ("writing", lambda: (closed / "mine").write_text("mine"))):
        with contextlib.suppress(PermissionError):
            tried()
            print(f"{what} a closed directory was not refused")
            return
    print("ok")
