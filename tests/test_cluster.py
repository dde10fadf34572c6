"""A class on a cluster: the same verdicts as on one machine, whatever dies; nothing that leaves this machine unencrypted."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from conftest import autograder
from test_ci import NAME, RIGHT, answered

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

from distributed import Security
from distributed.scheduler import KilledWorker

from autograder.authoring.course import find_course
from autograder.grading import cluster
from autograder.grading.batch import Job, grade_all
from autograder.grading.cluster import Answered, Asked, ClusterError, Desk, connected, grade_on_cluster, packed, read_answer
from autograder.grading.key import load
from autograder.grading.verdict import broken
from autograder.inside.protocol import plain, typed
from autograder.inside.wire import WireError
from autograder.sandbox.isolation import choose
from autograder.sandbox.sandbox import Limits

WRONG = ("def double(x):\n    return x * x", "def double(x):\n    return 3 * x", "def double(x):\n    raise KeyError('x')", "def double(x):\n    return (")


@pytest.fixture
def job(built_tiny):
    return Job(load(built_tiny.key(NAME)), built_tiny.skeleton(NAME), tuple(built_tiny.released_files(NAME)), Limits())


@pytest.fixture
def handed_in(built_tiny, tmp_path):
    """`handed_in(students)` -> a class: right answers, mistakes, what does not run, and no notebook at all."""
    def write(students):
        for number in range(students):
            folder = shutil.copytree(built_tiny.release(NAME), tmp_path / "submitted" / f"s{number:03}" / NAME)
            if number % 6 == 5:
                (folder / "doubling.ipynb").write_text("not JSON")
            else:
                double = WRONG[number % 6 - 1] if number % 6 else RIGHT["double"]
                answered(folder, double=f"{double}\n# {number}", quadruple=RIGHT["quadruple"])
        return [(path.name, path / NAME) for path in sorted((tmp_path / "submitted").iterdir())]

    return write


def bare(verdicts):
    return [dataclasses.replace(verdict, seconds=0, outputs=dict(verdict.outputs)) for verdict in verdicts]


@pytest.mark.parametrize("address, words", [
    ("tcp://10.0.0.5:8786", "expected tls://"), ("tcp://grader.example.org:8786", "expected tls://"), ("tcp://127.1.2.3.example.org:1", "expected tls://"),
    ("10.0.0.5:8786", "Received: 10.0.0.5:8786"), ("local:0", "Received: local:0"), ("http://127.0.0.1:80", "Received: http"),
    ("nothing.toml", "expected a TOML file"), ("odd.toml", "Received: port"), ("open.toml", "expected tls://"), ("empty.toml", "expected an address"),
    ("files.toml", "expected the file"), ("slurm.toml", "expected the files ca, certificate and key"), ("tcp://127.0.0.1:9", "nobody answers")])
def test_an_address_that_is_none_or_leaves_the_machine_unencrypted_is_refused_in_a_line(tmp_path, monkeypatch, address, words):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    for name, text in {"odd": "port = 1", "open": 'address = "tcp://10.0.0.5:1"', "empty": "", "files": 'address = "tls://a:1"\nca = "ca.pem"',
                       "slurm": "[slurm]\ncores = 1"}.items():
        (tmp_path / f"{name}.toml").write_text(text)
    with pytest.raises(ClusterError, match=re.escape(words)) as error, connected(address, tmp_path):
        pass
    assert "\n" not in str(error.value)


def test_what_a_worker_sends_is_read_field_by_field(job):
    verdict = broken("", job.key, "ours")
    good = plain(Answered(verdict, True))
    assert read_answer(json.dumps(good).encode(), job) == Answered(verdict, True)
    spoilt = [b"", b"[]", b"\x80\x04.", "text", None, json.dumps(good | {"more": 1}).encode(), json.dumps(good | {"keep": 1}).encode()]
    for change in ({"student": 1}, {"questions": good["verdict"]["questions"][:1]}, {"notes": "a"}, {"seconds": "1"}, {"outputs": {"a": "b"}}):
        spoilt.append(json.dumps(good | {"verdict": good["verdict"] | change}).encode())
    status = json.dumps(good).replace('"ungraded"', '"splendid"', 1)
    for data in (*spoilt, status.encode()):
        with pytest.raises(WireError):
            read_answer(data, job)


def test_a_worker_that_would_come_to_other_verdicts_says_why_and_starts_nothing(job, monkeypatch):
    monkeypatch.setattr(cluster.Sandbox, "start", lambda self: pytest.fail("a sandbox was started"))
    package = packed(job, choose("auto"))
    monkeypatch.setattr(cluster, "_code", lambda: "another")
    desk = Desk(package)
    assert "other code of the kit" in desk.refused
    assert typed(json.loads(desk.grade(b"{}")), Answered) == Answered(refused=desk.refused)
    desk.close()
    older = {**cluster.installed(), "keras": "2.1.0"}
    monkeypatch.setattr(cluster, "installed", lambda: older)
    assert "computed with" in Desk(package).refused
    monkeypatch.setattr(cluster, "choose", lambda level: (_ for _ in ()).throw(cluster.IsolationError("expected bubblewrap to work here")))
    assert Desk(package).refused == "expected bubblewrap to work here"


class Fake:
    """A client of a cluster whose workers do as they are told: `fates` are what comes of the first submissions to be tried."""

    def __init__(self, fates):
        self.fates, self.flown, self.most = list(fates), [], 0

    def register_plugin(self, plugin):
        self.desk = SimpleNamespace(refused="")

    def unregister_worker_plugin(self, name):
        pass

    def nthreads(self):
        return {"tls://a:1": 1, "tls://b:1": 1, "tls://c:1": 1}

    def run(self, function, *arguments, workers, on_error):
        return {address: json.dumps({"refused": "it has Keras 2" if address == "tls://c:1" else ""}).encode() for address in workers}

    def submit(self, function, plugin, body, pure, workers):
        assert workers == ["tls://a:1", "tls://b:1"]
        fate = self.fates.pop(0) if self.fates else "right"
        self.flown.append((typed(json.loads(body), Asked), fate))
        return Future(fate, self)


class Future:
    def __init__(self, fate, client):
        self.fate, self.client = fate, client

    def done(self):
        return True

    def cancel(self):
        pass

    def result(self):
        if self.fate == "died":
            raise KilledWorker("x", None, 1)
        if self.fate == "gone":
            raise OSError("connection lost")
        return self.fate if isinstance(self.fate, bytes) else json.dumps(plain(Answered(broken("", self.client.key, "stands for a verdict"), False))).encode()


def run_on(fates, job, handed_in, monkeypatch):
    client, said = Fake(fates), []
    client.key = job.key
    client.together = []  # submissions in flight, each time that somebody waits
    monkeypatch.setattr(cluster.distributed, "wait", lambda futures, **_: client.together.append(len(futures)))
    return client, said, lambda: cluster._Grading(handed_in, job, choose("auto"), client, lambda verdict: None, lambda student: None, said.append).run()


def test_a_submission_with_which_workers_die_is_tried_alone_and_then_not_graded(job, handed_in, monkeypatch):
    client, said, run = run_on(["right", "died", "right", "right", "died", b"nonsense"], job, handed_in(5), monkeypatch)
    verdicts = run()
    assert [verdict.student for verdict in verdicts] == ["s000", "s001", "s002", "s003", "s004"]
    assert [verdict.error for verdict in verdicts] == ["stands for a verdict", "every worker that graded it died", *["stands for a verdict"] * 2,
                                                       "a worker's answer could not be read (expected JSON)"]
    assert [asked.cells == client.flown[1][0].cells for asked, _ in client.flown] == [False, True, False, False, True, False]
    assert client.together == [4, 1, 1] and said == ["the worker tls://c:1 is of no use: it has Keras 2"]
    assert verdicts[1].score is None


def test_a_cluster_that_goes_away_or_has_no_worker_of_use_is_said_in_a_line(job, handed_in, monkeypatch):
    _, _, run = run_on(["right", "gone"], job, handed_in(4), monkeypatch)
    with pytest.raises(ClusterError, match="the same command goes on from there"):
        run()
    client, _, run = run_on([], job, handed_in(0), monkeypatch)
    client.nthreads = lambda: {"tls://c:1": 1}
    with pytest.raises(ClusterError, match="tls://c:1 is of no use: it has Keras 2"):
        run()
    client.nthreads = dict
    _, _, run = run_on([], job, [], monkeypatch)
    monkeypatch.setattr(Fake, "nthreads", lambda self: {})
    with pytest.raises(ClusterError, match="it has none"):
        run()


@pytest.mark.xdist_group("grade")  # whose process has a worker
def test_two_workers_of_this_machine_come_to_the_same_verdicts_and_fill_the_cache(built_tiny, handed_in, tmp_path, warm):
    course = find_course(shutil.copytree(built_tiny.root, tmp_path / "course"))
    handed_in(7)
    shutil.move(tmp_path / "submitted", course.root / "submitted")

    def grade(*options):
        done = autograder("grade", NAME, "--no-gradebook", *options, cwd=course.root)
        assert done.returncode == 0, done.stderr
        data = json.loads(course.results(NAME).read_text())
        return [{**one, "seconds": 0} for one in data["submissions"]], data["isolation"]

    found = grade("--cluster", "local:2")
    assert not [one for one in psutil.Process().children(recursive=True) if "distributed" in " ".join(one.cmdline())]
    times = {path: path.stat().st_mtime_ns for path in course.cache(NAME).glob("*.json")}
    assert len(times) == 6 and grade() == found  # from the cache
    assert {path: path.stat().st_mtime_ns for path in course.cache(NAME).glob("*.json")} == times
    assert grade("--fresh", "--jobs", "1") == found
    assert [one["score"] for one in found[0]] == [100, 50, 50, 50, 50, 0, 100]


# ---------------------------------------------------------------------------------------------------- by hand, and what dies


@pytest.fixture
def by_hand(tmp_path):
    """`by_hand(workers)` -> a scheduler and workers as separate processes, with TLS, and the file that describes them."""
    started = []
    security = Security.temporary()
    files = {"ca": security.tls_ca_file, "certificate": security.tls_client_cert, "key": security.tls_client_key}
    for name, text in files.items():
        (tmp_path / f"{name}.pem").write_text(text)
    tls = ["--tls-ca-file", "ca.pem", "--tls-cert", "certificate.pem", "--tls-key", "key.pem"]

    def run(*arguments):
        started.append(subprocess.Popen([Path(sys.executable).with_name("dask"), *arguments, *tls], cwd=tmp_path, stdout=subprocess.DEVNULL,
                                        stderr=open(tmp_path / f"log-{len(started)}", "w")))
        return started[-1]

    def start(workers):
        scheduler = run("scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", "scheduler.json")
        while not (tmp_path / "scheduler.json").is_file():
            time.sleep(0.1)
        address = json.loads((tmp_path / "scheduler.json").read_text())["address"]
        found = [run("worker", address, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1") for _ in range(workers)]
        (tmp_path / "cluster.toml").write_text(f'address = "{address}"\n' + "".join(f'{name} = "{name}.pem"\n' for name in files))
        time.sleep(8)
        return scheduler, found

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)


@pytest.mark.corpus
def test_a_worker_that_is_killed_costs_nothing(job, handed_in, by_hand, tmp_path):
    students = handed_in(60)
    _, (first, second) = by_hand(2)
    killed = []

    def done(verdict):
        if verdict.status == "graded" and not killed:
            killed.extend(one for one in psutil.Process(first.pid).children(recursive=True) if "spawn_main" in " ".join(one.cmdline()))
            for one in killed:
                one.kill()

    found = grade_on_cluster(students, job, "cluster.toml", tmp_path, done)
    assert killed and bare(found) == bare(grade_all(students, job, 1))


@pytest.mark.corpus
def test_a_scheduler_that_is_killed_is_said_and_the_next_run_goes_on(job, handed_in, by_hand, tmp_path):
    students, job = handed_in(40), dataclasses.replace(job, cache=tmp_path / "cache")
    scheduler, _ = by_hand(1)
    with pytest.raises(ClusterError, match="the cluster's scheduler is gone"):
        grade_on_cluster(students, job, "cluster.toml", tmp_path, lambda verdict: verdict.status == "graded" and scheduler.kill())
    kept = len(list((tmp_path / "cache").glob("*.json")))
    assert 0 < kept < 34
    assert bare(grade_all(students, job, 1)) == bare(grade_all(students, dataclasses.replace(job, cache=None), 1))


@pytest.mark.corpus
def test_who_is_killed_outright_leaves_nothing_running_and_keeps_what_was_graded(built_tiny, handed_in, tmp_path):
    course = find_course(shutil.copytree(built_tiny.root, tmp_path / "course"))
    handed_in(40)
    shutil.move(tmp_path / "submitted", course.root / "submitted")
    command = [sys.executable, "-m", "autograder", "grade", NAME, "--no-gradebook", "--quiet", "--cluster", "local:2"]
    with subprocess.Popen(command, cwd=course.root, start_new_session=True) as running:
        while len(list(course.cache(NAME).glob("*.json"))) < 4:
            time.sleep(0.1)
        below = psutil.Process(running.pid).children(recursive=True)
        os.kill(running.pid, signal.SIGKILL)
    psutil.wait_procs(below, timeout=60)
    assert not [one for one in below if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    kept = len(list(course.cache(NAME).glob("*.json")))
    assert subprocess.run([*command[:-2]], cwd=course.root).returncode == 0 and kept >= 4
    assert len(json.loads(course.results(NAME).read_text())["submissions"]) == 40
