"""What an answer uses while it runs: TensorFlow operations and library functions that its question forbids.

Runs in the sandbox beside student code, and in a student's own kernel under `check`, so it knows no secret. Three looks:

- before it runs, the answer is resolved: a library's function under another name is no answer, and nothing forbidden may be bound
  into it;
- while it runs, all that happens between entering and leaving it counts, in every thread and file: functions called, operations
  run or traced, operations within the functions that an operation calls. Operations pass through gates that are put up before a
  student's code runs; of functions tells `sys.monitoring`, and where there is none (Python 3.11) the functions themselves;
- afterwards, the watch itself must be as it was.

What is written is read by `autograder.inside.rules`. Neither is a proof: they share a process with what they watch. They catch
what students do and the tricks that we know of; signs of others go to the instructor. Beyond them is code that swaps what this
module holds in memory and puts it back, a copy of a library's source or code made before an answer runs, a Python function that
was traced before (its operations are what a rule must name), and an engine of its own, such as TensorFlow Lite.
"""

from __future__ import annotations

import _thread
import collections
import contextlib
import ctypes
import dis
import fnmatch
import functools
import importlib
import inspect
import itertools
import linecache
import sys
import sysconfig
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

from autograder.inside import probes
from autograder.inside.hooks import hook
from autograder.inside.protocol import MAX_LINE, Use

OPERATIONS = "tf.raw_ops."  # a pattern that begins so names TensorFlow operation types
LIBRARY = "library:"  # begins a use: the answer is a library's own function
TAMPERING = "watch:"  # begins a use: the watch was interfered with
ROOTS = {"tf": "tensorflow", "np": "numpy"}
LIBRARIES = {"tensorflow", "keras", "keras_hub", "numpy", "scipy", "sklearn", "jax", "torch"}
# Subclassing a layer or making an input is how every layer and model begins.
NEVER = {"keras.layers.Layer", "keras.layers.Input", "keras.layers.InputLayer", "keras.layers.InputSpec"}
CALLABLES = (type, types.FunctionType, types.BuiltinFunctionType)
METHODS = ("__init__", "__call__", "__enter__", "call", "build")  # of a forbidden class, whose call is noticed
MAX_SEEN = 20
MAX_WRAPPERS = 20  # around one another
MAX_REACHED = 3000  # objects that an answer is followed to
EVENTS = {"os.fork": "fork", "os.forkpty": "fork", "os.posix_spawn": "subprocess", "os.exec": "subprocess",
          "os.system": "subprocess", "subprocess.Popen": "subprocess",
          "ctypes.dlopen": "ctypes", "ctypes.dlsym": "ctypes",
          "_thread.start_new_thread": "thread", "_thread.start_joinable_thread": "thread"}
RUN = (("TFE_Py_Execute", 2), ("TFE_Py_ExecuteCancelable", 2), ("TFE_Py_FastPathExecute", 1))  # with the operation's place
# Of `sys.monitoring`, who listens and to what.
CONTROLS = ("set_events", "set_local_events", "register_callback", "use_tool_id", "clear_tool_id", "free_tool_id")
CHANGED = "object.__setattr__"  # the event of a function that gets other code
WRITTEN = ("exec", "compile", "code.__new__")  # events that count only when the answer is their cause: libraries compile, too
MONITORED = sys.version_info >= (3, 12)  # Python itself tells what is called
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
ITERATED = ("IteratorGetNext", "MakeIterator", "ReduceDataset", "DatasetToSingleElement")  # how values come out of a dataset
MAPPED = "_Dataset_"  # in the name of a function that a dataset calls
GENERATED = "__autograph_generated_file"  # what AutoGraph makes of a function runs under this file and the name `tf__…`


