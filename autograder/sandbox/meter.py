"""What a submission uses: processes, processor time and memory, read from outside of it and without the worker's help.

A hostile tree of processes can make reading slow, but nothing waits for it: a look takes a second at most, and the channels
between grader and worker know nothing of it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_SECONDS = 1.0
PSS = re.compile(rb"^(?:Pss_Anon|Pss_Shmem): +(\d+) kB$", re.MULTILINE)
RSS = re.compile(rb"^(?:RssAnon|RssShmem):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Usage:
    """Processes, processor seconds, bytes of memory beyond the warm parent's; `complete` unless there was no time to read all.

    `memory` may be more than it is where the caller did not need it exactly.

    `waited` are the seconds that its threads were ready to run and others had the processors, where the kernel counts them.
    """

    processes: int
    cpu: float
    memory: float
    complete: bool
    waited: float = 0.0


class Meter:
    """Looks at the submissions of one worker.

    Args:
        worker: its process id as it is here.
        warm_bytes: the memory of the warm parent while it was alone.
        workers: of the warm parent, now.
        confined: do the submissions have process namespaces of their own?
    """

    def __init__(self, worker: int, warm_bytes: float, workers: Collection[int], confined: bool):
        self.worker, self.warm_bytes, self.workers, self.confined = worker, warm_bytes, workers, confined
        self._found: tuple[int, psutil.Process] | None = None

    def usage(self, pid: int, enough: float = 0.0) -> Usage:
        """What the submission uses whose first process has this id, as the worker says it.

        Args:
            enough: bytes; a bound for the memory will do where that is below this. It costs nothing, but for the exact number the
                kernel walks through every page, while the submission waits for it.
        """
        end = time.monotonic() + LOOK_SECONDS
        if self._found is None or self._found[0] != pid:
            host = found_below(self.worker, (pid, 1)) if self.confined else pid
            try:
                self._found = pid, psutil.Process(host or -1)
            except (psutil.Error, ValueError):
                return Usage(0, 0.0, 0.0, True)  # it has ended
        cpu, waited, memory, bound, looked = 0.0, 0.0, 0.0, 0.0, 0
        try:
            processes = [self._found[1], *self._found[1].children(recursive=True)]
        except psutil.Error:
            return Usage(0, 0.0, 0.0, True)
        for process in processes:
            with contextlib.suppress(psutil.Error, OSError):
                times = process.cpu_times()
                cpu += times.user + times.system + times.children_user + times.children_system
                bound += _resident(process.pid)
        # The warm parent's pages count in it, in its workers and, in equal shares, in each process that still has them.
        bound -= self._warm_share(len(processes))
        exact = bound >= enough
        for process in processes:
            if time.monotonic() > end:
                break
            waited += _waited(process.pid)
            looked += 1
            memory += (memory_of(process.pid) or 0.0) if exact else 0.0
        memory = memory - self._warm_share(looked) if exact else bound
        return Usage(len(processes), cpu, max(memory, 0.0), looked == len(processes), waited)

    def _warm_share(self, processes: int) -> float:
        """Bytes of the warm parent's that count in so many processes; fewer, while other workers' submissions share them, too."""
        return self.warm_bytes * processes / (processes + 1 + len(self.workers))


def found_below(process: int, ids: tuple[int, ...]) -> int | None:
    """What a process has started, directly or not, that has these ids in the namespaces of processes within this one."""
    with contextlib.suppress(psutil.Error):
        for below in psutil.Process(process).children(recursive=True):
            with contextlib.suppress(OSError, ValueError, StopIteration):
                status = Path(f"/proc/{below.pid}/status").read_text()
                line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
                if tuple(map(int, line.split()[2:])) == ids:
                    return below.pid
    return None


def written_below(folder: str, most: int) -> tuple[int, int]:
    """Files and directories below a directory, and the bytes of the files; counted until there are more than `most`."""
    waiting, found, size = [folder], 0, 0
    while waiting and found <= most:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:  # what is closed to us, or gone, is not counted
            for entry in entries:
                found += 1
                with contextlib.suppress(OSError):  # one that is gone meanwhile hides none of the others
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                if found > most:
                    break
    return found, size


def _waited(pid: int) -> float:
    """Seconds that the threads of a process have waited for a processor."""
    nanoseconds = 0
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/task") as threads:
        for thread in threads:
            with contextlib.suppress(OSError, IndexError, ValueError):  # it has ended, or the kernel does not count
                nanoseconds += int(Path(thread.path, "schedstat").read_bytes().split()[1])
    return nanoseconds / 1e9


def _resident(pid: int) -> float:
    """Bytes of a process's own and shared memory, all of what it shares with others; infinite where the kernel does not say."""
    found = RSS.findall(Path(f"/proc/{pid}/status").read_bytes())
    return 1024.0 * sum(map(int, found)) if found else float("inf")


def memory_of(pid: int | None) -> float | None:
    """Bytes of a process's own and shared memory, what several share divided by their number; files' pages are not counted."""
    try:
        return 1024.0 * sum(map(int, PSS.findall(Path(f"/proc/{pid}/smaps_rollup").read_bytes())))
    except OSError:
        with contextlib.suppress(psutil.Error):  # no Linux
            return float(psutil.Process(pid).memory_full_info().uss)
    return None
