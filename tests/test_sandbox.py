"""The boundary when something goes wrong at it: nothing shifts, nobody else pays, what is uncertain is not kept."""

import ast
import os
import signal
import time

import nbformat
import pytest
from conftest import PROCESS, needs_bubblewrap, sandboxed

from autograder.authoring import samples
from autograder.authoring.lesson import read_lesson, solved_notebook
from autograder.authoring.question import load_questions
from autograder.grading.batch import Job, grade_one
from autograder.grading.cache import Cache
from autograder.grading.key import load
from autograder.inside import protocol, wire
from autograder.sandbox import isolation, warm
from autograder.sandbox import sandbox as sandboxes
from autograder.sandbox.meter import found_below
from autograder.sandbox.sandbox import Died, Limits, Sandbox, Spent
from autograder.sandbox.warm import SandboxError

pytestmark = pytest.mark.xdist_group("sandbox")  # one process, whose tests share workers
NAME = "a0_doubling"
LIMITS = Limits(cell_seconds=20, case_seconds=5, submission_seconds=60)


@pytest.fixture(scope="module", params=[PROCESS, pytest.param("bubblewrap", marks=needs_bubblewrap)])
def sandbox(request):
    with sandboxed(limits=LIMITS, isolation=request.param) as made:
        yield made


@pytest.fixture
def job(built_tiny, tmp_path):
    return Job(load(built_tiny.key(NAME)), built_tiny.skeleton(NAME), tuple(built_tiny.released_files(NAME)), LIMITS, cache=tmp_path / "cache")


@pytest.fixture
def solved(built_tiny, tmp_path):
    """`solved(first line of an answer's cell)` -> a right submission's directory."""
    folder = built_tiny.solution(NAME)
    notebook = solved_notebook(read_lesson(folder), load_questions(folder))

    def write(line=""):
        place = tmp_path / "submitted" / NAME
        place.mkdir(parents=True, exist_ok=True)
        nbformat.write(samples.edited(notebook, "double", lambda source: f"{line}\n{source}"), place / "doubling.ipynb")
        return place

    return write


WHICH = {"warm parent": lambda sandbox: found_below(sandbox.parent.process.pid, (2,)) or sandbox.parent.process.pid,  # 1 is bubblewrap's own
         "worker": lambda sandbox: sandbox.start().meter.worker}
both = pytest.mark.parametrize("which", WHICH.values(), ids=list(WHICH))


def cached(job, sandbox):
    return Cache(job.cache, job.key, job.files, LIMITS, sandbox.isolation)


@both
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_who_is_stopped_or_killed_costs_nobody_a_point(sandbox, job, solved, monkeypatch, number, which):
    monkeypatch.setattr(warm, "CLOSE_SECONDS", 3)
    os.kill(which(sandbox), number)
    sandbox.stop()  # or nobody would ask the warm parent for anything
    cache = cached(job, sandbox)
    verdict = grade_one("ada", solved(), job, sandbox, cache)
    assert (verdict.score, verdict.error, verdict.notes) == (100, None, ())
    assert grade_one("ada", solved(), job, sandbox, cache).score == 100


@both
def test_who_is_killed_while_a_case_runs_costs_nobody_a_point(sandbox, job, solved, monkeypatch, which):
    asked = []

    def request(self, message, *arguments):
        if isinstance(message, protocol.Exercise) and (asked.append(message) or len(asked) == 2):
            os.kill(which(sandbox), signal.SIGKILL)
            time.sleep(0.2)
        return honest(self, message, *arguments)

    honest = sandboxes.Child._request
    monkeypatch.setattr(sandboxes.Child, "_request", request)
    verdict = grade_one("ada", solved(), job, sandbox, cached(job, sandbox))
    assert len(asked) > 4
    assert (verdict.score, verdict.error, verdict.notes) == (100, None, ())


def test_a_verdict_whose_worker_was_replaced_is_not_kept(sandbox, job, solved, monkeypatch):
    monkeypatch.setattr(warm, "CLOSE_SECONDS", 3)
    cache = cached(job, sandbox)
    os.kill(WHICH["worker"](sandbox), signal.SIGSTOP)
    assert not grade_one("ada", solved(), job, sandbox, cache).certain
    assert not list(job.cache.glob("*.json"))
    assert grade_one("ada", solved(), job, sandbox, cache).certain
    assert len(list(job.cache.glob("*.json"))) == 1


