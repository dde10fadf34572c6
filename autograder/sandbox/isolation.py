"""What isolation this machine offers to student code, and how a worker is started with it. Trusted.

`bubblewrap`: the worker sees a read-only system, a read-only Python and this package's code, and nothing else: no home, no
course, no network, no inherited environment. `landlock`: each submission may open nothing but the same files, and makes no
connection. `process`: a process of its own, which can read what the account can read. The first two filter system calls.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from autograder.files import Scratch
from autograder.inside import landlock, seccomp
from autograder.inside.confine import RELEASE, SCRATCH, outermost

# Each level with what it lacks, the strongest first.
LEVELS = {
    "bubblewrap": "memory is looked at four times a second, not bounded by the kernel",
    "landlock": "memory, processes and files written are looked at four times a second, not bounded by the "
                "kernel; that a file of a known name exists can be seen; notebooks have no sockets, no locks and thread pools of "
                "multiprocessing, and no TensorFlow in a program that they start, which they cannot signal before Linux 6.12",
    "process": "student code can read and change what this account can, and use its network",
}
KINDS = ("auto", *LEVELS)
PACKAGE = Path(__file__).resolve().parents[1]
# Of the package: what notebooks import, what runs there.
SEEN = ("__init__.py", "data.py", "diagrams.py", "moving.py", "plots.py", "inside")
KIT = "/kit"  # where the package's own code lies under bubblewrap
TRIAL_SECONDS = 30
LIBRARIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64",
             "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
           "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")  # and the machine, as libraries measure it


class IsolationError(RuntimeError):
    """The isolation asked for is not to be had here; the message says what to do."""


@dataclass(frozen=True)
class Finding:
    """One thing that isolation needs: whether it is there, and what to do when not."""

    what: str
    good: bool
    found: str
    advice: str = ""


def choose(wanted: str) -> str:
    """The isolation to use, one of `LEVELS`; for "auto" the strongest.

    Raises:
        IsolationError: `wanted` is none of `KINDS`, or a level that this machine does not offer.
    """
    if wanted not in KINDS:
        raise IsolationError(f"expected an isolation of {', '.join(KINDS)}. Received: {wanted}")
    if wanted == "auto":
        return next(level for level in LEVELS if obstacle(level) is None)
    if (problem := obstacle(wanted)) is not None:
        raise IsolationError(f"expected {wanted} to work here: {problem}. Run `autograder doctor` to see what is missing.")
    return wanted


def weaker(level: str) -> str:
    """What a level beneath the strongest lacks, and why the strongest is not to be had; "" for it, and where nothing ran."""
    strongest, *others = LEVELS
    if level not in others:
        return ""
    why = obstacle(strongest)
    return f"isolation: {level}. What it lacks: {LEVELS[level]}." + (f" Without {strongest}: {why}." if why else "")


@functools.cache
def obstacle(level: str = "bubblewrap") -> str | None:
    """Why a level cannot isolate here, or None when it can: every wall is tried once a process."""
    if level == "process":
        return None
    if not sys.platform.startswith("linux"):
        return f"it needs Linux, and this is {platform.system()}"
    if not seccomp.supported():
        return f"the system calls of {platform.machine()} are not known to this kit"
    if level == "landlock":
        return "this kernel has no Landlock, or keeps it off" if not landlock.version() else _trial_of_landlock()
    if shutil.which("bwrap") is None:
        return "the program bwrap is not installed"
    return _trial(bubblewrap(Path(PACKAGE), boot(KIT, "confine", "trial"), {}))


def _trial_of_landlock() -> str | None:
    with Scratch() as root:
        kit, folder, closed = copy_kit(Path(root, "kit")), Path(root, "run"), Path(root, "closed")
        folder.mkdir()
        closed.mkdir()
        (closed / "secret").write_text("secret")
        return _trial([sys.executable, "-I", "-c", boot(str(kit), "landlock", "trial"), str(folder), str(closed),
                       json.dumps(readable(kit, ()))])


def _trial(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TRIAL_SECONDS, env={})
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"a trial did not end well ({type(error).__name__})"
    if done.stdout.strip() == "ok":
        return None
    lines = (done.stdout.strip() or done.stderr.strip() or f"exit status {done.returncode}").splitlines()
    return f"a trial was refused ({lines[-1][:200]})"


def boot(kit: str, module: str, function: str) -> str:
    """Python code that takes the package from `kit` and calls a function of the room `inside`."""
    return f"import sys; sys.path.insert(0, {kit!r}); from autograder.inside import {module}; {module}.{function}()"


def copy_kit(place: Path) -> Path:
    """Copy what a sandbox may see of the package, where a mount cannot show it alone; the directory to import it from."""
    for name in SEEN:
        source, target = PACKAGE / name, place / "autograder" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return place


def readable(kit: Path, hidden: tuple[Path, ...]) -> tuple[str, ...]:
    """What a submission behind Landlock may read: the system's libraries, Python and the kit, without what is hidden."""
    secrets = [path.resolve() for path in hidden]
    seen: list[Path] = []
    todo = [*map(Path, LIBRARIES), *map(Path, DEVICES), *_python_directories(), kit]
    while todo:
        path = todo.pop().resolve()
        if path in secrets:
            continue
        # A directory is allowed with all that is in it: around a hidden one, what is beside it is allowed piece by piece.
        if any(secret.is_relative_to(path) for secret in secrets):
            todo.extend(inner for inner in path.iterdir() if not inner.is_symlink())  # which may lead anywhere
        elif path.exists():
            seen.append(path)
    return tuple(map(str, outermost(sorted(set(seen)))))


