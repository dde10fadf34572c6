"""How this assignment's answers are exercised where calling and differentiating them does not suffice: text, batches of
windows, a cell inside `keras.layers.RNN`, and draws that depend on a seed. What is concluded of them is in `observe.py`."""

import itertools
import random

import keras
import numpy as np
import tensorflow as tf

from autograder import probes
from autograder.inside.probes import AnswerError, array, probe, tensors

MAX_CHARACTERS = 2000  # of a text, or of an exception's message
MAX_WEIGHTS = 20  # of a cell
MAX_BATCHES, MAX_ENTRIES = 200, 10_000  # returned by one call; of one array of a batch


def _code_numbers(text):
    return np.array([ord(character) for character in text[:MAX_CHARACTERS]], np.int32)


def _spelled(answer, arguments):
    text = answer(*[tensors(value) for value in arguments])
    return _code_numbers(text) if isinstance(text, str) else array(text)


@probe
def spelled(answer, inputs):
    """Call a function that returns text: its characters as code numbers."""
    return {"text in code numbers": _spelled(answer, inputs)}


@probe
def spelled_each(answer, inputs):
    """The same for several lists of ids."""
    return {f"text {i + 1} in code numbers": _spelled(answer, arguments) for i, arguments in enumerate(inputs["calls"])}


@probe
def ids_of_each(answer, inputs):
    """Call a function with several texts: the ids of each."""
    return {f"ids of text {i + 1}": array(answer(*arguments)) for i, arguments in enumerate(inputs["calls"])}


@probe
def ids_or_refusals(answer, inputs):
    """Call a function with texts: the ids of each, or its ValueError's message in code numbers."""
    seen = {}
    for i, (text, vocabulary) in enumerate(inputs["texts"]):
        try:
            seen[f"ids of text {i + 1}"] = array(answer(text, vocabulary))
        except ValueError as error:
            seen[f"ValueError of text {i + 1}"] = _code_numbers(str(error))
    return seen


@probe
def windows(answer, inputs):
    """Call a function that returns batches of inputs and targets: all of them."""
    return _batches(answer, inputs, "")


@probe
def windows_of_each(answer, inputs):
    """The same for several texts."""
    seen = {}
    for i, arguments in enumerate(inputs["calls"]):
        seen |= _batches(answer, arguments, f" of text {i + 1}")
    return seen


def _batches(answer, arguments, of):
    batches = answer(*[tensors(value) for value in arguments])
    try:
        batches = list(itertools.islice(iter(batches), MAX_BATCHES + 1))
        batches = [list(itertools.islice(iter(batch), 3)) for batch in batches]
    except TypeError:
        raise AnswerError("returned something else than a list of pairs (inputs, targets).") from None
    if any(len(batch) != 2 for batch in batches):
        raise AnswerError("returned a list in which not every batch is a pair (inputs, targets).")
    if len(batches) > MAX_BATCHES:
        raise AnswerError("returned far more batches than the text has windows.")
    seen = {}
    for i, batch in enumerate(batches):
        for name, part in zip(("inputs", "targets"), map(array, batch)):
            large = isinstance(part, np.ndarray) and part.size > MAX_ENTRIES
            seen[f"{name} of batch {i + 1}{of}"] = "an array that is too large" if large else part
    return seen


# ---------------------------------------------------------------------------------------------------- cells