@contextlib.contextmanager
def watching(forbid: Sequence[str], answer: Any = None, others: Sequence[Any] = ()) -> Iterator[tuple[list[Use], set[str]]]:
    """Notice forbidden operations and functions that an answer is bound to, or that run inside the block.

    Args:
        others: answers that it builds on. What happens inside them is theirs.
    Yields:
        A list that fills with a `Use` for each, and a set that fills with signs of `protocol.SIGNS`.
    """
    seen: list[Use] = []
    signs: set[str] = set()
    if not forbid:
        yield seen, signs
        return
    whose = _Stack(answer, others)

    def note(name: str, within: bool = False) -> None:
        inside, line = whose.answer(sys._getframe(1), within)
        if inside and len(seen) < MAX_SEEN and name not in {use.name for use in seen}:
            seen.append(Use(name, line))

    def tampered(what: str) -> None:
        signs.add("watch")
        if len(seen) < MAX_SEEN:
            seen.append(Use(TAMPERING + what))

    sought = _sought(tuple(forbid))
    if found := bound(answer, sought.names, others):
        seen.append(Use(found))
    if len(sys._current_frames()) > 1:  # also one that `threading` does not know
        signs.add("thread")  # one that began earlier
    with _events(whose, signs, tampered), _operations(tuple(forbid), note, tampered) as runs, \
            _calls(sought.codes, runs, note, tampered, whose, signs):
        yield seen, signs
    if _thread._count():
        signs.add("thread")  # begun earlier, too, but not yet at work when we looked


class _Stack:
    """Whose code is at work: the answer's, another answer's, or the probe's around them."""

    def __init__(self, answer: Any, others: Sequence[Any]):
        own, theirs = _codes_of(answer), {code for other in others for code in _codes_of(other)}
        self.own = _with_inner(own)
        self.others = _with_inner(theirs) - self.own
        self.names = {f"tf__{code.co_name}" for code in own}
        self.other_names = {f"tf__{code.co_name}" for code in theirs - own} - self.names
        self.thread = threading.get_ident()

    def answer(self, frame: FrameType | None, within: bool = False) -> tuple[bool, str | None]:
        """Is the answer at work in this frame's stack, and at which line of the notebook, if at one?

        `within` a function whose tracing was not seen, an answer works without being in the stack: no probe runs another.
        """
        inside, line = threading.get_ident() != self.thread, None  # a probe starts no thread
        while frame is not None and frame.f_code is not probes.exercise.__code__:
            code = frame.f_code
            own = code in self.own
            if not own and self._another(code):
                return False, None
            if own or not _of_a_library(code):
                inside = True
                if line is None and probes.in_notebook(code.co_filename):
                    line = linecache.getline(code.co_filename, frame.f_lineno).strip()[:MAX_LINE] or None
            if own or GENERATED in code.co_filename and code.co_name in self.names:
                break  # what lies further out called the answer
            frame = frame.f_back
        else:
            inside = inside or within and frame is not None and not self.others
        return inside, line

    def directly(self, frame: FrameType) -> bool:
        """Is this very frame the answer's, or a helper's, rather than a library's that the answer called?"""
        return (frame.f_code in self.own or not _of_a_library(frame.f_code)) and self.answer(frame)[0]

    def _another(self, code: CodeType) -> bool:
        # Not what else its cell defines: that is the other answer's only while that is at work, which then stands further out.
        return code in self.others or GENERATED in code.co_filename and code.co_name in self.other_names


def _of_a_library(code: CodeType) -> bool:
    """Does code lie where libraries do, or is it the kit's or the assignment's own probe?"""
    file = code.co_filename
    own = sys.modules.get("assignment_probes")
    return file.startswith((*INSTALLED, "<frozen ")) or file in (__file__, probes.__file__, getattr(own, "__file__", None))


def seal(*modules: types.ModuleType) -> Callable[[], str | None]:
    """Taken before student code runs; the call says which function of these modules is not what it was, or None."""

    before = [(vars(module), name, thing, getattr(thing, "__code__", None))
              for module in modules for name, thing in vars(module).items() if callable(thing)]

    def changed() -> str | None:
        return next((name for space, name, thing, code in before
                     if space.get(name) is not thing or getattr(thing, "__code__", None) is not code), None)

    return changed


# ---------------------------------------------------------------------------------------------------- before it runs


