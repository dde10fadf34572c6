"""A class on many machines: Dask carries the submissions to warm workers and the verdicts back, one at a time.

Who grades what is decided here, not by Dask's scheduler: each worker has what it grades and one more waiting, so that a worker
that dies was at the first of these. Everything finished is in the cache of verdicts at once, as on one machine.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import logging
import queue
import signal
import sys
import threading
import time
import tomllib
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import dask
import nbformat
from distributed import Client, Future, LocalCluster
from distributed.security import Security

from autograder.files import Scratch, tidy
from autograder.grading import key as keys
from autograder.grading.batch import Job, job_for, read_one, recall
from autograder.grading.cache import content
from autograder.grading.remote import NAME, Grader, Prepared, Reply, Request, Statement, Work, grade_frame, pack, state, unpack
from autograder.grading.spill import Spill
from autograder.grading.submission import Submission, printable
from autograder.grading.verdict import QuestionVerdict, Status, Verdict, broken, compact
from autograder.inside.wire import WireError
from autograder.sandbox.isolation import KINDS, IsolationError, choose

WINDOW = 2  # submissions that a worker has: one that it grades, one that waits
DEATHS = 2  # of workers at one submission, after which it is tried alone
LOOK_SECONDS = 1  # between two looks at which workers there are
ANSWER_SECONDS = 20  # for which the scheduler may be silent
WAIT_SECONDS = 300  # for a worker, where there is none
FILES = ("ca_file", "cert_file", "key_file")
SETTINGS = {"distributed.comm.timeouts.connect": "10s", "distributed.scheduler.work-stealing": False,
            "distributed.admin.large-graph-warning-threshold": "1GB", "distributed.diagnostics.nvml": False,
            # No page about the class for whoever reaches the port: Dask opens it whether there is a dashboard or not.
            "distributed.scheduler.http.routes": ["distributed.http.health"],
            "distributed.worker.http.routes": ["distributed.http.health"]}


class ClusterError(RuntimeError):
    """The cluster cannot be had, or not any more; the message is one line."""


@dataclass(frozen=True)
class Place:
    """Where a cluster is.

    Attributes:
        address: of its scheduler; "" where it is started for this run.
        processes: of a cluster on this machine.
        jobs: what dask-jobqueue starts it with: the name of its class without `Cluster`, how many jobs, settings of the class.
        security: files of certificates, as `distributed.Security` names them.
        wait_seconds: for which there may be no worker.
    """

    address: str = ""
    processes: int = 0
    jobs: tuple[str, int, dict[str, Any]] | None = None
    security: dict[str, str] = field(default_factory=dict)
    wait_seconds: float = WAIT_SECONDS


def read_place(text: str) -> Place:
    """The cluster that `--cluster` names: `tls://host:port`, `local:N`, or a TOML file of the course.

    Raises:
        ValueError: it is none of these, or not to be trusted with students' work; the message is one line.
    """
    if text.startswith("local:"):
        if not text[6:].isdecimal() or int(text[6:]) < 1:
            raise ValueError(f"expected local:N with N processes, such as local:2. Received: {text}")
        return Place(processes=int(text[6:]))
    if "://" in text:
        return _safe(Place(text))
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"expected a cluster as tls://host:port, local:N or a TOML file. Received: {text}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected a TOML file that describes a cluster ({error})") from None
    return _from_table(path, table)


def _from_table(path: Path, table: dict[str, Any]) -> Place:
    if unknown := sorted(set(table) - {"address", "jobqueue", "wait_seconds", *FILES}):
        raise ValueError(f"{path}: expected address or [jobqueue], {', '.join(FILES)}, wait_seconds. "
                         f"Received: {', '.join(unknown)}")
    if ("address" in table) == ("jobqueue" in table):
        raise ValueError(f"{path}: expected either address or [jobqueue]")
    files = {name: str(path.parent / table[name]) for name in FILES if name in table}
    if files and len(files) < len(FILES):
        raise ValueError(f"{path}: expected all of {', '.join(FILES)}. Received: {', '.join(files)}")
    security = {}
    if files:
        ca, certificate, key = (files[name] for name in FILES)
        if missing := [name for name in files.values() if not Path(name).is_file()]:
            raise ValueError(f"{path}: expected a file at {missing[0]}; found none")
        security = {"tls_ca_file": ca, **{f"tls_{role}_{what}": file for role in ("client", "worker", "scheduler")
                                          for what, file in (("cert", certificate), ("key", key))}}
    wait = table.get("wait_seconds", WAIT_SECONDS)
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or wait <= 0:
        raise ValueError(f"{path}: expected wait_seconds above 0. Received: {wait!r}")
    if "address" in table:
        return _safe(Place(str(table["address"]), security=security, wait_seconds=wait))
    settings = dict(table["jobqueue"])
    kind, count = settings.pop("kind", None), settings.pop("jobs", None)
    if not isinstance(kind, str) or not isinstance(count, int) or count < 1:
        raise ValueError(f'{path}: expected [jobqueue] with kind, such as "SLURM", and jobs, how many to start')
    try:
        systems = [name.removesuffix("Cluster") for name in vars(_batch_systems()) if name.endswith("Cluster")]
    except ImportError:
        raise ValueError(f"{path}: expected dask-jobqueue, which starts workers with a batch system; it is not installed. "
                         "`pip install dask-jobqueue` where Dask is") from None
    if kind not in systems:
        raise ValueError(f"{path}: expected kind to be one of {', '.join(sorted(systems))}. Received: {kind}")
    return Place(jobs=(kind, count, settings), security=security, wait_seconds=wait)


def _batch_systems() -> ModuleType:
    """dask-jobqueue. The main thread has to import it, for it takes Ctrl-C for itself; that is given back."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue  # lazy: only who starts workers with a batch system has it
    finally:
        signal.signal(signal.SIGINT, handler)
    return dask_jobqueue


