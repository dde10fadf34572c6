"""The walls that the kernel keeps, tried from inside: what is refused is refused, and what notebooks do works."""

import ast
import os
import platform
import struct
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, sandboxed

from autograder.inside import seccomp
from autograder.sandbox import isolation
from autograder.sandbox.sandbox import Died, End, Limits, Spent
from autograder.sandbox.warm import SandboxError

pytestmark = pytest.mark.xdist_group("confine")  # one process, whose tests share workers
LIMITS = Limits(cell_seconds=60, submission_seconds=300, scratch_megabytes=64)
LEVELS = [pytest.param(level, marks=pytest.mark.skipif(isolation.obstacle(level) is not None, reason=f"no {level} here"))
          for level in ("bubblewrap", "landlock")]
needs_filter = pytest.mark.skipif(not seccomp.supported(), reason="this machine's system calls are not known")
CALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *map(ctypes.c_long, arguments))
    return errno.errorcode[ctypes.get_errno()] if result < 0 else result
def tried(function, *arguments):
    try:
        return function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A course, and another file of this account, that nobody inside may see."""
    folder = tmp_path_factory.mktemp("closed")
    (folder / "questions.py").write_text("the answers")
    return folder


@pytest.fixture(scope="module", params=LEVELS)
def sandbox(request, closed):
    with sandboxed(isolation=request.param, limits=LIMITS, hidden=(closed,)) as sandbox:
        yield sandbox


@pytest.fixture
def inside(sandbox):
    """`inside(source)` -> what the cell printed last, as a Python value."""
    with sandbox.fork(Spent()) as child:
        def run(source):
            done = child.run_cell(CALL + source, "cell")
            assert done.failure is None, done.failure
            return ast.literal_eval("".join(item["text"] for item in done.outputs))
        yield run


def numbers(calls):
    column = list(seccomp.ARCHITECTURES).index(platform.machine())
    found = {name: of[column] if len(of) > 1 else of[0] for name, of in calls.items()}
    return {name: number for name, number in found.items() if number is not None}


@pytest.mark.parametrize("group", seccomp.REFUSED)
def test_what_notebooks_never_need_is_refused(inside, group):
    wanted = numbers(seccomp.REFUSED[group])
    assert inside(f"print({{name: call(n, 0, 0, 0, 0, 0, 0) for name, n in {wanted}.items()}})") == dict.fromkeys(wanted, "EPERM")


def test_libraries_are_told_that_there_is_no_such_call(inside):
    wanted = numbers(seccomp.UNKNOWN)
    assert inside(f"print({{name: call(n, 0, 0, 0, 0, 0, 0) for name, n in {wanted}.items()}})") == dict.fromkeys(wanted, "ENOSYS")
    assert set(inside(f"print([call(n) for n in ({seccomp.NEWEST + 1}, 4000, 0x40000000 + 39, 0x7fffffff)])")) == {"ENOSYS"}


def test_arguments_decide_where_a_call_has_good_uses(inside):
    clone, ioctl, personality = (numbers({"": of})[""] for of in (seccomp.CLONE, seccomp.IOCTL, seccomp.PERSONALITY))
    assert inside(f"print([call({clone}, 17 | flag, 0, 0, 0, 0) for flag in {[1 << 17, *(1 << bit for bit in range(25, 31))]}])") == \
        ["EPERM"] * 7
    assert inside(f"print([call({ioctl}, 0, command, 0) for command in {seccomp.TERMINALS}])") == ["EPERM"] * 3
    assert inside(f"print([call({personality}, 0x0040000), call({personality}, 0xffffffff)])") == ["EPERM", 0]
    families = inside("import socket\nprint({n: tried(lambda: socket.socket(n, socket.SOCK_DGRAM).close()) for n in (1, 2, 16, 17, 38, 40)})")
    assert {families[n] for n in (16, 17, 38, 40)} <= {"EAFNOSUPPORT", "EPERM"}  # netlink, packet, alg, vsock
    assert inside("import socket\na, b = socket.socketpair()\na.send(b'hello')\nprint(b.recv(9))") == b"hello"


def test_without_namespaces_what_reaches_others_is_refused(sandbox, inside):
    if sandbox.isolation != "landlock":
        pytest.skip("behind bubblewrap there are no others")
    wanted = numbers(seccomp.REFUSED_IN_THE_OPEN)
    assert inside(f"print({{name: call(n, 0, 0, 0, 0, 0, 0) for name, n in {wanted}.items()}})") == dict.fromkeys(wanted, "EPERM")
    wanted = {name: (number, seccomp.ONLY_ITSELF[name][1]) for name, number in numbers(
        {name: of for name, (of, _) in seccomp.ONLY_ITSELF.items()}).items()}
    assert inside(f"print({{name: call(n, *([0] * whose), os.getppid(), 0, 0, 0) for name, (n, whose) in {wanted}.items()}})") == \
        dict.fromkeys(wanted, "EPERM")
    assert inside(f"import fcntl\nprint([tried(fcntl.fcntl, 1, command, os.getppid()) for command in {seccomp.OWNERS[:1]}])") == ["EPERM"]


def test_nothing_gives_new_privileges(inside):
    assert inside("""
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
print([libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0), libc.capget(header, sets), list(sets)])""") == [1, 2, 0, [0] * 6]
    assert inside("print([tried(os.chroot, '/'), tried(os.setgroups, [0]), tried(os.mknod, 'device', 0o020666, os.makedev(1, 1))])") == ["EPERM"] * 3


def test_no_key_crosses_from_one_submission_to_the_next(inside):
    assert inside("print([tried(lambda: len(open(name).read())) in (0, 'EACCES', 'ENOENT') for name in ('/proc/keys', '/proc/key-users')])") == \
        [True, True]


def test_only_its_own_processes_can_be_signalled(sandbox, inside):
    outsider = subprocess.Popen(["sleep", "60"])
    try:
        targets = [outsider.pid, os.getpid(), sandbox.parent.process.pid, sandbox.start().meter.worker]
        assert set(inside(f"print([tried(os.kill, pid, 0) for pid in {targets}])")) <= {"EPERM", "ESRCH"}
        assert inside("import subprocess\np = subprocess.Popen(['sleep', '60'])\np.kill()\nprint(p.wait())") == -9
        assert outsider.poll() is None
    finally:
        outsider.kill()
        outsider.wait()


@pytest.mark.parametrize("end", [lambda sandbox: sandbox.kill(), lambda sandbox: os.kill(sandbox.start().meter.worker, 9) or sandbox.stop(),
                                 lambda sandbox: sandbox.parent.kill()], ids=["killed", "killed by others", "killed with its parent"])
def test_nothing_outlives_a_worker_that_is_ended(sandbox, end):
    nap = f"7531.{os.getpid()}"
    with sandbox.fork(Spent()) as child:
        child.run_cell(f"import subprocess\nsubprocess.Popen(['sleep', '{nap}'], start_new_session=True)", "cell")
        assert becomes(True, nap)  # a process has no name yet while it becomes another program
        end(sandbox)
    assert becomes(False, nap)


def becomes(there: bool, word: str) -> bool:
    """Is there a process with this word in its command, or none, within five seconds?"""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if any(word in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])) is there:
            return True
        time.sleep(0.1)
    return False


def test_no_file_outside_is_read_listed_or_changed(inside, closed):
    found = inside(f"""
