"""The standard ways to exercise an answer: call it, differentiate it, build it as a Keras layer.

A probe turns an answer and a case's inputs into an *observation*: a dictionary of named NumPy arrays (or, where the
answer gave something that is no array, a few words that describe it). Probes run in the sandbox beside student code, so
this module knows no secret. An assignment may add its own in `probes.py`, with the same decorator::

    from autograder.inside.probes import probe, array

    @probe
    def trajectory(answer, inputs, *, steps):
        return {"trajectory": array(answer(*inputs, steps))}

and name them in a case: `@question.case(points=4, probe=trajectory(steps=10))`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import inspect
import itertools
import random
import re
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from autograder.inside.protocol import MAX_LINE, MOST_VALUES, NO_ARRAY, WORDS, Failure, Observation, Probe

MAX_BYTES = 6 * 2**20  # of one observed array: an answer to a homework question is never larger
MAX_ITEMS = 100_000  # taken from an iterator
# In messages of TensorFlow and Keras: colours, and names that are theirs.
NOISE = re.compile(r"\x1b\[[0-9;]*m|\{\{function_node [^}]*\}\} ?| \[Op:\w+\]( name:[^\n]*)?")
NODE = re.compile(r"'\{\{node [^}]*\}\} = (\w+)\[[^\]]*\]\([^)]*\)'")
# AutoGraph quotes lines of files, indented as they are, and after them the exception, by its name.
USER_CODE = re.compile(r"in user code:\n.*?^ {4}(?!File )[\w.]+: (.*)", re.DOTALL | re.MULTILINE)
# What beginners meet most often, in plain words: (TensorFlow's message, ours).
PLAIN_WORDS = tuple((re.compile(theirs), ours) for theirs, ours in (
    (r"cannot compute (?:_Mkl)?(\w+) as input #\d+\(zero-based\) was expected to be an? (\w+) tensor but is an? (\w+) tensor.*",
     r"\1 takes tensors of one type, and these are \2 and \3: cast one with tf.cast"),
    (r"Matrix size-incompatible: In\[0\]: \[([\d,]+)\], In\[1\]: \[([\d,]+)\].*",
     r"a matrix [\1] cannot be multiplied by one of [\2]: the columns of the first must be as many as the rows of the second"),
    (r"In\[[01]\] (?:ndims must be >= 2|and In\[1\] has different ndims).*",
     r"tf.matmul and @ multiply matrices, and one of these has fewer axes: use tf.linalg.matvec, or give it another axis"),
    (r"(?:Incompatible shapes|required broadcastable shapes): \[([\d,]*)\] vs\. \[([\d,]*)\].*",
     r"the shapes [\1] and [\2] do not fit together: counted from the last axis, sizes must be equal, or one of them 1"),
    (r".*Tensor' object (?:has no attribute '__setitem__'|does not support item assignment).*",
     r"the entries of a tensor cannot be changed: compute a new tensor, or work on a NumPy array"),
    (r".*SymbolicTensor' object has no attribute 'numpy'.*",
     r"a tensor has no values while a model or a tf.function is being built: stay with TensorFlow's operations"),
    (r".*Tensor'? object has no attribute '(\w+)'.*",
     r"a tensor has no .\1, as NumPy's arrays may: use a function of TensorFlow, such as tf.reshape, tf.cast or tf.reduce_sum"),
    (r"Value for attr '\w+' of (\w+) is not in the list of allowed values: (.*)",
     r"this operation takes no \1 tensor: cast it with tf.cast to one of \2"),
    (r"Attempt to convert a value \(None\).*", r"None where a tensor is expected: does every function return its result?"),
    (r"Using a symbolic `tf\.Tensor` as a Python `bool` is not allowed.*",
     r"an `if` or `while` asks for the value of a tensor that has none yet, while a model is being built: use tf.where"),
))
MAX_MESSAGE = 300  # characters of an exception's message
MAX_THEIRS = 1000  # of it that are looked at for something known


class AnswerError(Exception):
    """The answer breaks its contract in a way that the sentence states for the student: "has no weight {path}."

    Args:
        sentence: written out where it is raised, with {placeholders}: it is all that a hidden case may say.
        fields: what to put into them; others tell mistakes apart and are not shown.
    """

    def __init__(self, sentence: str, **fields):
        super().__init__(sentence.format(**fields) if fields else sentence)
        self.sentence, self.fields = sentence, fields


def probe(function: Callable) -> Callable[..., Probe]:
    """Make `function(answer, inputs, **options) -> Observation` a probe that questions can name."""

    @functools.wraps(function)
    def configure(**options) -> Probe:
        known = list(inspect.signature(function).parameters)[2:]
        if unknown := sorted(set(options) - set(known)):
            raise TypeError(f"{function.__name__} has the options {', '.join(known) or 'none'}. Received: {', '.join(unknown)}")
        return Probe(function.__name__, options)

    configured: Any = configure
    configured.run = function
    return configured


def exercise(answer: Callable, probe: Probe, inputs, seed: str, extra: ModuleType | None = None) -> Observation:
    """Run one probe on an answer, with all global random generators seeded from `seed`.

    Args:
        inputs: what the case made, as plain data (see `autograder.inside.wire`).
        extra: the assignment's own `probes.py`, searched first.
    Raises:
        AnswerError, or whatever the answer raises.
    """
    run = getattr(getattr(extra, probe.name, None), "run", None) or getattr(globals().get(probe.name), "run", None)
    if run is None:
        raise LookupError(f"no probe is called {probe.name!r}")
    _seed(seed)
    found = run(answer, inputs, **probe.options)
    return {name: value if type(value) in (str, np.ndarray) else array(value) for name, value in found.items()}


def first_of(answer: Callable, counts: list[int]) -> Callable:
    """The answer, as if the first of several values that it gives back were its only one; `counts` gets how many there were."""
    def first(value):
        if not isinstance(value, tuple) or not 2 <= len(value) <= MOST_VALUES:
            return value
        counts.append(len(value))
        return value[0]

    if isinstance(answer, type):
        def call(self, *given, **named):
            return first(answer.__call__(self, *given, **named))
        return type(answer.__name__, (answer,), {"__call__": call})
    return lambda *given, **named: first(answer(*given, **named))


def own_probes(folder: Path | str) -> ModuleType | None:
    """An assignment's public `probes.py` in `folder`, if it has one."""
    path = Path(folder) / "probes.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("assignment_probes", path)
    assert spec is not None and spec.loader is not None  # of a file that ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # TensorFlow looks a traced function's module up by its name
    spec.loader.exec_module(module)
    return module