def _safe(place: Place) -> Place:
    """The place, unless somebody on the way could read students' work, or run programs on its machines."""
    try:
        parts = urlsplit(place.address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme not in ("tls", "tcp") or not host or port is None:
        raise ValueError(f"expected a cluster at tls://host:port. Received: {place.address}")
    if parts.scheme == "tcp" and not _loopback(host):
        raise ValueError(f"expected tls://{host}:{port}. Received: {place.address}. Without TLS whoever is on the network can "
                         "read what students hand in, and run programs on the cluster; only 127.0.0.1 may do without.")
    if parts.scheme == "tls" and not place.security and not dask.config.get("distributed.comm.tls.ca-file"):
        raise ValueError(f"expected certificates for {place.address}: name {', '.join(FILES)} beside address in a TOML file, or "
                         "set Dask's own distributed.comm.tls")
    return place


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# ---------------------------------------------------------------------------------------------------- a class


@dataclass(eq=False)
class _Task:
    """A submission that is to be graded elsewhere."""

    number: int
    submission: Submission
    kind: str
    known: dict[str, QuestionVerdict]
    deaths: int = 0
    avoid: set[str] = field(default_factory=set)  # workers that could not grade it
    future: Future | None = None


def grade_on(place: Place, submissions: list[tuple[str, Path]], job: Job, done: Callable[[Verdict], None] = lambda verdict: None,
             begin: Callable[[str], None] = lambda student: None, say: Callable[[str], None] = print) -> list[Verdict]:
    """`batch.grade_all` on a cluster, which is not even started where the cache knows everything.

    Args:
        say: told, a sentence each, which workers are refused.
    Raises:
        ClusterError: the cluster cannot be had, or not any more; what was graded is in the cache.
        IsolationError: the isolation asked for does not exist.
    """
    if job.isolation not in KINDS:
        raise IsolationError(f"expected an isolation of {', '.join(KINDS)}. Received: {job.isolation}")
    isolation = choose("auto") if job.isolation == "auto" else job.isolation  # of every worker: one class, one kind of wall
    tidy()
    told = {student: job.feedback.of(job.key.assignment, student) for student, _ in submissions}
    graders = {}  # by what students are told
    for kind in set(told.values()):
        own = job_for(job, kind)
        graders[kind] = own, own.kept(isolation)
    verdicts: dict[int, Verdict] = {}
    spill, stop = Spill(), threading.Event()
    common: dict[Any, Any] = {}  # parts of verdicts
    problems: list[BaseException] = []
    ended: queue.SimpleQueue = queue.SimpleQueue()

    def finish(number: int, verdict: Verdict) -> None:
        verdict = compact(verdict, common)
        verdicts[number] = replace(verdict, outputs=spill.keep(verdict.outputs), feedback=told[verdict.student])
        done(verdicts[number])

    def unknown() -> Iterator[_Task]:
        """What has to be graded; all else is finished on the way."""
        for number, (student, folder) in enumerate(submissions):
            if stop.is_set():
                return
            begin(student)
            work, cache = graders[told[student]]
            found = read_one(student, folder, work)
            if isinstance(found, Verdict):
                finish(number, found)
            elif isinstance(known := recall(found, work, cache), Verdict):
                finish(number, replace(known, content=content(found)))
            else:
                yield _Task(number, found, told[student], known)

    def arrived(task: _Task, verdict: Verdict, keep: bool) -> None:
        if keep:
            graders[task.kind][1].save(task.submission, verdict)
        finish(task.number, verdict)

    def run() -> None:
        try:
            tasks = unknown()
            for first in itertools.islice(tasks, 1):
                work = _work(job, isolation)
                with connected(place) as client, prepared(client, Grader(work, local=bool(place.processes))):
                    _spread(itertools.chain([first], tasks), _Cluster(client, work, place, stop, say), job, arrived, stop)
        except BaseException as error:
            problems.append(error)
        finally:
            ended.put(None)

    threading.Thread(target=run).start()
    while True:  # as in `grade_all`
        try:
            ended.get()
            break
        except KeyboardInterrupt:
            stop.set()
    if problems:
        raise problems[0]
    return [verdicts[number] for number in sorted(verdicts)]


def _spread(tasks: Iterator[_Task], cluster: _Cluster, job: Job, arrived: Callable[[_Task, Verdict, bool], None],
            stop: threading.Event) -> None:
    """Grade tasks, as many at a time as the workers take."""
    flying: dict[str, deque[_Task]] = {}
    again: deque[_Task] = deque()
    more = True  # tasks, as far as is known
    came: queue.SimpleQueue = queue.SimpleQueue()

    def give(address: str, task: _Task) -> None:
        flying[address].append(task)
        task.future = cluster.submit(address, task)
        task.future.add_done_callback(lambda future: came.put((address, task, future)))

    def fill() -> None:
        suspect = None if stop.is_set() else next((task for task in again if task.deaths >= DEATHS), None)
        kept_free = suspect and min(may_try(suspect), key=lambda address: len(flying[address]), default=None)
        for address, taken in flying.items():
            if suspect and address == kept_free:
                if not taken:
                    again.remove(suspect)
                    give(address, suspect)
            elif not any(task.deaths >= DEATHS for task in taken):  # which is tried alone
                while len(taken) < WINDOW and (task := next_for(address)):
                    give(address, task)

    def may_try(task: _Task) -> list[str]:
        """The workers that have not failed at a task; all, where each has."""
        return [address for address in flying if address not in task.avoid] or list(flying)

    def next_for(address: str) -> _Task | None:
        nonlocal more
        if stop.is_set():
            return None
        for task in again:
            if task.deaths < DEATHS and address in may_try(task):
                again.remove(task)
                return task
        new = next(tasks, None)
        more = new is not None
        return new

    def died(task: _Task, why: str) -> None:
        """A worker did not survive a task, or could not grade it."""
        task.deaths += 1
        if task.deaths > DEATHS:
            verdict = broken(task.submission.student, job.key, f"could not be graded: {why}")
            arrived(task, replace(verdict, notes=task.submission.notes), False)
        else:
            again.append(task)

    while True:
        for address in set(cluster.workers()) - set(flying):
            flying[address] = deque()
        for address in set(flying) - set(cluster.workers()):
            lost = flying.pop(address)
            for place, task in enumerate(lost):
                if task.future is not None:
                    task.future.cancel()
                task.future = None
                if place:
                    again.appendleft(task)
                else:
                    died(task, f"{task.deaths + 1} workers died while they graded it")
        fill()
        if not any(flying.values()) and (stop.is_set() or not (again or more)):
            return
        try:
            address, task, future = came.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        if task.future is not future:  # its worker was given up meanwhile
            continue
        if future.status == "finished":
            reply = cluster.reply(task, future)
            flying[address].remove(task)
            future.release()
            if reply is None or reply.verdict is None:
                again.appendleft(task)
            elif any(question.status == Status.UNGRADED for question in reply.verdict.questions) and task.deaths < DEATHS:
                task.avoid.add(address)
                died(task, "")
            else:
                arrived(task, reply.verdict, reply.keep)
        else:  # cancelled with its worker or its scheduler, or Dask itself has given it up
            flying[address].remove(task)
            task.future = None
            cluster.look()
            if future.status == "error":
                died(task, "its workers died")
            else:
                again.appendleft(task)


# ---------------------------------------------------------------------------------------------------- a cluster


@contextlib.contextmanager
def connected(place: Place) -> Iterator[Client]:
    """The cluster, which is started here if that is what `place` says.

    Raises:
        ClusterError: it cannot be had.
    """
    for name in ("distributed", "tornado", "asyncio", *logging.root.manager.loggerDict):
        if name.startswith(("distributed", "tornado", "asyncio")):  # they speak of every lost connection: here one line does
            logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"distributed\.")
    with dask.config.set(SETTINGS), contextlib.ExitStack() as stack:
        try:
            started, security = _start(place)
            if started is not None:
                stack.callback(lambda: _quietly(started.close))
            client = Client(started or place.address, security=security, set_as_default=False, name=NAME)
        except Exception as error:
            at = place.address or "for this run"
            raise ClusterError(f"expected a cluster {at}; it cannot be had ({type(error).__name__}: "
                               f"{printable(' '.join(str(error).split()))[:200]})") from None
        stack.callback(lambda: _quietly(client.close))
        yield client