class _Step(keras.layers.Layer):
    """A cell as a layer of three inputs, so that the states are differentiated too."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def call(self, inputs, h, c):
        output, states = self.cell(inputs, [h, c])
        return output, states[0], states[1]


class _Sequence(keras.layers.Layer):
    """A cell in `keras.layers.RNN`, with the start states as inputs."""

    def __init__(self, cell):
        super().__init__()
        self.loop = keras.layers.RNN(cell, return_sequences=True, return_state=True)
        self.cell = cell
        self.supports_masking = True

    def call(self, inputs, h, c, mask=None):
        return self.loop(inputs, initial_state=[h, c], mask=mask)

    def compute_mask(self, inputs, previous_mask):
        return None


STEP, SEQUENCE = ("output", "new h", "new c"), ("stack of outputs", "last h", "last c")


def _try(cell, x, states):
    """Take a step and say in words when it does not give the output and two states: Keras would only fail to unpack them."""
    given = cell(x, states)
    if not isinstance(given, (list, tuple)):
        raise AnswerError("returned one value from call; expected 2: the output and the list of new states.")
    if len(given) != 2:
        raise AnswerError("returned {count} values from call; expected 2: the output and the list of new states.",
                          count=len(given))
    if not isinstance(given[1], (list, tuple)):
        raise AnswerError("returned new states that are no list from call; expected a list of two, h and c.")
    if len(given[1]) != 2:
        raise AnswerError("returned {count} new states from call; expected a list of two, h and c.", count=len(given[1]))


@probe
def step(answer, inputs, *, gradients=False):
    """Take one step of a cell from given states, or differentiate what it gives by input, states and weights."""
    x, *states = tensors(inputs["call"])
    _try(answer(**inputs["config"]), x, states)
    run = probes.layer_gradients.run if gradients else probes.layer.run
    return run(lambda **config: _Step(answer(**config)), inputs, returns=STEP)


@probe
def sequence(answer, inputs, *, gradients=False):
    """Run a cell over sequences inside `keras.layers.RNN`, or differentiate that by input, states and weights."""
    run = probes.layer_gradients.run if gradients else probes.layer.run
    return run(lambda **config: _Sequence(answer(**config)), inputs, returns=SEQUENCE)


@probe
def in_model(answer, inputs, *, saved=False):
    """Use a cell inside `keras.layers.RNN` in a functional model of unknown batch size, compiled, or saved and loaded."""
    def layer(**config):
        return keras.layers.RNN(answer(**config), return_sequences=True)

    run = probes.layer_saved.run if saved else probes.layer_in_model.run
    with keras.saving.custom_object_scope({answer.__name__: answer}):
        return run(layer, inputs)


@probe
def new_cell(answer, inputs):
    """Put a new cell into `keras.layers.RNN`, before any training: its bias, and the shapes of its weights."""
    x, units = tensors(inputs["call"][0]), inputs["config"]["units"]
    _try(answer(**inputs["config"]), x[:, 0], [tf.zeros((len(x), units))] * 2)
    cell = answer(**inputs["config"])
    keras.layers.RNN(cell)(x)
    for name in ("kernel", "recurrent_kernel", "bias"):
        if not hasattr(getattr(cell, name, None), "assign"):
            raise AnswerError("has no weight {name}: expected a variable in that attribute.", name=name)
    observation = {f"shape of {name}": np.array(getattr(cell, name).shape) for name in ("kernel", "recurrent_kernel", "bias")}
    observation["state_size"] = array(list(cell.state_size) if isinstance(cell.state_size, (list, tuple)) else cell.state_size)
    observation["bias at the start"] = array(cell.bias)
    trained = itertools.islice(cell.trainable_weights, MAX_WEIGHTS)
    return observation | {f"shape of trained weight {i + 1}": np.array(weight.shape) for i, weight in enumerate(trained)}


# ---------------------------------------------------------------------------------------------------- draws


def _drawn(values):
    """Ids side by side; the first that is no number ends it, and is there as it is."""
    ids = []
    for value in map(array, values):
        if isinstance(value, str) or value.ndim:
            return {"no number": value}
        ids.append(value)
    return {"ids": np.array(ids)}


# With these 400 seeds NumPy's generator happens to cover the numbers from 0 to 1 evenly, so that the reference's own shares
# are close to the probabilities they are to stand for.
FIRST_SEED = 6800


@probe
def draws(answer, inputs, *, times=400):
    """Draw with many seeds."""
    logits, temperature = tensors(inputs[0]), inputs[1]
    return _drawn(answer(logits, temperature, seed) for seed in range(FIRST_SEED, FIRST_SEED + times))


@probe
def draws_of_each(answer, inputs, *, times):
    """The same for every row of a table of logits, one after another."""
    rows, temperature = tensors(inputs[0]), inputs[1]
    return _drawn(answer(logits, temperature, seed) for logits in rows for seed in range(FIRST_SEED, FIRST_SEED + times))


@probe
def repeats(answer, inputs, *, times=12):
    """Draw twice with each of several seeds, with other random numbers in between."""
    logits, temperature = tensors(inputs[0]), inputs[1]

    def pairs():
        for seed in range(times):
            yield answer(logits, temperature, seed)
            random.seed(seed + 100)
            np.random.seed(seed + 200)
            tf.random.set_seed(seed + 300)
            yield answer(logits, temperature, seed)

    return _drawn(pairs())
