"""A class on a cluster gets the verdicts that one machine gives it, whoever dies on the way."""

import dataclasses
import functools
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError

import pytest
from conftest import TINY_LESSON, TINY_QUESTIONS, autograder, write_tiny

distributed = pytest.importorskip("distributed", reason="Dask's distributed is not installed: pip install '.[cluster]'")

from test_batch import LIMITS, NAME, a_class

from autograder.authoring import build as building
from autograder.authoring import spread as spreading
from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import build
from autograder.authoring.spread import Author, spread
from autograder.commands.author import build_all
from autograder.grading import cluster, remote
from autograder.grading.batch import Job, grade_all
from autograder.grading.cluster import ClusterError, Place, grade_on, read_place
from autograder.grading.key import SECRET_FILE, load, same
from autograder.grading.submission import RunCell, Submission
from autograder.grading.verdict import Verdict, ungraded
from autograder.inside import wire
from autograder.inside.wire import WireError
from autograder.report.json import results

pytestmark = pytest.mark.xdist_group("batch")  # whose workers it shares


@pytest.fixture
def course(tmp_path):
    course = write_tiny(tmp_path)
    build(course, NAME)
    return course


def job(course, cache):
    return Job(load(course.key(NAME)), course.skeleton(NAME), tuple(course.released_files(NAME)), LIMITS, "auto", (course.root,),
               course.root / "build" / cache)


