"""What is left of a killed run goes with the next one; what somebody is at work with stays."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from autograder import files
from autograder.files import Scratch, atomic

AT_WORK = """
import sys, time
from pathlib import Path
from autograder.files import Scratch, atomic
with atomic(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    scratch = Scratch()
    print(scratch.path, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory for temporary files, which this process has not looked at."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    files._remove_leftovers.cache_clear()
    yield tmp_path
    files._remove_leftovers.cache_clear()


def old(path):
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago), follow_symlinks=False)
    return path


def test_what_a_killed_run_left_is_removed_by_the_next_one_and_not_before(place):
    results = place / "results" / "a.json"
    with subprocess.Popen([sys.executable, "-c", AT_WORK, str(results)], stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"TMPDIR": str(place / "tmp")}) as process:
        left = Path(process.stdout.readline().strip())
        half = next(results.parent.iterdir())
        (left / "run").mkdir()
        (left / "run" / "file").write_text("x")
        for path in (left, half):
            old(path)

        def next_run():
            files._remove_leftovers.cache_clear()
            with atomic(results.with_name("b.json")) as file, Scratch():
                file.write(b"whole")
            return left.exists(), half.exists()

        assert next_run() == (True, True)  # its process is at work
        process.kill()
        process.wait()
        now = time.time()
        os.utime(half, (now, now))
        assert next_run() == (False, True)  # what has just begun may not be locked yet
        old(half)
        assert next_run() == (False, False)
    assert [path.name for path in results.parent.iterdir()] == ["b.json"] and not list((place / "tmp").iterdir())


def test_a_living_run_and_strangers_lose_nothing(place):
    outside = place / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    link = place / "tmp" / f"{files.SCRATCH}link"
    link.symlink_to(outside)
    old(link)
    old(outside)
    mine = Scratch()
    closed = old(Path(mine.path))
    other = place / "tmp" / "somebody-elses"
    other.mkdir()
    old(other)
    files._remove_leftovers.cache_clear()
    with Scratch() as another:
        assert closed.exists() and other.exists() and (outside / "kept").exists() and Path(another).is_dir()
    mine.remove()
    assert not closed.exists() and not Path(another).exists()


def test_a_failed_write_leaves_what_was_there(place):
    path = place / "notes.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), atomic(path) as file:
        file.write(b"after")
        raise ZeroDivisionError
    assert path.read_text() == "before" and sorted(item.name for item in place.iterdir()) == ["notes.txt", "tmp"]


def test_what_somebody_has_put_there_meanwhile_stays_where_that_is_asked(tmp_path):
    for name, meanwhile in (("a", b"another's"), ("b", None)):
        with (new := atomic(tmp_path / name, replace=False)):
            Path(new.name).write_bytes(b"mine")
            if meanwhile:
                (tmp_path / name).write_bytes(meanwhile)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"another's", "b": b"mine"}
