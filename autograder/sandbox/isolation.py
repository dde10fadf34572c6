"""What isolation this machine offers to student code, and how a worker is started with it. Trusted.

`bubblewrap`: the worker sees a read-only system, a read-only Python and this package's code, and nothing else: no home, no
course, no network, no inherited environment. `process`: a process of its own, which can read what the account can read.
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

from autograder.inside.confine import RELEASE, SCRATCH, outermost

KINDS = ("auto", "bubblewrap", "process")
PACKAGE = Path(__file__).resolve().parents[1]
SEEN = ("__init__.py", "data.py", "plots.py", "inside")  # of the package: what notebooks import and what runs there
KIT = "/kit"  # where the package's own code lies under bubblewrap
TRIAL_SECONDS = 30
BOOT = f"import sys; sys.path.insert(0, {KIT!r}); from autograder.inside import {{module}}; {{module}}.{{function}}()"


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
    """The isolation to use: "bubblewrap" or "process".

    Raises:
        IsolationError: `wanted` is none of `KINDS`, or "bubblewrap" where this machine cannot.
    """
    if wanted not in KINDS:
        raise IsolationError(f"expected an isolation of {', '.join(KINDS)}. Received: {wanted}")
    if wanted == "process":
        return "process"
    if (problem := obstacle()) is None:
        return "bubblewrap"
    if wanted == "bubblewrap":
        raise IsolationError(f"expected bubblewrap to work here: {problem}. Run `autograder doctor` to see what is missing.")
    return "process"


@functools.cache
def obstacle() -> str | None:
    """Why bubblewrap cannot isolate here, or None when it can: every wall is tried once a process."""
    if not sys.platform.startswith("linux"):
        return f"it needs Linux, and this is {platform.system()}"
    if shutil.which("bwrap") is None:
        return "the program bwrap is not installed"
    command = bubblewrap(Path(PACKAGE), BOOT.format(module="confine", function="trial"), {})
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TRIAL_SECONDS, env={})
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"a trial did not end well ({type(error).__name__})"
    if done.stdout.strip() == "ok":
        return None
    lines = (done.stdout.strip() or done.stderr.strip() or f"exit status {done.returncode}").splitlines()
    return f"a trial was refused ({lines[-1][:200]})"


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
    for path in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime"):
        command += ["--ro-bind-try", path, path]
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
    """What `autograder doctor` shows."""
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
    problem = obstacle()
    found.append(Finding("a trial of every wall", problem is None, "passed" if problem is None else problem,
                         "" if problem is None else "see the lines above; in a container, allow user namespaces (for Docker: "
                                                    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined)"))
    return found