def test_our_own_failure_is_tried_once_more_before_it_is_said(job, solved, monkeypatch):
    tries = []

    def fork(self, spent):
        tries.append(spent)
        if len(tries) == 1:
            raise SandboxError("a wall fell")
        return honest(self, spent)

    honest = Sandbox.fork
    monkeypatch.setattr(Sandbox, "fork", fork)
    with sandboxed(job.files, LIMITS) as sandbox:
        assert grade_one("ada", solved(), job, sandbox, cached(job, sandbox)).score == 100
        assert len(tries) == 2 and not job.cache.exists()
        monkeypatch.setattr(Sandbox, "fork", lambda self, spent: (_ for _ in ()).throw(SandboxError("a wall fell")))
        verdict = grade_one("ada", solved(), job, sandbox, cached(job, sandbox))
    assert verdict.score is None and "a wall fell" in verdict.error and {q.status for q in verdict.questions} == {"ungraded"}


FORGE = """
import gc, socket
from autograder.inside import protocol, wire
channel = next(value for value in gc.get_objects() if isinstance(value, socket.socket) and value.fileno() >= 0)
wire.send(channel, {message})
"""


@pytest.mark.parametrize("message", [
    "protocol.numbered(99, protocol.CellDone([], 0))",  # of another request
    "protocol.numbered(1, protocol.Exercised(protocol.Outcome()))",  # of another kind
    "{'number': 1, 'kind': 'CellDone', 'body': {'outputs': 3, 'dropped': 'x'}}",  # of wrong types
    "{'number': True, 'kind': ['CellDone'], 'body': None}", "[1, 2]"])
def test_a_reply_that_is_none_ends_the_sandbox_and_shifts_nothing(sandbox, message):
    before = sandbox.incidents
    with sandbox.fork(Spent()) as child, pytest.raises(Died, match="could not be read"):
        child.run_cell(FORGE.format(message=message), "forge")
    assert sandbox.incidents == before + 1
    with sandbox.fork(Spent()) as child:
        assert child.run_cell("print(6 * 7)", "honest").outputs[0]["text"] == "42\n"


def test_a_reply_in_advance_is_taken_for_its_own_request_only(sandbox):
    """A process may say what it likes of itself: a forged reply is its answer, and the next one is asked for anew."""
    with sandbox.fork(Spent()) as child:
        child.run_cell("x = 1", "first")
        forged = "protocol.numbered(2, protocol.CellDone([], 0))"
        assert child.run_cell(FORGE.format(message=forged), "forge").outputs == []
        with pytest.raises(Died):  # the honest reply to the second request has the wrong number for the third
            child.run_cell("print('third')", "third")


@pytest.mark.parametrize("data", [
    None, [], {}, {"number": 1}, {"number": 1, "kind": "Outcome", "body": {}}, {"number": 1.0, "kind": "Ready", "body": {"pid": 1}},
    {"number": 1, "kind": "Ready", "body": {}}, {"number": 1, "kind": "Ready", "body": {"pid": True}},
    {"number": 1, "kind": "Ready", "body": {"pid": 1, "more": 2}}, {"number": 2, "kind": "Ready", "body": {"pid": 1}}])
def test_what_is_no_message_of_the_protocol_is_refused(data):
    with pytest.raises(wire.WireError):
        protocol.read(data, 1, protocol.Ready)


def test_messages_come_back_as_they_were_sent():
    for message in (protocol.Fork("process", "/x", {"processes": 2.0}), protocol.Forked(None, "why"), protocol.Reaped(3, -9),
                    protocol.Exercise("f", protocol.Probe("call", {"returns": ["a"]}), [1.0, "x"], "seed", ("tf.nn.*",)),
                    protocol.Exercised(protocol.Outcome(failure=protocol.Failure("E", "m", "l", "f", "s", {"n": 1}), uses=(protocol.Use("a"),)))):
        assert protocol.read(wire.unpack(wire.pack(protocol.numbered(7, message))), 7, type(message)) == (7, message)