@pytest.fixture
def dask(warm):
    """A scheduler and two workers in this process, whose sandboxes are warm already."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, protocol="tcp://", host="127.0.0.1",
                                  dashboard_address=None) as started:
        yield started


def without_seconds(verdicts, key):
    data = results(verdicts, key)
    for submission in data["submissions"]:
        submission["seconds"] = 0
    return json.dumps(data)


def test_a_cluster_gives_the_verdicts_of_one_machine_and_is_not_asked_again(course, dask, warm):
    handed_in = a_class(course, ("ada", "bob", "cy"), "print('hello')\n")
    for student, answer in (("dora", "def double(x): return x * x"), ("eve", "import os\nos._exit(3)"), ("finn", None)):
        (folder := course.root / "submitted" / student / NAME).mkdir(parents=True)
        text = (handed_in[0][1] / "doubling.ipynb").read_text()
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            if cell["id"] == "double":
                cell["source"] = answer
        (folder / "doubling.ipynb").write_text(json.dumps(notebook) if answer else text[:200])
        handed_in.append((student, folder))
    here, there = job(course, "here"), job(course, "there")
    said, seen = [], []
    place = Place(dask.scheduler_address)
    spread = grade_on(place, handed_in, there, lambda verdict: seen.append(verdict.student), said.append, said.append)
    alone = grade_all(handed_in, here, 1)
    assert without_seconds(spread, here.key) == without_seconds(alone, here.key)
    assert [dict(verdict.outputs) for verdict in spread] == [dict(verdict.outputs) for verdict in alone]
    assert sorted(seen) == said == [student for student, _ in handed_in]
    nowhere = Place("tcp://127.0.0.1:9")
    again = grade_on(nowhere, [one for one in handed_in if one[0] != "eve"], there)  # whose worker did not serve to the end
    assert without_seconds(again, here.key) == without_seconds([one for one in spread if one.student != "eve"], here.key)


def test_workers_with_other_releases_are_refused_with_a_sentence(course, dask, monkeypatch):
    here = remote.installed()
    releases = itertools.chain([here | {"keras": "2.0.0"}], itertools.repeat(here))  # the main process asks first
    monkeypatch.setattr(remote, "installed", lambda: next(releases))
    said = []
    with pytest.raises(ClusterError, match=rf"no worker of the cluster is fit: expected Keras 2.0.0, .*Found: Keras {here['keras']}"):
        grade_on(Place(dask.scheduler_address), a_class(course, ["ada"]), job(course, "cache"), say=said.append)
    assert len(said) == 2 and all("is refused: expected Keras 2.0.0" in line for line in said)


def test_a_scheduler_that_ends_costs_what_was_not_finished(course, dask, monkeypatch):
    monkeypatch.setitem(cluster.SETTINGS, "distributed.comm.timeouts.connect", "1s")
    handed_in, work = a_class(course, ("ada", "bob", "cy", "dora")), job(course, "cache")
    with pytest.raises(ClusterError, match="the scheduler at tcp://127.0.0.1:.* does not answer any more"):
        grade_on(Place(dask.scheduler_address), handed_in, work, done=lambda verdict: dask.close())
    assert 1 <= len(list(work.cache.glob("*.json"))) < 4


# ---------------------------------------------------------------------------------------------------- deaths


class Workers:
    """A cluster of which workers die at some submissions, and cannot grade others."""

    def __init__(self, key, deadly=(), broken=(), most=100):
        self.key, self.deadly, self.broken = key, dict(deadly), broken
        self.names = (f"worker-{number}" for number in itertools.count())
        self.alive = {next(self.names): [] for _ in range(3)}
        self.tried, self.alone = [], {}

    def workers(self):
        for address, tasks in list(self.alive.items()):
            if tasks and self.deadly.get(tasks[0].submission.student, 0) > 0:
                self.deadly[tasks[0].submission.student] -= 1
                self.alone[tasks[0].submission.student] = len(tasks) == 1
                del self.alive[address]
                self.alive[next(self.names)] = []
        for tasks in self.alive.values():
            if tasks:
                tasks[0].future.arrive()
        return list(self.alive)

    def look(self):
        pass

    def submit(self, address, task):
        self.alive[address].append(task)
        self.tried.append((task.submission.student, address))
        return Arriving(self, address)

    def reply(self, task, future):
        self.alive[future.address].remove(task)
        question = self.key.questions[0]
        questions = tuple(dataclasses.replace(ungraded(question), **({} if task.submission.student in self.broken else
                                                                     {"status": "passed", "score": 50})) for _ in "1")
        return remote.Reply(Verdict(task.submission.student, "graded", 50, 0.0, None, questions))


class Arriving:
    """A future whose value is there when the worker has come so far."""

    status = "finished"

    def __init__(self, cluster, address):
        self.cluster, self.address, self.tell = cluster, address, lambda future: None

    def add_done_callback(self, tell):
        self.tell = tell

    def arrive(self):
        self.tell(self)
        self.tell = lambda future: None

    def cancel(self):
        pass

    release = cancel


@pytest.fixture
def graded(built_tiny, monkeypatch):
    """Grade 20 submissions on `Workers`: the workers, and the verdicts by student."""
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.001)
    key = load(built_tiny.key(NAME))
    work = Job(key, built_tiny.skeleton(NAME), (), LIMITS)

    def run(**how):
        there, found = Workers(key, **how), {}
        tasks = (cluster._Task(number, Submission(f"s{number}", (RunCell("double", ""),), ()), "named", {}) for number in range(20))

        def arrived(task, verdict, keep):
            assert task.submission.student not in found
            found[task.submission.student] = verdict

        cluster._spread(tasks, there, work, arrived, threading.Event())
        return there, found

    return run


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_what_two_workers_died_of_is_tried_alone_on_a_third(graded, deaths):
    there, found = graded(deadly={"s3": deaths, "s4": deaths})
    assert len(found) == 20 and all(verdict.score == 50 for verdict in found.values())
    tried = [address for student, address in there.tried if student == "s3"]
    assert len(set(tried)) == len(tried) >= deaths + 1


def test_what_three_workers_died_of_is_not_graded_and_all_else_is(graded):
    there, found = graded(deadly={"s3": 9})
    assert [student for student, verdict in found.items() if verdict.score is None] == ["s3"] and len(found) == 20
    assert found["s3"].error == "could not be graded: 3 workers died while they graded it"
    assert there.deadly["s3"] == 9 - 3 and there.alone["s3"]


def test_what_one_worker_cannot_grade_is_tried_on_others(graded):
    there, found = graded(broken={"s3"})
    assert [student for student, verdict in found.items() if verdict.score is None] == ["s3"] and len(found) == 20
    assert len({address for student, address in there.tried if student == "s3"}) == 3


# ---------------------------------------------------------------------------------------------------- answers of a build


@pytest.fixture
def everything_there(monkeypatch):
    """However few answers are wanted, the cluster is asked."""
    monkeypatch.setattr(building, "FEW", 0)


def test_a_build_on_a_cluster_writes_what_one_machine_writes(tmp_path, dask, everything_there):
    questions = TINY_QUESTIONS.replace("points=40)\ndef random", "points=40, probe=probes.gradients())\ndef random")
    questions = questions.replace("import tensorflow as tf\n", "import tensorflow as tf\nfrom autograder.inside import probes\n")
    here, there = (write_tiny(tmp_path / name, questions=questions) for name in ("here", "there"))
    for made in (here, there):
        (made.root / SECRET_FILE).write_text("the same hidden cases\n")
    building.build(here, NAME)
    with spread(Place(dask.scheduler_address), there, [NAME], print) as run:
        build_all(there, [NAME], run)
    assert same(load(there.key(NAME)), load(here.key(NAME)))
    assert there.notebook(NAME).read_bytes() == here.notebook(NAME).read_bytes()
    with spread(Place("tcp://127.0.0.1:9"), there, [NAME], print) as run:  # nothing is missing: nobody is asked
        build_all(there, [NAME], run)


def test_what_an_author_did_wrong_is_said_from_a_cluster_too(tmp_path, dask, everything_there):
    course = write_tiny(tmp_path, TINY_LESSON.replace("return 2 * x", "return 2 * y"))
    with spread(Place(dask.scheduler_address), course, [NAME], print) as run, \
            pytest.raises(DeclarationError, match="lesson.py, line .*double.*: the reference raised NameError: name 'y' is not defined"):
        building.build(course, NAME, run)


def test_workers_with_another_kit_compute_no_answers(tmp_path, dask, monkeypatch, everything_there):
    codes = itertools.chain(["another"], itertools.repeat(Author.deciding()))
    monkeypatch.setattr(Author, "deciding", lambda self=None: next(codes))
    course, said = write_tiny(tmp_path), []
    with spread(Place(dask.scheduler_address), course, [NAME], said.append) as run, \
            pytest.raises(ClusterError, match="no worker of the cluster is fit: its code of the kit is another"):
        building.build(course, NAME, run)
    assert len(said) == 2


@pytest.mark.parametrize("fate, outcome", [
    (distributed.KilledWorker("task", None, 3), None),
    (CancelledError(), "the cluster gave a case up"),
    (b"\x80\x04.", "a worker gave no findings"),
    (wire.pack({"more": 1}), "a worker gave no findings"),
    (wire.pack([1]), "a worker gave no findings"),
])
def test_what_becomes_of_a_case_is_known(fate, outcome):
    class Promise(Arriving):
        def result(self, timeout):
            if isinstance(fate, BaseException):
                raise fate
            return fate

    result = functools.partial(spreading._result, Promise(None, ""), Workers(None))
    if outcome is None:
        assert result() is None
    else:
        with pytest.raises(ClusterError, match=outcome):
            result()


# ---------------------------------------------------------------------------------------------------- what is said, what is read


@pytest.mark.parametrize("text, sentence", [
    ("tcp://cluster.example:8786", "expected tls://cluster.example:8786. .*Without TLS"),
    ("tcp://0.0.0.0:8786", "Without TLS"),
    ("tls://cluster.example", "expected a cluster at tls://host:port"),
    ("tls://cluster.example:8786", "expected certificates"),
    ("http://127.0.0.1:80", "expected a cluster at tls://host:port"),
    ("local:0", "expected local:N"), ("local:two", "expected local:N"),
    ("cluster", "expected a cluster as tls://host:port, local:N or a TOML file"),
    ("address = 'tcp://10.0.0.1:1'", "Without TLS"),
    ("adress = 'tls://host:1'", "Received: adress"),
    ("ca_file = 'ca.pem'", r"either address or \[jobqueue\]"),
    ("address = 'tls://host:1'\nca_file = 'ca.pem'", "expected all of ca_file, cert_file, key_file. Received: ca_file"),
    ("address = 'tls://host:1'\nca_file = 'a'\ncert_file = 'a'\nkey_file = 'a'", "expected a file at .*a; found none"),
    ("[jobqueue]\nkind = 'SLURM'", "how many to start"),
    ("[jobqueue]\nkind = 'slurm'\njobs = 2", "expected kind to be one of .*SLURM.*Received: slurm"),
    ("address = 'tls://host:1'\nwait_seconds = 0", "expected wait_seconds above 0"),
    ("= 1", "expected a TOML file"),
])
def test_a_cluster_that_is_none_or_not_to_be_trusted_is_refused_in_a_line(tmp_path, text, sentence):
    if "=" in text:
        (tmp_path / "cluster.toml").write_text(text)
        text = str(tmp_path / "cluster.toml")
    with pytest.raises(ValueError, match=sentence) as refused:
        read_place(text)
    assert "\n" not in str(refused.value)


def test_a_cluster_is_read_as_it_is_written(tmp_path, monkeypatch):
    assert read_place("local:3") == Place(processes=3)
    assert read_place("tcp://127.0.0.1:8786") == Place("tcp://127.0.0.1:8786")
    (tmp_path / "ca.pem").write_text("")
    files = "".join(f"{name} = 'ca.pem'\n" for name in cluster.FILES)
    (tmp_path / "c.toml").write_text(f"{files}wait_seconds = 9\naddress = 'tls://host:1'\n")
    place = read_place(str(tmp_path / "c.toml"))
    assert place.address == "tls://host:1" and place.wait_seconds == 9 and len(place.security) == 7
    assert set(place.security.values()) == {str(tmp_path / "ca.pem")}
    (tmp_path / "c.toml").write_text("[jobqueue]\nkind = 'SLURM'\njobs = 4\nqueue = 'short'\n")
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)
    before = signal.getsignal(signal.SIGINT)
    assert read_place(str(tmp_path / "c.toml")).jobs == ("SLURM", 4, {"queue": "short"})
    assert signal.getsignal(signal.SIGINT) is before  # dask-jobqueue would have taken it


def test_without_dask_jobqueue_there_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    (tmp_path / "c.toml").write_text("[jobqueue]\nkind = 'SLURM'\njobs = 4\n")
    with pytest.raises(ValueError, match="expected dask-jobqueue, .*`pip install dask-jobqueue`"):
        read_place(str(tmp_path / "c.toml"))


@pytest.mark.parametrize("data", [
    b"", b"[]", b"[" * 100_000, b'{"verdict": 1}', b'{"keep": true}', b'{"verdict": null, "keep": 1}', b'{"verdict": null, "more": 1}',
    b"\x80\x04.", b"\xff", "text", None, bytearray(b'{"verdict": null}'),
])
def test_what_is_no_reply_is_not_taken_for_one(data):
    with pytest.raises(WireError):
        remote.unpack(data, remote.Reply)


def test_a_verdict_arrives_as_it_was_sent(built_tiny):
    key = load(built_tiny.key(NAME))
    question = dataclasses.replace(ungraded(key.questions[0]), closure="0a")
    verdict = Verdict("a\udce4 'd\"", "graded", 100, 0.5, None, (question,), ("a note",), "process",
                      {"cell": [{"output_type": "stream", "text": "x\ud800"}]}, True, {"python": "3"}, True, "ff", "plain")
    arrived = remote.unpack(remote.pack(remote.Reply(verdict, True)), remote.Reply)
    assert arrived == remote.Reply(verdict, True) and type(arrived.verdict.questions[0].status) is type(question.status)


def test_without_distributed_the_command_says_what_to_install(course, monkeypatch):
    from autograder.commands import instructor

    monkeypatch.setattr(instructor, "find_spec", lambda name: None)
    done = autograder("grade", NAME, "--no-gradebook", "--cluster", "local:2", "--submissions", ".", cwd=course.root)
    assert done.returncode == 2 and "pip install '.[cluster]'" in done.stderr
    assert done.stderr.count("\n") == 1


# ---------------------------------------------------------------------------------------------------- real machines, as processes


@pytest.fixture
def by_hand(tmp_path):
    """A scheduler and two workers as processes of their own, with TLS: what ends them, and the file that describes the cluster."""
    security = distributed.Security.temporary()
    (tmp_path / "ca.pem").write_text(security.tls_ca_file)
    (tmp_path / "cert.pem").write_text(security.tls_client_cert)
    (tmp_path / "key.pem").write_text(security.tls_client_key)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tls://127.0.0.1:{free.getsockname()[1]}"
    files = [f"--tls-{name}={tmp_path / file}" for name, file in (("ca-file", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))]
    (tmp_path / "cluster.toml").write_text(f"address = '{address}'\nca_file = 'ca.pem'\ncert_file = 'cert.pem'\nkey_file = 'key.pem'\n")

    def start(role, *arguments):
        return subprocess.Popen([sys.executable, "-m", f"distributed.cli.dask_{role}", *arguments, *files, "--no-dashboard"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)

    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--protocol", "tls")
    workers = [start("worker", address, "--nthreads", "1", "--no-nanny") for _ in range(2)]
    yield tmp_path / "cluster.toml", scheduler, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def grading(course, *arguments):
    return subprocess.Popen([sys.executable, "-m", "autograder", "grade", NAME, "--no-gradebook", "--json", "results.json", *map(str, arguments)],
                            cwd=course.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until_kept(course, count, run):
    deadline = time.monotonic() + 300
    while len(kept := list(course.cache(NAME).glob("*.json"))) < count:
        assert run.poll() is None and time.monotonic() < deadline, run.communicate()
        time.sleep(0.05)
    return kept


def graded_results(course):
    data = json.loads((course.root / "results.json").read_text())
    return [submission | {"seconds": 0} for submission in data["submissions"]]


@pytest.mark.corpus
@pytest.mark.parametrize("whom", ["worker", "scheduler", "main process", "interrupt"])
def test_who_is_killed_costs_nothing_that_was_finished(course, by_hand, whom):
    place, scheduler, workers = by_hand
    a_class(course, [f"s{number:02}" for number in range(30)], "import time\ntime.sleep(0.3)\n")
    run = grading(course, "--cluster", place)
    until_kept(course, 5, run)
    if whom == "interrupt":
        run.send_signal(signal.SIGINT)
    else:
        {"worker": workers[0], "scheduler": scheduler, "main process": run}[whom].kill()
    _, complained = run.communicate(timeout=300)
    kept = {file: file.stat().st_mtime_ns for file in course.cache(NAME).glob("*.json")}
    if whom == "worker":
        assert run.returncode == 0 and len(kept) == 30, complained
    elif whom == "scheduler":
        assert run.returncode == 1 and 5 <= len(kept) < 30
        assert complained.count("\n") == 1 and "does not answer any more. What was graded is kept" in complained, complained
    elif whom == "interrupt":
        assert run.returncode == 130 and 5 <= len(kept) < 30 and f"stopped: {30 - len(kept)} of 30" in complained, complained
    again = grading(course, *(["--jobs", "2"] if whom == "scheduler" else ["--cluster", place]))
    _, complained = again.communicate(timeout=600)
    assert again.returncode == 0, complained
    assert {file: file.stat().st_mtime_ns for file in kept} == kept and len(list(course.cache(NAME).glob("*.json"))) == 30
    found = graded_results(course)
    assert {submission["score"] for submission in found} == {100}
    alone = grading(course, "--jobs", "2", "--fresh")
    _, complained = alone.communicate(timeout=600)
    assert alone.returncode == 0, complained
    assert graded_results(course) == found


SBATCH = """#!/bin/sh
# A stand-in for Slurm on one machine: a job is a process group.
for script; do :; done
cp "$script" "$script.kept"
setsid sh "$script.kept" > /dev/null 2>&1 &
echo $! >> {folder}/jobs
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job; do kill -- -$job && echo $job >> {folder}/cancelled; done
"""


@pytest.mark.corpus
def test_jobs_of_a_batch_system_grade_and_are_cancelled(course, tmp_path, monkeypatch):
    (folder := tmp_path / "slurm").mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(script.format(folder=folder))
        (folder / name).chmod(0o755)
    (tmp_path / "cluster.toml").write_text("[jobqueue]\nkind = 'SLURM'\njobs = 2\nwalltime = '00:10:00'\ninterface = 'lo'\n"
                                           f"shared_temp_directory = '{folder}'\n")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    a_class(course, [f"s{number:02}" for number in range(12)], "import time\ntime.sleep(0.3)\n")
    run = grading(course, "--cluster", tmp_path / "cluster.toml")
    _, complained = run.communicate(timeout=300)
    assert run.returncode == 0, complained
    assert [submission["score"] for submission in graded_results(course)] == [100] * 12
    jobs = (folder / "jobs").read_text().split()
    assert len(jobs) == 2 and sorted((folder / "cancelled").read_text().split()) == sorted(jobs)