def bound(answer: Any, names: dict[int, tuple[str, Any]], others: Sequence[Any] = ()) -> str | None:
    """What an answer is, or is bound to, among `names` of what its question forbids; None for one of a student's own making."""
    for thing in _reached(answer, {id(other) for other in others}):
        if type(thing) is types.BuiltinFunctionType and thing.__name__ in dict(RUN):
            return TAMPERING + thing.__name__  # kept from before the look at it
        if id(thing) in names:
            return names[id(thing)][0]
    thing = _chain(answer)[-1]
    kind = thing if isinstance(thing, CALLABLES) else type(thing)
    if callable(thing) and str(kind.__module__).split(".")[0] in LIBRARIES:
        return f"{LIBRARY}{kind.__module__}.{kind.__qualname__}"
    return None


def _inner(thing: Any) -> Any:
    """What a callable passes its call on to: of a partial, a bound method, a `tf.function`, a wrapper; or None."""
    if isinstance(thing, functools.partial):
        return thing.func
    if isinstance(thing, types.MethodType):
        return thing.__func__
    for name in ("python_function", "__wrapped__", "pyfunc"):  # of a tf.function, of functools.wraps, of numpy.vectorize
        with contextlib.suppress(Exception):
            inner = getattr(thing, name) if inspect.getattr_static(thing, name, None) is not None or name in vars(thing) else None
            if callable(inner) and inner is not thing:
                return inner
    return None


def _chain(thing: Any) -> list[Any]:
    """A callable and what its call is passed on to, the last of which does the work."""
    chain = [thing]
    while len(chain) < MAX_WRAPPERS and (inner := _inner(chain[-1])) is not None:
        chain.append(inner)
    return chain


def _reached(answer: Any, others: set[int]) -> Iterator[Any]:
    """An answer and what it holds or names: closures, defaults, attributes, globals that its code loads; not within libraries."""
    waiting, done = collections.deque([answer]), dict[int, Any]()
    while waiting and len(done) < MAX_REACHED:
        thing = waiting.popleft()
        if id(thing) in done or thing is not answer and id(thing) in others:
            continue
        done[id(thing)] = thing  # kept: an id stands for what still exists
        yield thing
        with contextlib.suppress(Exception):  # a student's own classes can raise anywhere
            waiting.extend(part for part in _parts(thing, thing is answer)
                           if callable(part) or type(part) in (list, tuple, dict) or type(part).__module__ == "__main__")


