"""Walls around one submission: namespaces, a private scratch directory, limits. Runs in the worker, before student code.

With *bubblewrap* around the warm parent and its workers, each submission gets user, mount, PID, network, IPC, UTS and cgroup
namespaces, a keyring and a filter of system calls of its own: it sees its own processes and its own scratch directory, and all of
it ends with the namespace's first process. Without (`landlock`, or a plain *process*) it gets a session, a directory and limits;
what it starts is found and ended afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from autograder.inside import seccomp

SCRATCH = "/scratch"  # where a submission runs under bubblewrap
MAX_FILES = 20_000  # that a submission may write, directories included
RELEASE = "/release"  # what the assignment ships, read-only
NOBODY = 65534
STATUS = struct.Struct("<iI")  # one of the next two, with an exit status
ENDED, FAILED = 1, 2

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 8192, 16384, 1 << 18)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_CAPBSET_DROP = 1, 4, 36, 24
KEYCTL_JOIN_SESSION_KEYRING = 1
MADV_COLLAPSE = 25  # Linux 6.1
HUGE = 2**21  # bytes of a huge page
HUGE_SECONDS = 0.5
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_python = ctypes.PyDLL(None, use_errno=True)  # a call during which no other thread may run, for a fork of our own


class Confinement(RuntimeError):
    """The kernel refused a wall; the message says which."""


def adopt_orphans() -> None:
    """Linux: what a child leaves running becomes this process's child, to be found and ended."""
    with contextlib.suppress(AttributeError):
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def silence() -> None:
    """From here on, what is written to standard output and error goes nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def prepare() -> None:
    """Find out once what every fork's walls need, and make forks fast."""
    _directories_of_python("/tmp")
    _use_huge_pages()


