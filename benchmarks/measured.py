"""What a command's own process takes, without those that it starts."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import psutil

LOOK_SECONDS = 0.02


class Taken(NamedTuple):
    """Exit status, seconds by the clock, seconds of the processor, and the most memory in MB."""

    status: int
    seconds: float
    processor: float
    megabytes: int


def own_process(command: list[str], folder: Path, said: Path) -> Taken:
    """Run a command in a folder; what it prints goes to the file `said`."""
    start, most, spent = time.monotonic(), 0, 0.0
    with open(said, "wb") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file)
    own = psutil.Process(process.pid)
    # Not `ru_maxrss`, which starts at what this process had. The kernel keeps the mark: looking now and then is enough.
    while process.poll() is None:
        try:
            found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            times = own.cpu_times()
        except (OSError, psutil.Error):
            continue  # it has just ended
        most, spent = max(most, int(found[1]) // 1024 if found else 0), times.user + times.system
        time.sleep(LOOK_SECONDS)
    return Taken(process.returncode, time.monotonic() - start, spent, most)
