"""Grading on many machines: Dask carries submissions to its workers and verdicts back.

    cells, as bytes -> a worker's warm sandbox -> a verdict, as bytes

Each worker gets the key and the release once, and keeps one sandbox warm; no file system is shared. The machines are the
course's: they hold the key as the instructor's own does. What a student's code produced leaves its sandbox by the wire format
alone, as ever; between machines it is text within JSON, which is read field by field. Dask pickles functions and bytes of ours,
and nothing of a student's.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import json
import logging
import re
import tomllib
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import dask
import distributed
import nbformat
from distributed.scheduler import KilledWorker

from autograder.files import Scratch, tidy
from autograder.grading.batch import Job, grader, read_one, recall, run_one
from autograder.grading.cache import DECIDE, code_and_releases, content, digest
from autograder.grading.key import load, save
from autograder.grading.sharing import Sharing
from autograder.grading.spill import Spill
from autograder.grading.submission import RunCell, Submission
from autograder.grading.verdict import QuestionVerdict, Verdict, broken
from autograder.grading.versions import installed, notice
from autograder.inside.protocol import plain, typed
from autograder.inside.wire import WireError
from autograder.sandbox.isolation import IsolationError, choose
from autograder.sandbox.sandbox import Limits, Sandbox, SandboxError

CONNECT_SECONDS = 20
LOOK_SECONDS = 1.0  # between two looks at which workers there are
AHEAD = 2  # submissions in flight for each worker: the next is there when one is done
LOCAL = re.compile(r"local:([1-9]\d?)")
SETTINGS = {"distributed.scheduler.allowed-failures": 1,  # a submission during which two workers died is tried alone
            "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s", "distributed.comm.retry.count": 0}


class ClusterError(RuntimeError):
    """The cluster cannot be used, or is gone; the message is one line."""


@dataclass(frozen=True)
class Asked:
    """What a worker is sent of a submission: no name of anybody."""

    kind: str  # what its author is told; see `feedback.Kind`
    cells: tuple[RunCell, ...]
    notes: tuple[str, ...]
    known: dict[str, QuestionVerdict]  # questions that need not be graded again


@dataclass(frozen=True)
class Answered:
    """What a worker says: a verdict, and whether it may be kept; or why it grades nothing."""

    verdict: Verdict | None = None
    keep: bool = False
    refused: str = ""


def grade_on_cluster(submissions: list[tuple[str, Path]], job: Job, address: str, folder: Path,
                     done: Callable[[Verdict], None] = lambda verdict: None,
                     begin: Callable[[str], None] = lambda student: None,
                     say: Callable[[str], None] = lambda line: None) -> list[Verdict]:
    """Grade submissions as `batch.grade_all` does, on a cluster.

    Args:
        address, folder: see `connected`.
        say: told, a line each, of what a person should know, such as a worker that is of no use.
    Raises:
        ClusterError: there is no such cluster, no worker of it is of use, or its scheduler is gone; what was graded is kept.
        IsolationError: this machine does not offer the isolation asked for, which every worker has to.
    """
    isolation = choose(job.isolation)
    tidy()
    with connected(address, folder) as client, client.as_current():
        return _Grading(submissions, job, isolation, client, done, begin, say).run()


# ---------------------------------------------------------------------------------------------------- to the cluster


@contextlib.contextmanager
def connected(address: str, folder: Path) -> Iterator[distributed.Client]:
    """A client of the cluster that an address describes.

    Args:
        address: "tls://host:port"; "tcp://127.0.0.1:port", on this machine; "local:N" for N workers of this machine; or a TOML
            file with `address` and the PEM files `ca`, `certificate` and `key`, or with `workers` and a table `[slurm]`.
        folder: where a relative path starts.
    Raises:
        ClusterError: it is none of these, or nobody answers there.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of it is said by us, in a line
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        try:
            if found := LOCAL.fullmatch(address):
                place: Any = stack.enter_context(distributed.LocalCluster(
                    n_workers=int(found[1]), threads_per_worker=1, memory_limit=0, dashboard_address=None, host="127.0.0.1",
                    protocol="tls://", security=distributed.Security.temporary(), silence_logs=logging.CRITICAL))
                security = place.security
            else:
                place, security = _described(address, folder, stack)
            client = stack.enter_context(distributed.Client(place, security=security, timeout=CONNECT_SECONDS,
                                                            set_as_default=False))
        except OSError as error:
            raise ClusterError(f"expected a Dask scheduler at {address}; nobody answers ({type(error).__name__}).") from None
        except ImportError as error:
            raise ClusterError(f"{error}. `pip install '.[cluster]'` in the kit's clone installs what a cluster needs.") from None
        yield client