@contextlib.contextmanager
def prepared(client: Client, plugin: Prepared) -> Iterator[None]:
    """Within, every worker has the plugin, those that come later, too.

    Raises:
        ClusterError: it cannot be given to them.
    """
    try:
        client.register_plugin(plugin, name=plugin.name)
    except Exception as error:
        raise ClusterError(f"what the workers need could not be given to them ({type(error).__name__})") from None
    try:
        yield
    finally:
        _quietly(lambda: client.unregister_worker_plugin(plugin.name))


def _start(place: Place) -> tuple[Any, Security | None]:
    """The cluster that is started for this run, if one is, and how to speak with it."""
    if place.processes:  # with certificates for this run: other accounts of this machine reach its ports, too
        security = Security.temporary()
        return LocalCluster(n_workers=place.processes, threads_per_worker=1, memory_limit=0, host="127.0.0.1", protocol="tls://",
                            security=security, dashboard_address=None, silence_logs=logging.CRITICAL), security
    security = Security(require_encryption=True, **place.security) if place.security else None
    if place.jobs:
        kind, count, settings = place.jobs
        settings = {"cores": 1, "processes": 1, "memory": "4GB", **settings}
        started = getattr(sys.modules["dask_jobqueue"], f"{kind}Cluster")(
            protocol="tls://", security=security or Security.temporary(), scheduler_options={"dashboard": False}, **settings)
        started.scale(jobs=count)
        return started, started.security
    if place.address.startswith("tls://"):
        return None, security or Security(require_encryption=True)
    return None, None