def _parts(thing: Any, whole: bool) -> list[Any]:
    """What a thing holds or names. What is a library's is not looked into, unless it is the `whole` answer."""
    if type(thing) in (list, tuple, dict):
        return list(thing.values() if type(thing) is dict else thing)[:MAX_REACHED]
    parts = [] if (inner := _inner(thing)) is None else [inner]
    if isinstance(thing, functools.partial):
        return [*parts, *thing.args, *thing.keywords.values()]
    if isinstance(thing, types.MethodType):
        return [*parts, thing.__self__]
    if isinstance(thing, staticmethod | classmethod | property):
        return [getattr(thing, name, None) for name in ("__func__", "fget", "fset")]
    if isinstance(thing, types.FunctionType):
        if not whole and _of_a_library(thing.__code__):
            return []
        for cell in thing.__closure__ or ():
            with contextlib.suppress(ValueError):  # an empty one
                parts.append(cell.cell_contents)
        named = [thing.__globals__[name] for name in _globals(thing.__code__) if name in thing.__globals__]
        return [*parts, *(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values(), *named]
    kind = thing if isinstance(thing, type) else type(thing)
    if not whole and str(kind.__module__).split(".")[0] in LIBRARIES:
        return [*parts, kind]
    held = [] if thing is kind or not hasattr(thing, "__dict__") else list(vars(thing).values())[:MAX_REACHED]
    return [*parts, kind, *held, *(part for part in (*kind.__bases__, *vars(kind).values()) if thing is kind)]


@functools.lru_cache(maxsize=1000)
def _globals(code: CodeType) -> set[str]:
    """The names that code, and code defined in it, loads from its module."""
    names = {item.argval for item in dis.get_instructions(code) if item.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_globals(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _codes_of(answer: Any) -> set[CodeType]:
    """The code of a function, also of one that is wrapped; of a class, that of its methods."""
    *wrappers, thing = _chain(answer)
    codes = {code for wrapper in wrappers for code in _code(wrapper) if not _of_a_library(code)} | set(_code(thing))
    kind = thing if isinstance(thing, type) else type(thing)
    for base in kind.__mro__ if not isinstance(thing, types.FunctionType) else ():
        if (root := str(base.__module__).split(".")[0]) not in LIBRARIES and root not in sys.stdlib_module_names:
            for member in vars(base).values():
                member = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
                codes.update(code for inner in _chain(member) for code in _code(inner))
    return codes


def _code(thing: Any) -> list[CodeType]:
    return [thing.__code__] if isinstance(thing, types.FunctionType) else []


def _with_inner(codes: set[CodeType]) -> set[CodeType]:
    """Code, and that of the functions and lambdas that are defined in it."""
    return codes.union(*(_with_inner({inner for inner in code.co_consts if isinstance(inner, CodeType)}) for code in codes))


# ---------------------------------------------------------------------------------------------------- while it runs


@contextlib.contextmanager
def _operations(forbid: tuple[str, ...], note: Callable, tampered: Callable) -> Iterator[dict[int, CodeType]]:
    """Look at every operation where Python hands it to TensorFlow: run, traced or built, in whatever thread.

    Yields:
        Ids of TensorFlow's functions that run an operation, and the only code that may call each: the look at it.
    """
    patterns = [pattern.removeprefix(OPERATIONS) for pattern in forbid if pattern.startswith(OPERATIONS)]
    if not patterns:
        yield {}
        return
    from tensorflow.python.eager import context

    functions, is_function = context.context().list_function_names, context.context().has_function
    watched = _watched(forbid)
    harmless = _harmless(forbid)
    there = functions()
    unseen = there - watched
    mapped = [name for name in unseen if MAPPED in name]
    # What is traced from here on is seen while it is traced: it holds no forbidden operation but these, which were looked at.
    met = _met(forbid)
    known: dict[str, str | None] = dict.fromkeys(there & watched)

    def forbidden(kind: str) -> str | None:
        """The forbidden operation that an operation is, or that a function contains whose tracing was not seen: one that was
        traced before, or came ready-made out of a file or a graph."""
        if kind not in known:
            known[kind] = kind if any(fnmatch.fnmatchcase(kind, pattern) for pattern in patterns) else None
            if is_function(kind):
                definition = context.context().get_function_def(kind)
                found = filter(None, (forbidden(name) for node in definition.node_def for name in _kinds(node)))
                known[kind] = next((name for name in found if kind in unseen or name not in met), None)
        return known[kind]

    def look(kind: Any, values: Iterator[Any]) -> None:
        if type(kind) is str and kind in harmless and not is_function(kind):
            return
        names = [kind, *(item for value in values for item in (value if type(value) in (list, tuple) else [value]))]
        for number, name in enumerate(names):
            name = getattr(name, "name", None) if type(name).__name__ == "AtomicFunction" else name
            name = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
            if isinstance(name, str) and (number == 0 or is_function(name)) and (found := forbidden(name)):
                if found == name:
                    met.add(name)
                note(OPERATIONS + found, found != name)
        iterated = isinstance(kind, str) and kind.startswith(ITERATED)
        if iterated and (found := next(filter(None, map(forbidden, mapped)), None)):
            note(OPERATIONS + found)  # of which dataset it takes from is not to be seen
        elif type(kind) is str and not forbidden(kind) and _takes_no_function(kind):
            harmless.add(kind)

    gates = _gates()
    gates.looks.append(look)
    try:
        yield gates.runs
    finally:
        for module, name, ours in gates.places:
            if getattr(module, name, None) is not ours:
                tampered(name)
                setattr(module, name, ours)
        if gates.looks[-1:] == [look]:
            gates.looks.pop()
        else:
            tampered("looks")
            gates.looks.clear()
        watched.update(name for name in functions() - unseen if not forbidden(name))


class _Gates(NamedTuple):
    """Where Python hands operations to TensorFlow.

    Attributes:
        looks: whoever looks at what comes through, with the operation's type and what it is given.
        places: (module, name, what stands there) of each.
        runs: TensorFlow's own functions, by their ids, and the only code that may call them.
    """

    looks: list[Callable[[Any, Iterator[Any]], None]]
    places: list[tuple[types.ModuleType, str, Callable]]
    runs: dict[int, CodeType]


@functools.cache
def _gates() -> _Gates:
    """Puts the gates up, once and to stay: a name for TensorFlow's own function that a cell keeps is a gate, too."""
    from tensorflow.python import _pywrap_tfe, pywrap_tfe  # noqa: F401
    from tensorflow.python.framework import op_def_library

    gates = _Gates([], [], {})
    for owner, name, position in [*((_pywrap_tfe, name, position) for name, position in RUN),
                                  (op_def_library, "_apply_op_helper", 0)]:
        original = getattr(owner, name)
        ours = _gate(original, position, gates.looks)
        if owner is _pywrap_tfe:
            gates.runs[id(original)] = ours.__code__
        for module in list(sys.modules.values()):
            if isinstance(module, types.ModuleType) and vars(module).get(name) is original:
                setattr(module, name, ours)
                gates.places.append((module, name, ours))
    return gates


def _gate(original: Callable, position: int, looks: list) -> Callable:
    # Known by its address and kept alive by a count of its own, not held where code that follows references would find it.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(original))
    address, kind, cast = id(original), ctypes.py_object, ctypes.cast
    del original

    def gate(*arguments, **options):
        for look in looks:
            look(options.get("op_type_name") or (arguments[position] if len(arguments) > position else ""),
                 itertools.chain(arguments[position + 1:], options.values()))
        return cast(address, kind).value(*arguments, **options)

    return gate


@functools.lru_cache(maxsize=100)
def _watched(forbid: tuple[str, ...]) -> set[str]:
    """Fills with the names of the functions that TensorFlow traced while these rules were watched."""
    return set()


@functools.lru_cache(maxsize=100)
def _met(forbid: tuple[str, ...]) -> set[str]:
    """Fills with the forbidden operation types that were looked at, whoever ran them."""
    return set()


@functools.lru_cache(maxsize=100)
def _harmless(forbid: tuple[str, ...]) -> set[str]:
    """Fills with operation types that are allowed whatever they are given: nearly all are, and one look is enough."""
    return set()


@functools.cache
def _takes_no_function(kind: str) -> bool:
    """Is this the type of an operation of TensorFlow's that calls no function?"""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(kind)
    return definition is not None and not any("func" in attribute.type for attribute in definition.attr)


def _kinds(node) -> list[str]:
    """The operation type of a graph's node, and the functions it calls."""
    functions = [function for value in node.attr.values() for function in (value.func, *value.list.func)]
    return [node.op, *(function.name for function in functions if function.name)]


@contextlib.contextmanager
def _calls(codes: dict[CodeType, str], runs: dict[int, CodeType], note: Callable, tampered: Callable,
           whose: _Stack, signs: set[str]):
    """Look at every call of a function that is forbidden or odd, in every thread."""
    *sessions, thread, convert = (member.__code__ for member in _odd())

    def entered(code: CodeType) -> None:
        if code in codes:
            note(codes[code])
        elif code is convert:  # to other code, which nobody is told of
            to: Any = getattr(sys._getframe(2).f_locals.get("fn"), "__code__", None)
            if found := codes.get(to):
                note(found)
        elif code in sessions:
            signs.add("v1 session")
        elif code is thread and whose.answer(sys._getframe(1))[0]:
            signs.add("thread")

    def called(function: Callable, caller: CodeType) -> None:
        if caller is not runs[id(function)]:
            tampered(function.__name__)  # an operation run behind our look at it

    looked_for = {*codes, *sessions, thread, convert}
    with _monitored(looked_for, runs, entered, called, tampered) if MONITORED else _hooked(entered, tampered):
        yield


@contextlib.contextmanager
def _hooked(entered: Callable, tampered: Callable):
    """Hear of code that is entered, from functions that say it; what C functions call which is not heard of."""
    listening, hooked = _hooks()
    listening.append(entered)
    try:
        yield
    finally:
        if listening[-1:] == [entered]:
            listening.pop()
        else:
            tampered("hooks")
            listening.clear()
        for function, code in hooked.items():
            if function.__code__ is not code:
                tampered(function.__name__)
                function.__code__ = code


@functools.cache
def _hooks() -> tuple[list[Callable[[CodeType], None]], dict[types.FunctionType, CodeType]]:
    """Who hears of functions that say that they are entered; and these functions, with the code that says it."""
    return [], {}


def _say() -> None:
    for hear in _hooks()[0]:
        hear(sys._getframe(1).f_code)


def _saying(function: types.FunctionType) -> CodeType:
    """The code of a function that is looked for when it is entered."""
    if not MONITORED and function not in (hooked := _hooks()[1]):
        hook(function, _say)
        hooked[function] = function.__code__
    return function.__code__


@functools.cache
def _odd() -> tuple[types.FunctionType, ...]:
    from tensorflow.python.autograph.pyct.transpiler import PyToPy
    from tensorflow.python.client.session import BaseSession

    sessions = BaseSession.run, BaseSession._call_tf_sessionrun, BaseSession._Callable.__call__
    odd: tuple[Any, ...] = *sessions, threading.Thread.start, PyToPy.transform_function
    for function in odd:
        _saying(function)
    return odd


@contextlib.contextmanager
def _monitored(codes: set[CodeType], runs: dict[int, CodeType], entered: Callable, called: Callable, tampered: Callable):
    """Hear of code of these that is entered, and of these C functions that are called: Python asks once for each piece of code
    and is told not to ask again."""
    monitoring = sys.monitoring  # type: ignore[attr-defined]  # since Python 3.12
    names = frozenset(code.co_qualname for code in codes)  # to look code up takes ten times as long as to look up its name
    tool = next(number for number in range(5, -1, -1) if monitoring.get_tool(number) is None)

    def start(code, offset):
        if code.co_qualname not in names:
            return monitoring.DISABLE
        entered(code)

    def call(code, offset, function, argument):
        if type(function) is types.BuiltinFunctionType and id(function) in runs:
            called(function, code)
        elif _of_a_library(code):
            return monitoring.DISABLE  # here: a student's own code may call something else at the same place later

    listeners = {monitoring.events.PY_START: start, monitoring.events.CALL: call}
    monitoring.use_tool_id(tool, __name__)
    for event, listener in listeners.items():
        monitoring.register_callback(tool, event, listener)
    monitoring.set_events(tool, sum(listeners))
    monitoring.restart_events()  # what other rules did not ask about, these may
    own = {name: getattr(monitoring, name) for name in CONTROLS if hasattr(monitoring, name)}

    def told(name: str) -> Callable:
        def tell(*arguments):  # who switches us off and on again leaves no other trace
            if arguments[:1] == (tool,):
                tampered(f"sys.monitoring.{name}")
            return own[name](*arguments)

        return tell

    for name in own:
        setattr(monitoring, name, told(name))
    try:
        yield
    finally:
        for name, function in own.items():
            setattr(monitoring, name, function)
        if monitoring.get_tool(tool) != __name__ or monitoring.get_events(tool) != sum(listeners) or \
                any(monitoring.register_callback(tool, event, None) is not listener for event, listener in listeners.items()):
            tampered("sys.monitoring")
        if monitoring.get_tool(tool) is not None:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)


@contextlib.contextmanager
def _events(whose: _Stack, signs: set[str], tampered: Callable):
    hooked = _hooks()[1]

    def event(name: str, arguments: tuple, frame: FrameType) -> None:
        if name in WRITTEN and whose.directly(frame):
            signs.add("exec")
        elif name == CHANGED:
            if isinstance(arguments[0], types.FunctionType) and (
                    arguments[0] in hooked or arguments[0].__globals__ is globals()):
                tampered(arguments[0].__name__)  # who puts it back leaves no other trace
        elif name in EVENTS and whose.answer(frame)[0]:
            signs.add(EVENTS[name])

    listening = _listening()
    listening.append(event)
    try:
        yield
    finally:
        listening.remove(event)


@functools.cache
def _listening() -> list[Callable[[str, tuple, FrameType], None]]:
    """Who hears what Python says of its own doings: its hook can be set once and never removed."""
    listening: list[Callable[[str, tuple, FrameType], None]] = []

    def heard(name, arguments):
        if listening and (name in EVENTS or name in WRITTEN or name == CHANGED):
            for event in list(listening):
                event(name, arguments, sys._getframe(1))

    sys.addaudithook(heard)
    return listening


class _Sought(NamedTuple):
    """What patterns name.

    Attributes:
        names: by id, the public name of every callable; and what it is, for an id stands for what still exists.
        codes: the code of every function, and method of a class, with its public name.
    """

    names: dict[int, tuple[str, Any]]
    codes: dict[CodeType, str]


class _Member(NamedTuple):
    """What has a public name: `owner.attribute` is `thing`."""

    name: str
    owner: Any
    attribute: str
    thing: Any


def prepare(forbid: Sequence[str]) -> None:
    """Before any of a student's code runs: load what these patterns look into, and be ready to look."""
    for name in {pattern.rpartition(".")[0] for pattern in forbid
                 if "." in pattern and pattern.split(".")[0] not in (*ROOTS, "keras")}:
        with contextlib.suppress(ImportError):  # what is not installed nobody can use
            importlib.import_module(name)
    _gates()
    _odd()
    for pattern in forbid:
        _first(pattern)


def _sought(forbid: tuple[str, ...]) -> _Sought:
    """What patterns name, now and when each was first asked for: who has given a name away may have kept what it named."""
    found = _at_first(forbid)
    if changed := [pattern for pattern in forbid if _changed(pattern)]:
        now = _all_of([_sought_in(expand(pattern)) for pattern in changed])
        found = _all_of([found, now])
    return found


@functools.lru_cache(maxsize=16)
def _at_first(forbid: tuple[str, ...]) -> _Sought:
    return _all_of([_first(pattern)[1] for pattern in forbid])


@functools.cache
def _first(pattern: str) -> tuple[list[_Member], _Sought]:
    members = expand(pattern)
    return members, _sought_in(members)


def _changed(pattern: str) -> bool:
    """Does a pattern name something else than at first: something loaded since, or put in the place of what it named?"""
    members = _first(pattern)[0]
    try:
        return any(getattr(owner, attribute) is not thing for _, owner, attribute, thing in members) if members else True
    except Exception:  # what is there no more
        return True


def _all_of(parts: list[_Sought]) -> _Sought:
    """Those of all; where two give a name to the same thing, the earlier one's."""
    names: dict[int, tuple[str, Any]] = {}
    codes: dict[CodeType, str] = {}
    for part in reversed(parts):
        names |= part.names
        codes |= part.codes
    return _Sought(names, codes)


def _sought_in(members: list[_Member]) -> _Sought:
    sought = _Sought({}, {})
    for name, _, _, thing in members:
        if callable(thing):
            for callee in (thing, inspect.unwrap(thing)):
                sought.names.setdefault(id(callee), (name, callee))
        kinds = [vars(thing)[method] for method in METHODS if method in vars(thing)] if inspect.isclass(thing) else [thing]
        for kind in kinds:
            function = inspect.unwrap(kind) if callable(kind) else kind
            if isinstance(function, types.FunctionType):
                sought.codes.setdefault(_saying(function), name)
    return sought


def expand(pattern: str) -> list[_Member]:
    """What a pattern names; only modules that are loaded are looked into."""
    if pattern.startswith(OPERATIONS):
        return []
    head, *parts = pattern.split(".")
    found = [_Member(head, None, "", sys.modules.get(ROOTS.get(head, head)))]
    for part in parts:
        step = []
        for name, _, _, thing in found:
            if thing is None:
                continue
            names = [part] if not any(mark in part for mark in "*?[") else \
                [member for member in dir(thing) if not member.startswith("_") and fnmatch.fnmatchcase(member, part)]
            for member in names:
                with contextlib.suppress(Exception):  # lazily loaded members can fail
                    step.append(_Member(f"{name}.{member}", thing, member, getattr(thing, member)))
        found = step
    return [member for member in found if member.name not in NEVER]