import glob, pathlib
places = [{str(closed)!r}, {str(ROOT / 'solutions')!r}, {str(ROOT / 'autograder' / 'grading')!r}, {str(Path.home())!r}, "/etc", "/var", "/tmp/.."]
print([[tried(lambda: len(os.listdir(place))) for place in places[:4]],
       tried(lambda: open({str(closed / 'questions.py')!r}).read()), tried(lambda: open({str(closed / 'new')!r}, "w").close()),
       tried(os.truncate, {str(closed / 'questions.py')!r}, 0), tried(os.symlink, {str(closed / 'questions.py')!r}, "link"),
       tried(lambda: open("link").read()), tried(os.link, {str(closed / 'questions.py')!r}, "hard"),
       tried(lambda: open({sys.executable!r}, "ab").close()), tried(lambda: open("/proc/1/environ", "rb").close())])""")
    refused = {"EACCES", "ENOENT", "EPERM", "EROFS", "EXDEV", "ETXTBSY"}
    listed, *rest = found
    assert all(answer in refused or answer == 0 for answer in listed[:3]), listed
    assert rest[3] is None and all(answer in refused for answer in rest[:3] + rest[4:7]), rest
    mode = closed.stat().st_mode
    inside(f"print([tried(os.chmod, {str(closed)!r}, 0), tried(os.utime, {str(closed)!r}, (0, 0))])")
    assert closed.stat().st_mode == mode and closed.stat().st_mtime > 0
    assert (closed / "questions.py").read_text() == "the answers" and os.listdir(closed) == ["questions.py"]


def test_what_notebooks_do_works(sandbox, inside):
    """TensorFlow on several threads, saved models, figures, temporary files, threads, programs, forks."""
    assert inside("""
import keras, tensorflow as tf, numpy as np
import matplotlib.pyplot as plt
import concurrent.futures, multiprocessing, shutil, subprocess, sys, tempfile, threading, warnings
warnings.simplefilter("ignore")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
model.compile("sgd", "mse")
model.fit(tf.data.Dataset.from_tensor_slices((np.ones((8, 3)), np.ones((8, 2)))).batch(2).map(lambda x, y: (x, y), 2).prefetch(1), verbose=0)
model.save("model.keras")
same = np.allclose(keras.models.load_model("model.keras")(np.ones((1, 3))), model(np.ones((1, 3))))
model.save_weights("w.weights.h5")
model.export("exported", verbose=False)
plt.plot([1, 2])
plt.savefig("figure.png")
plt.close()
shutil.copy2("figure.png", "copied.png")
shutil.copytree("exported", "copied")
with tempfile.TemporaryDirectory() as folder:
    open(folder + "/x", "w").close()