def _described(address: str, folder: Path, stack: contextlib.ExitStack) -> tuple[Any, distributed.Security | None]:
    """What to connect to, and with which certificates."""
    if not address.endswith(".toml"):
        return _safe(address), None
    path = folder / address
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ClusterError(f"{path}: expected a TOML file that describes a cluster ({error}).") from None
    if unknown := set(table) - {"address", "ca", "certificate", "key", "workers", "slurm"}:
        raise ClusterError(f"{path}: expected address, ca, certificate, key, workers and [slurm]. "
                           f"Received: {', '.join(sorted(unknown))}.")
    pem = {name: str(path.parent / table[name]) for name in ("ca", "certificate", "key") if name in table}
    if missing := [file for file in pem.values() if not Path(file).is_file()]:
        raise ClusterError(f"{path}: expected the file {missing[0]}; it is not there.")
    security = distributed.Security(require_encryption=True, tls_ca_file=pem.get("ca"), **{
        f"tls_{role}_{part}": pem.get(name) for role in ("client", "scheduler", "worker")
        for part, name in (("cert", "certificate"), ("key", "key"))}) if pem else None
    if "slurm" not in table:
        if not isinstance(table.get("address"), str):
            raise ClusterError(f"{path}: expected an address, or a table [slurm].")
        return _safe(table["address"]), security
    if security is None:
        raise ClusterError(f"{path}: expected the files ca, certificate and key, which workers on other machines need.")
    from dask_jobqueue import SLURMCluster

    cluster = stack.enter_context(SLURMCluster(protocol="tls://", security=security, **table["slurm"]))
    cluster.scale(int(table.get("workers", 1)))
    return cluster, security


def _safe(address: str) -> str:
    """The address, where no stranger can listen in.

    Raises:
        ClusterError: it leaves this machine without TLS, or is none.
    """
    found = re.fullmatch(r"(tls|tcp)://(\[[0-9a-f:]+\]|[^:/\s]+):(\d{1,5})", address)
    if not found:
        raise ClusterError(f"expected tls://host:port, local:N or a .toml file for --cluster. Received: {address}")
    if found[1] == "tcp" and not _on_this_machine(found[2].strip("[]")):
        raise ClusterError(f"expected tls://, because {address} leaves this machine: without TLS anybody between here and there "
                           "reads the key, and anybody who reaches that port runs code of their own on scheduler and workers.")
    return address


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# ---------------------------------------------------------------------------------------------------- from here


@dataclass
class _Sent:
    """A submission in flight; `alone` once two workers have died with it."""

    number: int
    student: str
    submission: Submission
    body: bytes
    alone: bool = False
    workers: frozenset[str] = frozenset()  # that it may run on