@needs_bubblewrap
def test_memory_that_is_shared_between_processes_counts_once_and_counts(tmp_path):
    code = ("import os, time, mmap\nblock = bytearray(os.urandom(1) * (200 * 2**20))\n"
            "shared = mmap.mmap(-1, 100 * 2**20)\nshared.write(b'x' * (100 * 2**20))\n"
            "children = [os.fork() for _ in range(1)]\nif 0 in children:\n    time.sleep(60)\n    os._exit(0)")
    with sandboxed(limits=LIMITS, isolation="bubblewrap") as sandbox, sandbox.fork(Spent()) as child:
        before = child.usage()
        child.run_cell(code, "holds")
        used = child.usage()
        assert used.processes == before.processes + 1 and used.complete
        assert 280 < (used.memory - before.memory) / 2**20 < 420
        assert used.memory < child.usage(2**40).memory < 2**40 and child.usage(used.memory).memory == pytest.approx(used.memory, rel=0.05)


LOOK = """
import ast
import os
found = [os.path.join(folder, name) for top in os.listdir("/") if top != "proc"  # with a link for each area of memory
         for folder, folders, names in os.walk(f"/{top}") for name in (*folders, *names)
         if "autograder" in folder.split("/") and "inside" not in folder.split("/")]
print(sorted({path.split("autograder/", 1)[1] for path in found if "__pycache__" not in path}))
for room in ("grading", "sandbox", "authoring", "delivery", "report", "student", "commands", "files"):
    try:
        __import__(f"autograder.{room}")
        print("FOUND", room)
    except ImportError:
        pass
"""


@needs_bubblewrap
def test_nothing_of_the_kit_is_there_but_the_inner_room_and_what_lessons_import():
    patient = Limits(cell_seconds=300)  # a whole file system is walked, on a machine that may be busy
    with sandboxed(limits=patient, isolation="bubblewrap") as sandbox, sandbox.fork(Spent()) as child:
        shown = child.run_cell(LOOK, "look").outputs[0]["text"]
    assert "FOUND" not in shown and ast.literal_eval(shown) == ["__init__.py", "data.py", "diagrams.py", "inside", "moving.py", "plots.py"]


@pytest.mark.parametrize("level", isolation.LEVELS)
def test_a_weaker_level_says_what_it_lacks_and_why_the_strongest_is_not_there(level, monkeypatch):
    monkeypatch.setattr(isolation, "obstacle", lambda level="bubblewrap": "bwrap is missing")
    text = isolation.weaker(level)
    assert not text if level == "bubblewrap" else (isolation.LEVELS[level] in text and text.endswith("bwrap is missing."))
    monkeypatch.setattr(isolation, "obstacle", lambda level="bubblewrap": None)
    assert "None" not in isolation.weaker(level)


def test_tests_of_a_group_are_sent_to_one_process(request):
    """pytest-xdist tells so by a suffix, without which nothing fails and everything is started again in each process."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("there is one process")
    assert request.node.nodeid.endswith("@sandbox")


WAITS = """
import tensorflow as tf
ones = tf.ones((90, 90))
print(float(tf.function(lambda: tf.matmul(tf.ones((90, 90)), tf.ones((90, 90)), a_is_sparse=True))()[0, 0]))
value = tf.train.Feature(float_list=tf.train.FloatList(value=[3.0]))
text = tf.train.Example(features=tf.train.Features(feature={"a": value})).SerializeToString()
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    print(session.run(tf.io.parse_example(tf.constant([text]), {"a": tf.io.FixedLenFeature([], tf.float32)})["a"]))
"""


def test_the_warm_parent_has_one_thread_so_that_nothing_waits_for_another_in_a_submission(sandbox):
    sandbox.start()
    parent = found_below(sandbox.parent.process.pid, (2,)) or sandbox.parent.process.pid
    assert len(os.listdir(f"/proc/{parent}/task")) == 1
    with sandbox.fork(Spent()) as child:
        done = child.run_cell(WAITS, "cell")
    assert (done.failure, done.outputs[0]["text"]) == (None, "90.0\n[3.]\n")