said = subprocess.run([sys.executable, "-c", "import numpy; print(numpy.arange(3).sum())"], capture_output=True, text=True)
heard = []
thread = threading.Thread(target=lambda: heard.append(1))
thread.start(), thread.join()
receive, send = multiprocessing.Pipe()
process = multiprocessing.get_context("fork").Process(target=lambda: send.send("hello"))
process.start()
heard.append(receive.recv())
process.join()
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    heard += pool.map(abs, [-2])
os.makedirs("a/b")
os.rename("copied.png", "a/b/c.png")
os.remove("a/b/c.png")
shutil.rmtree("a")
print([bool(same), said.stdout.strip() or said.stderr, heard, process.exitcode, sorted(name for name in os.listdir(".") if name[0] != "_")])""") == \
        [True, "3", [1, "hello", 2], 0, ["copied", "exported", "figure.png", "model.keras", "w.weights.h5"]]


@pytest.mark.skipif(isolation.obstacle("landlock") is not None, reason="no landlock here")
def test_what_the_rules_do_not_name_is_closed_and_a_refused_wall_stops_the_submission(monkeypatch):
    with sandboxed(isolation="landlock", limits=LIMITS) as sandbox:
        sandbox.start()
        python = tuple(path for path in sandbox.parent.readable if not path.startswith("/sys"))
        monkeypatch.setattr(sandbox.parent, "readable", (*python, "/no/such/place"))  # passed over: less can be read, not more
        with sandbox.fork(Spent()) as child:
            done = child.run_cell(CALL + "print([tried(os.listdir, '/sys/devices/system/cpu'), tried(os.listdir, '.')])", "cell")
            assert done.outputs[0]["text"] == "['EACCES', []]\n"
        monkeypatch.setattr(sandbox.parent, "readable", (*python, "/proc/self/ns/mnt"))  # which the kernel takes into no rule
        with pytest.raises(SandboxError, match="Landlock: a rule for /proc/self/ns/mnt: "):
            sandbox.fork(Spent())


@pytest.mark.parametrize("source", [
    "for number in range(20_100):\n    os.makedirs(f'{number}' if number % 2 else f'a/{number}')",
    "for number in range(4):\n    open(f'{number}', 'wb').write(b'x' * 20 * 2**20)",
])
def test_what_is_written_is_bounded_together(sandbox, source):
    with sandbox.fork(Spent()) as child:
        if sandbox.isolation == "bubblewrap":  # a file system of its own, which says so itself
            assert child.run_cell(f"import os\n{source}", "writes").failure.error == "OSError"
            return
        with pytest.raises(Died) as death:
            child.run_cell(f"import os, time\n{source}\ntime.sleep(30)", "writes")
        assert death.value.end is End.FULL


@needs_filter
@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
@pytest.mark.parametrize("alone, signals_to", [(True, None), (False, None), (False, 77)])
def test_every_jump_of_the_filter_stays_in_it(machine, alone, signals_to):
    """On machines that are not here, too; the kernel checks the same when it loads a filter."""
    code = list(struct.iter_unpack("=HBBI", seccomp.program(machine, alone, signals_to)))
    assert len(code) < 4096 and code[-1] == (seccomp.RETURN, 0, 0, seccomp.ALLOW)
    assert all(place + 1 + jump < len(code) for place, (kind, *jumps, _) in enumerate(code) if kind & 7 == 5 for jump in jumps)


def test_a_machine_whose_calls_are_not_known_offers_no_walls(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    isolation.obstacle.cache_clear()
    try:
        assert all("riscv64 are not known" in isolation.obstacle(level) for level in ("bubblewrap", "landlock"))
        assert isolation.choose("auto") == "process"
        with pytest.raises(OSError, match="riscv64"):
            seccomp.program("riscv64", True)
    finally:
        isolation.obstacle.cache_clear()


@needs_filter
def test_a_hidden_directory_is_not_readable_wherever_it_lies(tmp_path):
    python, course = tmp_path / "python", tmp_path / "python" / "lib" / "course"
    for folder in (course, python / "lib" / "numpy"):
        folder.mkdir(parents=True)
    (python / "lib" / "link").symlink_to(course)
    (python / "bin").touch()
    seen = [Path(path) for path in isolation.readable(python, (course,))]
    assert {python / "bin", python / "lib" / "numpy"} <= set(seen)
    assert not [path for path in seen if course.is_relative_to(path) or path.is_relative_to(course)]
    assert str(python) in isolation.readable(python, ())


def test_the_strongest_level_is_taken_and_one_that_is_not_there_refused(monkeypatch):
    for working in (("bubblewrap", "landlock", "process"), ("landlock", "process"), ("process",)):
        monkeypatch.setattr(isolation, "obstacle", lambda level="bubblewrap", working=working: None if level in working else "it is off")
        assert isolation.choose("auto") == working[0]
    with pytest.raises(isolation.IsolationError, match="expected landlock to work here: it is off"):
        isolation.choose("landlock")