class _Grading:
    """One run over a class: what waits, what is in flight, what is done."""

    def __init__(self, submissions: list[tuple[str, Path]], job: Job, isolation: str, client: distributed.Client,
                 done: Callable[[Verdict], None], begin: Callable[[str], None], say: Callable[[str], None]):
        self.job, self.client, self.done, self.begin, self.say = job, client, done, begin, say
        self.plugin = Bench(packed(job, isolation))
        self.told = [job.feedback.of(job.key.assignment, student) for student, _ in submissions]
        self.graders = {kind: grader(job, kind, isolation) for kind in set(self.told)}
        self.waiting = iter(enumerate(submissions))
        self.again: deque[_Sent] = deque()
        self.deadly: deque[_Sent] = deque()  # to be tried when nothing else is in flight
        self.flying: dict[distributed.Future, _Sent] = {}
        self.verdicts: dict[int, Verdict] = {}
        self.spill = Spill()
        self.workers: dict[str, str] = {}  # address -> why it is of no use, or ""
        self.stopped = False

    def run(self) -> list[Verdict]:
        try:
            self.client.register_plugin(self.plugin)
            self._look()
            if not self._good():
                raise ClusterError(next(iter(self.workers.values()), "expected workers in the cluster; it has none."))
            self._grade()
        except (CancelledError, OSError) as error:
            raise ClusterError(f"the cluster's scheduler is gone ({type(error).__name__}). What was graded is kept: the same "
                               "command goes on from there.") from None
        finally:
            with contextlib.suppress(Exception):  # it may be gone
                self.client.unregister_worker_plugin(self.plugin.name)
        return [self.verdicts[number] for number in sorted(self.verdicts)]

    def _grade(self) -> None:
        while True:
            try:
                if not self.stopped:
                    self._send()
                if not self.flying:
                    return
                with contextlib.suppress(TimeoutError):
                    distributed.wait(list(self.flying), timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED")
                for future in [future for future in self.flying if future.done()]:
                    self._landed(future, self.flying.pop(future))
                self._look()
            except KeyboardInterrupt:
                if self.stopped:
                    raise
                self.stopped = True  # what is being graded is finished, nothing new is begun

    def _good(self) -> frozenset[str]:
        return frozenset(address for address, problem in self.workers.items() if not problem)

    def _look(self) -> None:
        """Which workers there are; new ones are asked what they run."""
        there = self.client.nthreads()
        new = [address for address in there if address not in self.workers]
        self.workers = {address: problem for address, problem in self.workers.items() if address in there}
        introduced = self.client.run(_introduce, self.plugin.name, workers=new, on_error="return") if new else {}
        for address, said in introduced.items():
            problem = json.loads(said)["refused"] if isinstance(said, bytes) else f"it has not started ({type(said).__name__})"
            self.workers[address] = f"the worker {address} is of no use: {problem}" if problem else ""
            if problem:
                self.say(self.workers[address])
        for future, sent in [item for item in self.flying.items() if item[1].workers.isdisjoint(there)]:
            del self.flying[future]  # nobody is left who may run it
            future.cancel()
            self.again.append(sent)

    def _send(self) -> None:
        """Put submissions in flight, as many as the workers have use for."""
        good = self._good()
        if any(sent.alone for sent in self.flying.values()) or not good:
            return
        if self.deadly:
            if not self.flying:
                self._submit(self.deadly.popleft(), good)
            return
        while len(self.flying) < AHEAD * len(good) and (sent := self.again.popleft() if self.again else self._next()):
            self._submit(sent, good)

    def _submit(self, sent: _Sent, good: frozenset[str]) -> None:
        sent.workers = good
        future = self.client.submit(_grade, self.plugin.name, sent.body, pure=False, workers=sorted(good))
        self.flying[future] = sent

    def _next(self) -> _Sent | None:
        """The next submission that has to be graded; those that the cache knows are done."""
        for number, (student, folder) in self.waiting:
            self.begin(student)
            job, cache = self.graders[self.told[number]]
            submission = read_one(student, folder, job)
            if isinstance(submission, Verdict):
                self._done(number, submission)
                continue
            verdict, known = recall(submission, job, cache)
            if verdict is not None:
                self._done(number, replace(verdict, content=content(submission)))
                continue
            asked = Asked(self.told[number], submission.cells, submission.notes, known)
            return _Sent(number, student, submission, json.dumps(plain(asked)).encode())
        return None

    def _landed(self, future: distributed.Future, sent: _Sent) -> None:
        job, cache = self.graders[self.told[sent.number]]
        try:
            answered = read_answer(future.result(), job)
        except KilledWorker:
            if not sent.alone:
                self.deadly.append(replace(sent, alone=True))
                return
            answered = Answered(broken(sent.student, job.key, "every worker that graded it died"))
        except WireError as error:
            answered = Answered(broken(sent.student, job.key, f"a worker's answer could not be read ({error})"))
        if answered.verdict is None:  # it came upon a worker that nobody had looked at yet
            self.again.append(sent)
            return
        verdict = replace(answered.verdict, student=sent.student, content=content(sent.submission))
        if answered.keep:
            cache.save(sent.submission, verdict)
        self._done(sent.number, verdict)

    def _done(self, number: int, verdict: Verdict) -> None:
        self.verdicts[number] = replace(verdict, outputs=self.spill.keep(verdict.outputs), feedback=self.told[number])
        self.done(self.verdicts[number])


def read_answer(data: Any, job: Job) -> Answered:
    """A worker's answer.

    Raises:
        WireError: it is none, or not about this key's questions.
    """
    if not isinstance(data, bytes):
        raise WireError("expected bytes")
    try:
        answered = typed(json.loads(data), Answered)
    except ValueError:
        raise WireError("expected JSON") from None
    names = [*(question.name for question in job.key.questions), *job.key.written]
    if answered.verdict is not None and [question.name for question in answered.verdict.questions] != names:
        raise WireError("expected a verdict on the key's questions")
    return answered


# ---------------------------------------------------------------------------------------------------- on a worker


def packed(job: Job, isolation: str) -> bytes:
    """All that a worker needs of a job, as an archive: the key, what the release ships, how to grade."""
    file = BytesIO()
    how = {"limits": dataclasses.asdict(job.limits), "isolation": isolation, "share": job.share, "code": _code()}
    with Scratch() as folder, zipfile.ZipFile(file, "w") as archive:
        save(job.key, key := Path(folder, "key.npz"), private=True)
        archive.write(key, "key.npz")
        archive.writestr("how.json", json.dumps(how))
        for shipped in job.files:
            archive.write(shipped, f"files/{shipped.name}")
    return file.getvalue()


def _code() -> str:
    return digest(code_and_releases(DECIDE))


class Bench(distributed.WorkerPlugin):
    """A worker's place to grade at: one warm sandbox, on a thread that lives as long as the worker.

    Bubblewrap ends with the thread that started it, so neither Dask's event loop nor one of its tasks starts it.
    """

    def __init__(self, package: bytes):
        self.package, self.name = package, f"autograder-{digest(package.hex())[:16]}"

    async def setup(self, worker):
        self.thread = ThreadPoolExecutor(1, "autograder")
        self.desk = await asyncio.get_running_loop().run_in_executor(self.thread, Desk, self.package)

    async def teardown(self, worker):
        await asyncio.get_running_loop().run_in_executor(self.thread, self.desk.close)
        self.thread.shutdown()


class Desk:
    """A package, unpacked: `refused` says why nothing is graded here, or is ""."""

    def __init__(self, package: bytes):
        self.scratch, self.refused = Scratch(), ""
        try:
            with zipfile.ZipFile(BytesIO(package)) as archive:
                archive.extractall(self.scratch.path)
            folder = Path(self.scratch.path)
            how = json.loads((folder / "how.json").read_text())
            key = load(folder / "key.npz")
            (folder / "key.npz").unlink()  # from here on it is in memory alone
            self.refused = _unfit(how, key.versions)
            files = tuple(sorted((folder / "files").iterdir())) if (folder / "files").is_dir() else ()
            job = Job(key, nbformat.v4.new_notebook(), files, Limits(**how["limits"]), how["isolation"], (folder,),
                      share=how["share"])
            self.jobs = {kind: (grader(job, kind, how["isolation"])[0], Sharing() if job.share else None)
                         for kind in ("named", "plain")}
            if not self.refused:
                self.sandbox = Sandbox(job.inside, job.limits, how["isolation"], job.hidden, key.forbid)
                self.sandbox.start()
        except IsolationError as error:
            self.refused = str(error)
        except (SandboxError, OSError, ValueError) as error:
            self.refused = f"its sandbox does not start ({error})"

    def grade(self, body: bytes) -> bytes:
        """What comes of a submission; both as JSON."""
        if self.refused:
            return json.dumps(plain(Answered(refused=self.refused))).encode()
        asked = typed(json.loads(body), Asked)
        job, sharing = self.jobs[asked.kind]
        verdict, keep = run_one(Submission("", asked.cells, asked.notes), job, self.sandbox, asked.known, sharing)
        return json.dumps(plain(Answered(verdict, keep))).encode()

    def close(self) -> None:
        if not self.refused:
            self.sandbox.stop()
        self.scratch.remove()


def _unfit(how: dict[str, Any], built: dict[str, str]) -> str:
    """Why a worker would not come to the same verdicts as this course's machine, or ""."""
    choose(how["isolation"])
    if differ := notice(built, installed()):
        return differ
    return "" if how["code"] == _code() else \
        f"it has other code of the kit, or other releases ({', '.join(f'{name} {text}' for name, text in installed().items())})"


def _introduce(plugin: str, dask_worker) -> bytes:
    return json.dumps({"refused": dask_worker.plugins[plugin].desk.refused}).encode()


def _grade(plugin: str, body: bytes) -> bytes:
    bench = distributed.get_worker().plugins[plugin]
    return bench.thread.submit(bench.desk.grade, body).result()