def _use_huge_pages() -> None:
    """Put this process's own memory on huge pages, where the kernel can at little cost: a fork then copies far fewer entries."""
    until = time.monotonic() + HUGE_SECONDS
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            addresses, modes, *_, inode = line.split()[:5]
            if inode == "0" and modes.startswith("rw"):
                start, end = (int(address, 16) for address in addresses.split("-"))
                for place in range(-(-start // HUGE) * HUGE, end - HUGE + 1, HUGE):
                    if time.monotonic() < until:  # the kernel has to make room where its memory is in pieces
                        _libc.madvise(ctypes.c_void_p(place), ctypes.c_size_t(HUGE), MADV_COLLAPSE)  # or it is refused


def leave_root() -> None:
    """Under bubblewrap started by root: mount this namespace's /proc, then become nobody for good.

    Bubblewrap covers parts of root's /proc, and a covered one denies its children a /proc of their own; nobody's needs no cover.
    """
    if os.getuid() != 0 or os.path.exists("/proc/self"):  # never outside: there is a /proc
        return
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or the files of its /proc would stay root's, and no child could write its user map


# ---------------------------------------------------------------------------------------------------- namespaces


def fork_confined(run: Callable[[], None], limits: dict) -> tuple[int, int]:
    """Start `run` in namespaces of its own.

    Returns:
        The process id of the namespaces' first process, whose end is the end of everything in them, and a descriptor from
        which `ended` reads how `run`'s process ended.
    Raises:
        Confinement: there are no such namespaces.
    """
    status, theirs = os.pipe()
    user, group = os.getuid(), os.getgid()  # within, nobody has a number before they are written
    first = _clone(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS
                   | CLONE_NEWNET)  # in which nothing is connected, not even to itself
    if first == 0:
        os.close(status)
        _first_process(run, limits, user, group, theirs)  # does not return
    os.close(theirs)
    if first < 0:
        os.close(status)
        raise Confinement(f"new namespaces: {os.strerror(ctypes.get_errno())}")
    return first, status


def _clone(namespaces: int) -> int:
    """Fork into new namespaces: to fork and unshare them would take one more copy of a large process.

    Python knows nothing of this fork: its child may only do what needs no thread, and fork again.
    """
    return _python.syscall(seccomp.here(seccomp.CLONE), namespaces | signal.SIGCHLD, None, None, None, None)


def ended(status: int) -> int | None:
    """How the process ended, as `waitstatus_to_exitcode` says it; None while it runs, or where it was ended from outside.

    Raises:
        Confinement: a wall could not be put up.
    """
    os.set_blocking(status, False)
    with contextlib.suppress(BlockingIOError):
        message = os.read(status, 400)
        if len(message) >= STATUS.size:
            kind, code = STATUS.unpack_from(message)
            if kind == FAILED:
                raise Confinement(message[STATUS.size:].decode("utf-8", "replace"))
            return os.waitstatus_to_exitcode(code)
    return None


def _first_process(run, limits: dict, user: int, group: int, status: int) -> None:
    """PID 1: put up the walls, start `run`'s process, reap what is orphaned, say how that ended, end everything by ending."""
    try:
        die_with_parent()
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"1000 {user} 1")
        _write("/proc/self/gid_map", f"1000 {group} 1")
        _libc.unshare(CLONE_NEWCGROUP)  # where possible
        _walls(limits)
        main = os.fork()
    except (OSError, Confinement) as error:
        os.write(status, STATUS.pack(FAILED, 0) + str(error).encode()[:300])
        os._exit(1)
    if main == 0:
        os.close(status)
        run()  # does not return
    close_descriptors(keep={status})
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # nothing in here may trace it
    while True:
        pid, code = os.wait()
        if pid == main:
            os.write(status, STATUS.pack(ENDED, code))
            os._exit(0)


def _walls(limits: dict) -> None:
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    _tmpfs(SCRATCH, limits["scratch_megabytes"])
    python = _directories_of_python("/tmp")
    for number, path in enumerate(python):
        Path(SCRATCH, f"python-{number}").mkdir()
        _mount(str(path), f"{SCRATCH}/python-{number}", None, MS_BIND | MS_REC)
    _tmpfs("/tmp", limits["scratch_megabytes"])
    for number, path in enumerate(python):
        path.mkdir(parents=True)
        _mount(f"{SCRATCH}/python-{number}", str(path), None, MS_MOVE)
        Path(SCRATCH, f"python-{number}").rmdir()
    _tmpfs("/dev/shm", limits["scratch_megabytes"])
    try:
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except Confinement:  # an empty one hides as much
        _mount("tmpfs", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k")
    for name in filter(os.path.exists, ("/proc/keys", "/proc/key-users")):
        _mount(os.devnull, name, None, MS_BIND)
    for file in sorted(path for path in Path(RELEASE).iterdir() if path.is_file()):
        place = Path(SCRATCH, file.name)
        place.touch()
        _mount(str(file), str(place), None, MS_BIND)
        _mount("none", str(place), None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    _libc.sethostname(b"sandbox", 7)
    with contextlib.suppress(OSError):  # no namespaces within: no way to new privileges
        _write("/proc/sys/user/max_user_namespaces", "0")
    join_new_keyring()
    drop_capabilities()
    seccomp.load(alone=True)


def _tmpfs(place: str, megabytes: float) -> None:
    _mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, f"size={int(megabytes * 2**20)},nr_inodes={MAX_FILES},mode=0755")


@functools.cache
def _directories_of_python(place: str) -> list[Path]:
    """Where this Python imports from below a place that is about to be covered."""
    paths = {Path(path).resolve() for path in (sys.prefix, sys.base_prefix, *sys.path) if path and os.path.isdir(path)}
    return outermost([path for path in paths if path.is_relative_to(place)])


def outermost(paths: Sequence[Path]) -> list[Path]:
    """The directories that lie in none of the others."""
    return [path for path in paths if not any(path != other and path.is_relative_to(other) for other in paths)]


def join_new_keyring() -> None:
    """Leave the session keyring of whoever started the grader; the new one is empty and nobody else's."""
    _libc.syscall(seccomp.number_here("keyrings", "keyctl"), KEYCTL_JOIN_SESSION_KEYRING, None)  # fails where there are none


def drop_capabilities() -> None:
    """Give up every capability, for this process and all it starts."""
    for capability in range(64):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for those the kernel does not know
    header, nothing = struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)
    _check(_libc.capset(header, nothing), "dropping capabilities")
    _check(_libc.prctl(seccomp.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")


# ---------------------------------------------------------------------------------------------------- limits


def limit_resources(limits: dict, isolation: str) -> None:
    """Resource limits of the calling process and of each it starts.

    Memory is bounded as data beyond what the warm parent already had: TensorFlow reserves far more address space than it uses.
    """
    for name, value in (("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", 1024), ("RLIMIT_FSIZE", limits["scratch_megabytes"] * 2**20),
                        ("RLIMIT_CPU", limits["submission_seconds"] + 1),
                        ("RLIMIT_DATA", _data_bytes() + limits["memory_megabytes"] * 2**20)):
        _limit(name, int(value))
    if isolation == "bubblewrap":  # elsewhere it would count every process of the account
        _limit("RLIMIT_NPROC", int(limits["processes"]))


@contextlib.contextmanager
def less_memory(megabytes: float):
    """Within, this process may take so much more memory than it holds, and no more: beyond it, a MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = _data_bytes() + int(megabytes * 2**20)
    resource.setrlimit(resource.RLIMIT_DATA, (bound if soft == resource.RLIM_INFINITY else min(bound, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def die_with_parent() -> None:
    with contextlib.suppress(AttributeError):
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def close_descriptors(keep: set[int]) -> None:
    """Close every descriptor but the standard ones and those to keep."""
    try:
        known = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        known = list(range(1024))
    for descriptor in known:
        if descriptor > 2 and descriptor not in keep:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _data_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
        return pages * resource.getpagesize()
    except OSError:
        return 2**30


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, name, None)
    if kind is not None:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(kind, (value, value))


# ---------------------------------------------------------------------------------------------------- system calls


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    _check(_libc.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), options.encode() or None),
           f"mounting {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise Confinement(f"{what}: {os.strerror(ctypes.get_errno())}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def trial() -> None:
    """Try every wall once, as `autograder.sandbox.isolation` asks; prints one line, `ok` or what the kernel refused."""
    limits = {"scratch_megabytes": 1}
    try:
        leave_root()
        adopt_orphans()
        init, status = fork_confined(lambda: os._exit(0), limits)
        os.waitpid(init, 0)
        code = ended(status)
        print("ok" if code == 0 else f"the first confined process ended with {code}")
    except (OSError, Confinement) as error:
        print(error)