def bubblewrap(release: Path, code: str, environment: dict[str, str], arguments: tuple[str, ...] = (),
               hidden: tuple[Path, ...] = ()) -> list[str]:
    """The command that runs Python code behind bubblewrap's walls.

    Args:
        release: the directory that is seen read-only as `/release`.
        hidden: directories that must not be seen even if they lie within the system or the Python installation.
    """
    command = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid",
               "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    root = os.getuid() == 0
    # As root the worker gives up root by itself (see confine.leave_root), for which it needs these three once.
    command += ["--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if root \
        else ["--unshare-user"]
    command += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            command += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            command += ["--ro-bind", str(path), str(path)]
    for library in LIBRARIES:
        command += ["--ro-bind-try", library, library] if library.startswith("/etc/") else []
    command += ["--dir", "/proc"] if root else ["--proc", "/proc"]
    command += ["--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp", "--perms", "0755", "--dir", SCRATCH]
    python = _python_directories()
    mounted = outermost(python)
    parents = {parent for path in mounted for parent in path.parents} - {Path("/"), Path("/usr")}
    for path in sorted(parents, key=lambda path: len(path.parts)):  # made by bubblewrap itself, they would be closed to nobody
        command += ["--perms", "0755", "--dir", str(path)]
    for path in mounted:
        command += ["--ro-bind", str(path), str(path)]
    for secret in map(Path.resolve, hidden):
        if any(secret.is_relative_to(place) for place in (Path("/usr"), *mounted)):
            command += ["--perms", "0755", "--tmpfs", str(secret)]
            for path in python:  # such as a course's own .venv
                command += ["--ro-bind", str(path), str(path)] if path.is_relative_to(secret) else []
    command += ["--perms", "0755", "--dir", KIT, "--perms", "0755", "--dir", f"{KIT}/autograder"]
    for name in SEEN:
        command += ["--ro-bind", str(PACKAGE / name), f"{KIT}/autograder/{name}"]
    command += ["--ro-bind", str(release), RELEASE, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--clearenv"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    return [*command, sys.executable, "-I", "-c", code, *arguments]


@functools.cache
def _python_directories() -> tuple[Path, ...]:
    """Directories that this Python needs: its prefixes and what else it imports from, but not the course."""
    listed = subprocess.run([sys.executable, "-I", "-c", "import sys, json; print(json.dumps(sys.path))"],
                            capture_output=True, text=True, check=True, timeout=TRIAL_SECONDS)
    candidates = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable)), *json.loads(listed.stdout)]
    # A package installed in place puts the whole course on the path; only the package itself is to be seen.
    wanted = {Path(os.path.realpath(path)) for path in candidates if path and os.path.isdir(path)} | {Path(sys.prefix)}
    wanted = {path for path in wanted if path != PACKAGE.parent and not path.is_relative_to("/usr")}
    return tuple(sorted(wanted, key=lambda path: len(path.parts)))


def findings() -> list[Finding]:
    """What `autograder doctor` shows of what isolation needs; `LEVELS` and `obstacle` say what comes of it."""
    bwrap, kernel = shutil.which("bwrap"), platform.release()
    found = [Finding("Linux", sys.platform.startswith("linux"), f"{platform.system()} {kernel}",
                     "bubblewrap needs Linux: grade in a virtual machine or container that runs it")]
    version = ""
    if bwrap:
        version = subprocess.run([bwrap, "--version"], capture_output=True, text=True, timeout=TRIAL_SECONDS).stdout.strip()
    found.append(Finding("bubblewrap", bwrap is not None, version or "no program bwrap on PATH",
                         "install the package bubblewrap (apt-get install bubblewrap, dnf install bubblewrap)"))
    for setting, bad, advice in (
            ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
            ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
            ("kernel/apparmor_restrict_unprivileged_userns", "1",
             "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that lets bwrap use them")):
        try:
            value = Path("/proc/sys", setting).read_text().strip()
        except OSError:
            continue  # this kernel has no such setting
        found.append(Finding(setting.replace("/", "."), value != bad, value, advice))
    found.append(Finding("system calls", seccomp.supported(), platform.machine(), "grade on a machine of x86_64 or aarch64"))
    offered = landlock.version()
    found.append(Finding("Landlock", offered > 0, f"version {offered}" if offered else "not in this kernel, or off",
                         "Linux 5.13 or newer, with landlock among the modules of its boot parameter lsm="))
    for level, advice in (("bubblewrap", "see the lines above; in a container, allow user namespaces (for Docker: "
                                         "--security-opt seccomp=unconfined --security-opt apparmor=unconfined)"),
                          ("landlock", "see the lines above; a container's own filter may refuse Landlock: update Docker")):
        problem = obstacle(level)
        found.append(Finding(f"a trial of {level}", problem is None, "passed" if problem is None else problem, advice))
    return found