def _seed(name: str) -> None:
    import tensorflow as tf  # lazy everywhere in this module: `autograder --help` should not wait for TensorFlow
    from tensorflow.python.eager import context

    number = zlib.crc32(name.encode())
    random.seed(number)
    np.random.seed(number)
    if number in _drawn():
        tf.random.set_seed(number)
    else:
        # As `tf.random.set_seed`, which also throws away all of TensorFlow's kernels, for the sake of random ones that have run
        # with this seed before. There are none yet, and making kernels anew takes most of the time of a small case.
        context.context()._seed, context.context()._rng = number, random.Random(number)


@functools.cache
def _drawn() -> set[int]:
    """Fills with the seeds with which operations that keep a random state have run in this process: each asks for its seed."""
    from tensorflow.python.eager import context
    from tensorflow.python.framework import random_seed

    drawn: set[int] = set()
    ask = random_seed.get_seed

    def get_seed(op_seed):
        drawn.add(context.context()._seed)
        return ask(op_seed)

    random_seed.get_seed = get_seed
    return drawn


def failure(error: BaseException) -> Failure:
    """An exception as plain data: its type, what its message says first, the notebook's line and function it came from."""
    answer_error = isinstance(error, AnswerError)
    cause = error.__cause__ if answer_error and error.__cause__ is not None else error
    line = function = None
    for frame in traceback.extract_tb(cause.__traceback__):
        if frame.line and in_notebook(frame.filename):
            line, function = frame.line.strip(), frame.name
    if isinstance(error, SyntaxError) and isinstance(error.text, str):
        line = error.text.strip()
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)  # without the cell's made-up file name
    except Exception:  # a student's own exception class can raise here
        message = ""
    if not answer_error:
        message = _reason(message)
    ours: Any = error if answer_error else None
    return Failure(str(type(error).__name__), message[:MAX_MESSAGE], line[:MAX_LINE] if line else None, function,
                   ours.sentence if answer_error else None, dict(ours.fields) if answer_error else {})