def _quietly(end: Callable[[], Any]) -> None:
    with contextlib.suppress(Exception):  # what cannot be ended any more has ended
        end()


def _work(job: Job, isolation: str) -> Work:
    with Scratch() as folder:
        keys.save(job.key, Path(folder, "key.npz"), private=True)
        key = Path(folder, "key.npz").read_bytes()
    return Work(key, nbformat.writes(job.skeleton), {file.name: file.read_bytes() for file in job.files}, job.limits, isolation,
                tuple(map(str, job.hidden)), job.share)


class Workers:
    """A cluster's workers, as far as they may do what a plugin prepares them for; for one thread.

    Args:
        name: of the plugin.
        say: told, a sentence each, which workers are refused.
    """

    def __init__(self, client: Client, name: str, place: Place, stop: threading.Event, say: Callable[[str], None]):
        self._client, self._name, self._place, self._stop, self._say = client, name, place, stop, say
        self._good: list[str] = []
        self._refused: dict[str, str] = {}
        self._address = client.scheduler.address
        self._looked = self._seen = time.monotonic()

    def workers(self) -> list[str]:
        """The addresses of those that may work.

        Raises:
            ClusterError: there are none, and will be none; or the scheduler is gone.
        """
        if time.monotonic() - self._looked >= LOOK_SECONDS or not self._good:
            self.look()
        return self._good

    def look(self) -> None:
        """See which workers there are, and ask new ones what they are."""
        try:
            found = self._client.sync(self._client.scheduler.identity, callback_timeout=ANSWER_SECONDS)["workers"]
        except Exception:
            raise ClusterError(f"the scheduler at {self._address} does not answer any more") from None
        self._looked = time.monotonic()
        self._good = [address for address in self._good if address in found]
        self._refused = {address: why for address, why in self._refused.items() if address in found}
        for address in found:
            if address not in self._good and address not in self._refused:
                self._ask(address)
        if self._good or self._stop.is_set():
            self._seen = self._looked
        elif self._refused and len(self._refused) == len(found):
            raise ClusterError(f"no worker of the cluster is fit: {next(iter(self._refused.values()))}")
        elif self._looked - self._seen > self._place.wait_seconds:
            raise ClusterError(f"expected workers on the cluster; there was none for {self._place.wait_seconds:g} s")

    def _ask(self, address: str) -> None:
        try:
            statement = unpack(self._client.run(state, self._name, workers=[address])[address], Statement)
        except Exception:  # it has ended meanwhile, or is not ready to be asked
            return
        if statement.refusal:
            self._refused[address] = printable(statement.refusal)[:500]
            self._say(f"worker {printable(address)} is refused: {self._refused[address]}")
        elif statement.ready:
            self._good.append(address)


class _Cluster(Workers):
    """Workers that grade."""

    def __init__(self, client: Client, work: Work, place: Place, stop: threading.Event, say: Callable[[str], None]):
        super().__init__(client, NAME, place, stop, say)
        self._work = work

    def submit(self, address: str, task: _Task) -> Future:
        """Send a submission to a worker."""
        frame = pack(Request(self._work.digest, task.submission, task.kind, task.known))
        return self._client.submit(grade_frame, frame, workers=[address], allow_other_workers=False, pure=False)

    def reply(self, task: _Task, future: Future) -> Reply | None:
        """What a worker gave back; None where it was lost on the way.

        Raises:
            ClusterError: it is no verdict on this submission.
        """
        try:
            data = future.result(timeout=ANSWER_SECONDS)
        except Exception:
            return None
        try:
            reply = unpack(data, Reply)
        except WireError as error:
            raise ClusterError(f"a worker gave no verdict: {error}") from None
        if reply.verdict is None:
            raise ClusterError("another grading has taken the cluster: it grades one assignment at a time")
        return reply