def _reason(message: str) -> str:
    """What a message says, in one line: Keras and TensorFlow write pages, whose first line often says where and not why."""
    text = NOISE.sub("", message).partition("Arguments received by")[0].rpartition("Exception encountered: ")[2]
    if quoted := USER_CODE.search(text):
        text = quoted[1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    while len(lines) > 1 and (lines[0].startswith("Exception encountered when calling") or lines[0].endswith(":")):
        lines = lines[1:]
    while len(lines) > 1 and lines[1][:1].islower() and lines[0][-1] not in ".!?":  # a sentence that goes on
        lines[:2] = [f"{lines[0]} {lines[1]}"]
    plain = NODE.sub(r"\1", "".join(lines[:1]))[:MAX_THEIRS]
    return next((found.expand(ours) for theirs, ours in PLAIN_WORDS if (found := theirs.fullmatch(plain))), plain)


def in_notebook(filename: str) -> bool:
    """Does code of this file come from a notebook's cell?"""
    return "ipykernel_" in filename or filename.startswith("<ipython-input")


# ---------------------------------------------------------------------------------------------------- what goes in


def tensors(value):
    """Inputs as a student receives them: arrays and nested lists of numbers become float32, int32 or bool tensors.

    Python scalars, strings and None stay what they are; a list that holds arrays stays a list, of tensors.
    """
    import tensorflow as tf

    if isinstance(value, dict):
        return {key: tensors(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not _numbers(value):
        return [tensors(item) for item in value]
    if isinstance(value, (list, tuple, np.ndarray)):
        value = np.asarray(value)
        dtype = {"f": tf.float32, "i": tf.int32, "u": tf.int32, "b": tf.bool}.get(value.dtype.kind)
        return tf.constant(value, dtype)
    return value


def _numbers(value) -> bool:
    """Is this a non-empty, possibly nested, list of numbers alone?"""
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(_numbers(item) for item in value)
    return isinstance(value, (bool, int, float, np.number, np.bool_))


def _arguments(inputs, convert: str) -> list:
    if convert == "tensor":
        return [tensors(value) for value in inputs]
    if convert == "numpy":  # as the case made them; copies, so that an answer that writes to them harms nobody
        return [np.array(value) if isinstance(value, np.ndarray) else value for value in inputs]
    if convert == "python":
        return [value.tolist() if isinstance(value, np.ndarray) else value for value in inputs]
    raise ValueError(f"inputs must be 'tensor', 'numpy' or 'python'. Received: {convert!r}")


# ---------------------------------------------------------------------------------------------------- what comes out


def array(value, depth: int = 0) -> np.ndarray | str:
    """A value as a plain NumPy array, or a few words on what it is instead. Never raises for a student's value."""
    import tensorflow as tf

    if value is None:
        return "None"
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return "an integer beyond 64 bits"
    if isinstance(value, (bool, int, float, complex)):
        return _plain(np.asarray(value))
    if isinstance(value, (str, bytes)):
        return "a string"
    if isinstance(value, tf.RaggedTensor):
        return "a ragged tensor"
    if isinstance(value, (tf.SparseTensor, tf.IndexedSlices)):
        return _attempt(lambda: tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else tf.convert_to_tensor(value))
    if type(value).__name__ == "KerasTensor" or (isinstance(value, tf.Tensor) and not hasattr(value, "numpy")):
        return "a symbolic tensor, which has no value"
    if isinstance(value, dict):
        return "a dictionary"
    if isinstance(value, (list, tuple, Iterator)):
        return _stack(value, depth)
    if callable(value) and not hasattr(value, "__array__") and not hasattr(value, "numpy"):
        return "a function" if not isinstance(value, type) else "a class"
    return _attempt(lambda: value.numpy() if hasattr(value, "numpy") else value)


def _attempt(convert: Callable) -> np.ndarray | str:
    try:
        value = convert()
        return _plain(np.asarray(value.numpy() if hasattr(value, "numpy") else value))
    except Exception:
        return NO_ARRAY


def _stack(values, depth: int) -> np.ndarray | str:
    if depth > 16:
        return "a very deeply nested list"
    items = list(itertools.islice(iter(values), MAX_ITEMS + 1))
    if len(items) > MAX_ITEMS:
        return "a sequence of too many items"
    if items and all(type(item) in (bool, int, float) for item in items):
        return _plain(np.asarray(items))
    parts = [array(item, depth + 1) for item in items]
    for part in parts:
        if isinstance(part, str):
            return words if (words := f"a list with {part}") in WORDS else part
    arrays = [part for part in parts if not isinstance(part, str)]
    if len({part.shape for part in arrays}) > 1:
        return "a list of arrays with different shapes"
    return _plain(np.stack(arrays)) if arrays else np.zeros((0,), np.float32)


def _plain(value: np.ndarray) -> np.ndarray | str:
    if value.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        value = value.astype(np.float32)
    if value.dtype.kind not in "biufc" or value.dtype.itemsize > 16:
        return {"O": "an array of Python objects", "U": "an array of strings", "S": "an array of strings"}.get(
            value.dtype.kind, "an array of another type")
    if value.nbytes > MAX_BYTES:
        return "an array that is too large"
    # A copy: neither a subclass nor a broadcast view (tiny in memory, huge when written out) leaves this function.
    return np.array(value, dtype=value.dtype.newbyteorder("="), order="C", subok=False)


def _named(value, returns: tuple[str, ...] | None) -> Observation:
    """One output, or the several that the contract names, in that order."""
    if not returns:
        return {"output": array(value)}
    if isinstance(value, Iterator):
        value = list(itertools.islice(value, len(returns) + 1))
    if not isinstance(value, (list, tuple)) or len(value) != len(returns):
        if not isinstance(value, (list, tuple)):
            raise AnswerError("returned one value; expected {count}: {names}.", count=len(returns), names=", ".join(returns))
        raise AnswerError("returned {received} values; expected {count}: {names}.", received=len(value), count=len(returns),
                          names=", ".join(returns))
    return {name: array(item) for name, item in zip(returns, value)}


# ---------------------------------------------------------------------------------------------------- functions


@probe
def call(answer, inputs, *, inputs_as: str = "tensor", returns: tuple[str, ...] | None = None, times: int = 1) -> Observation:
    """Call a function.

    Args:
        inputs_as: `"tensor"`, `"numpy"` (as the case made them) or `"python"` (lists and numbers).
        returns: names of the outputs when there are several; without it a sequence is one stacked array.
        times: that it is called with the same arguments. The last is observed: what an answer keeps between calls shows.
    """
    for _ in range(times - 1):
        answer(*_arguments(inputs, inputs_as))
    return _named(answer(*_arguments(inputs, inputs_as)), returns)


@probe
def each(answer, inputs, *, inputs_as: str = "tensor", returns: tuple[str, ...] | None = None) -> Observation:
    """Call a function several times, and stack what it returns: one call alone can be answered by chance.

    Inputs: `{"calls": [[argument, …], …]}`, whose results have one shape.

    Args:
        inputs_as, returns: as those of `call`.
    """
    found = [_named(answer(*_arguments(arguments, inputs_as)), returns) for arguments in inputs["calls"]]
    observation: Observation = {}
    for name in found[0]:
        values = [one[name] for one in found]
        observation[name] = next((value for value in values if isinstance(value, str)), None) or array(values)
    return observation


@probe
def refuses(answer, inputs) -> Observation:
    """Call a function, or make a layer, with each of several arguments: which of them does it refuse with a `ValueError`?

    Inputs: `{"calls": [[argument, …], …]}`, or dictionaries of named arguments in the place of the lists.
    """
    refused = []
    for arguments in inputs["calls"]:
        given, named = ([], tensors(arguments)) if isinstance(arguments, dict) else (_arguments(arguments, "tensor"), {})
        try:
            answer(*given, **named)
        except ValueError:
            refused.append(True)
        else:
            refused.append(False)
    return {"refusals": np.array(refused)}


@probe
def gradients(answer, inputs, *, arguments: tuple[str, ...] = (), returns: tuple[str, ...] | None = None) -> Observation:
    """Call a function and differentiate it with respect to every float input.

    The function differentiated is the sum of all outputs weighted with fixed pseudo-random numbers: a plain sum would be
    blind wherever outputs add up to a constant, as those of softmax do.

    Args:
        arguments: names of the inputs, for the messages.
    """
    import tensorflow as tf

    values = [tensors(value) for value in inputs]
    names = [arguments[i] if i < len(arguments) else f"argument {i + 1}" for i in range(len(values))]
    watched = {}
    for name, value in zip(names, values):
        if isinstance(value, list):
            watched.update({f"{name}[{i}]": item for i, item in enumerate(value) if _is_float(item)})
        elif _is_float(value):
            watched[name] = value
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(watched.values()))
        output = answer(*values)
        score = _weighted_sum(output, returns)
    observation = _named(output, returns)
    for name, gradient in zip(watched, tape.gradient(score, list(watched.values()))):
        observation[f"gradient of {name}"] = _gradient(gradient, name)
    return observation


@probe
def mutates(answer, inputs, *, variables: tuple[int, ...] = (0,), returns: tuple[str, ...] | None = None) -> Observation:
    """Call a function that changes `tf.Variable`s in place, and observe them afterwards along with what it returns.

    Args:
        variables: positions of the arguments that are a variable, or a list of variables.
    """
    import tensorflow as tf

    values = [tensors(value) for value in inputs]
    watched = {}
    for position in variables:
        if isinstance(values[position], list):
            values[position] = [tf.Variable(item) for item in values[position]]
            watched.update({f"variable {i + 1} afterwards": item for i, item in enumerate(values[position])})
        else:
            values[position] = tf.Variable(values[position])
            watched["variable afterwards"] = values[position]
    # The answer gets a list of its own: rebinding its entries must not hide the variables from us.
    observation = _named(answer(*[list(value) if isinstance(value, list) else value for value in values]), returns)
    return observation | {name: array(variable) for name, variable in watched.items()}


def _is_float(value) -> bool:
    import tensorflow as tf

    return isinstance(value, tf.Tensor) and value.dtype.is_floating


def _weighted_sum(output, returns):
    import tensorflow as tf

    outputs = list(output) if returns and isinstance(output, (list, tuple)) else [output]
    if not returns and isinstance(output, (list, tuple)):
        try:
            outputs = [tf.stack(output)] if output else []
        except Exception as error:
            raise AnswerError("returned several values that do not make one tensor.") from error
    total = tf.constant(0.0, tf.float64)
    for i, value in enumerate(outputs):
        if not tf.is_tensor(value):
            raise AnswerError("returned something that is no tensor; gradients flow only through TensorFlow operations. "
                              "Compute with tf functions from the inputs to the output.")
        weights = np.random.default_rng(i).uniform(0.5, 1.5, value.shape)
        total += tf.reduce_sum(tf.cast(value, tf.float64) * weights)
    return total


def _gradient(gradient, name: str) -> np.ndarray | str:
    if gradient is None:
        raise AnswerError("has no gradient with respect to {name}: "
                          "the output does not depend on it through TensorFlow operations.", name=name)
    return array(gradient)


# ---------------------------------------------------------------------------------------------------- Keras layers
#
# Inputs of these probes are a dictionary: `config` (arguments of the constructor), `weights` (path -> array, the path as
# the layer's docstring gives it: "query_dense/kernel"), `call` (positional tensors), `options` (keyword arguments).


@probe
def layer(answer, inputs, *, returns: tuple[str, ...] | None = None) -> Observation:
    """Build a layer, set its weights by path, and call it."""
    built, values, options = _layer(answer, inputs)
    return _named(built(*values, **options), returns)


@probe
def layer_gradients(answer, inputs, *, returns: tuple[str, ...] | None = None) -> Observation:
    """Gradients of a layer's output with respect to its float inputs and every weight that the case sets."""
    import tensorflow as tf

    built, values, options = _layer(answer, inputs)
    watched = {f"input {i + 1}": value for i, value in enumerate(values) if _is_float(value)}
    weights = {path: _tensor_of(_weight(built, path)) for path in inputs.get("weights", {})}
    with tf.GradientTape() as tape:
        tape.watch(list(watched.values()))
        score = _weighted_sum(built(*values, **options), returns)
    targets = watched | weights
    gradient = tape.gradient(score, list(targets.values()))
    return {f"gradient of {name}": _gradient(item, name) for name, item in zip(targets, gradient)}


@probe
def layer_config(answer, inputs, *, returns: tuple[str, ...] | None = None) -> Observation:
    """Rebuild a layer from its own `get_config()`, give the copy the same weights, and call it."""
    built, values, options = _layer(answer, inputs)
    config = built.get_config()
    try:
        copy = answer.from_config(config)
    except Exception as error:
        if _lacks_only_names_of_keras(answer, config):
            raise AnswerError("cannot be rebuilt from its get_config(), which is whole: __init__ must take **kwargs, such as the "
                              "name that every layer has, and hand them to super().__init__.") from error
        raise AnswerError("cannot be rebuilt from its get_config(): the configuration must hold "
                          "every argument of __init__ under its own name.") from error
    with _untraced():
        copy(*values, **options)
    _set_weights(copy, inputs)
    return _named(copy(*values, **options), returns)


def _lacks_only_names_of_keras(answer, config) -> bool:
    """Does a configuration hold all that `__init__` takes, and beyond that what Keras puts into every one?"""
    try:
        parameters = inspect.signature(answer.__init__).parameters
        own = {name for name in parameters if name != "self"}
        return not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()) and own <= set(config)
    except (TypeError, ValueError):
        return False


@probe
def layer_in_model(answer, inputs, *, returns: tuple[str, ...] | None = None) -> Observation:
    """Use a layer in a functional model whose batch size is unknown, and the model under `tf.function`."""
    import tensorflow as tf

    model, built, values = _model(answer, inputs)
    _set_weights(built, inputs)
    signature = [tf.TensorSpec([None, *value.shape[1:]], value.dtype) for value in values]
    # As `fit` does it; AutoGraph would stop at Keras's door anyway, after having translated our lambda.
    compiled = tf.function(lambda *arguments: model(list(arguments)), input_signature=signature, autograph=False)
    return _named(compiled(*values), returns)


@probe
def layer_saved(answer, inputs, *, returns: tuple[str, ...] | None = None) -> Observation:
    """Save a model that contains the layer, load it again, and call what was loaded."""
    import keras

    model, built, values = _model(answer, inputs)
    _set_weights(built, inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with _untraced():
            loaded = keras.models.load_model(path, custom_objects={answer.__name__: answer}, compile=False)
    return _named(loaded(list(values)), returns)


def _layer(answer, inputs):
    built = answer(**inputs.get("config", {}))
    values = [tensors(value) for value in inputs["call"]]
    options = {name: tensors(value) for name, value in inputs.get("options", {}).items()}
    with _untraced():
        built(*values, **options)  # creates the weights, wherever the layer makes them
    _set_weights(built, inputs)
    return built, values, options


def _model(answer, inputs):
    import keras

    built = answer(**inputs.get("config", {}))
    values = [tensors(value) for value in inputs["call"]]
    options = {name: tensors(value) for name, value in inputs.get("options", {}).items()}
    symbols = [keras.Input(shape=value.shape[1:], dtype=value.dtype.name) for value in values]
    with _untraced():
        return keras.Model(symbols, built(*symbols, **options)), built, values


@contextlib.contextmanager
def _untraced():
    """While Keras builds a layer symbolically, run functions decorated with `tf.function` as plain Python.

    Otherwise such a function is traced, and kept, with the weights' initial values as constants.
    """
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _weight(built, path: str):
    value = built
    for name in path.split("/"):
        try:
            value = getattr(value, name)
        except AttributeError:
            raise AnswerError("has no weight {path}: an attribute on the way to it is missing.", path=path) from None
    if value is None:
        raise AnswerError("has no weight {path}: it is None.", path=path)
    return value


def _tensor_of(weight):
    # A tape watches the tf.Variable inside a Keras variable.
    return getattr(weight, "value", weight) if type(weight).__module__.startswith("keras") else weight


def _set_weights(built, inputs) -> None:
    for path, value in inputs.get("weights", {}).items():
        weight = _weight(built, path)
        value = np.asarray(value, np.float32)
        if not hasattr(weight, "assign"):
            raise AnswerError("has at {path} something that is not a variable.", path=path)
        if tuple(weight.shape) != value.shape:
            raise AnswerError("has a weight {path} of another shape; expected {shape}.", path=path, shape=value.shape,
                              received=tuple(weight.shape))
        weight.assign(value)
