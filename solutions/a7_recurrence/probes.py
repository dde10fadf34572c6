"""How this assignment's answers are exercised where calling and differentiating them does not suffice: text, batches of
windows, a cell inside `keras.layers.RNN`, and draws that depend on a seed."""

import itertools
import random

import keras
import numpy as np
import tensorflow as tf

from autograder import probes
from autograder.inside.probes import AnswerError, array, probe, tensors


@probe
def spelled(answer, inputs):
    """Call a function that returns text, and observe its characters as code numbers."""
    text = answer(*[tensors(value) for value in inputs])
    if isinstance(text, str):
        text = np.array([ord(character) for character in text[:probes.MAX_ITEMS]], np.int32)
    return {"text in code numbers": array(text)}


@probe
def refuses(answer, inputs):
    """Call a function with texts. Observe for which it raises a ValueError, whether that shows an unknown character, and how many
    ids it returns for the others."""
    refused, shown, counts = [], [], []
    for text, vocabulary in inputs["texts"]:
        unknown = [character for character in text if character not in vocabulary]
        try:
            ids = array(answer(text, vocabulary))
        except ValueError as error:
            refused.append(True)
            shown.append(any(repr(character) in str(error) for character in unknown))
            counts.append(0)
        else:
            refused.append(False)
            shown.append(False)
            counts.append(ids.shape[0] if isinstance(ids, np.ndarray) and ids.ndim else 0)
    return {"list of ValueErrors": np.array(refused), "list of messages that show the character": np.array(shown),
            "count of ids": np.array(counts)}


@probe
def windows(answer, inputs):
    """Call a function that returns batches of inputs and targets; observe the batches' sizes and all their windows."""
    batches = answer(*[tensors(value) for value in inputs])
    try:
        batches = list(itertools.islice(iter(batches), probes.MAX_ITEMS))
        batches = [list(itertools.islice(iter(batch), 3)) for batch in batches]
    except TypeError:
        raise AnswerError("returned something else than a list of pairs (inputs, targets).") from None
    if any(len(batch) != 2 for batch in batches):
        raise AnswerError("returned a list in which not every batch is a pair (inputs, targets).")
    inputs, targets = ([array(batch[i]) for batch in batches] for i in range(2))
    sizes = [part.shape[0] if isinstance(part, np.ndarray) and part.ndim else 0 for part in inputs]
    return {"number of windows per batch": np.array(sizes, np.int32), "stack of inputs": _joined(inputs),
            "stack of targets": _joined(targets)}


def _joined(parts):
    """Batches laid one after another, or a few words when they are no arrays of windows."""
    words = [part for part in parts if isinstance(part, str)]
    if words:
        return words[0]
    if odd := [part for part in parts if part.ndim != 2]:
        return f"made of batches of shape {odd[0].shape}"
    if len({part.shape[1] for part in parts}) > 1:
        return "made of windows of different lengths"
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.int32)


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
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        received = f"{len(given)} values" if isinstance(given, (list, tuple)) else "one value"
        raise AnswerError(f"returned {received} from call; expected 2: the output and the list of new states.")
    if not isinstance(given[1], (list, tuple)) or len(given[1]) != 2:
        received = f"{len(given[1])} new states" if isinstance(given[1], (list, tuple)) else "new states that are no list"
        raise AnswerError(f"returned {received} from call; expected a list of two, h and c.")


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
    """Put a new cell into `keras.layers.RNN`, and observe what it is like before any training."""
    x, units = tensors(inputs["call"][0]), inputs["config"]["units"]
    _try(answer(**inputs["config"]), x[:, 0], [tf.zeros((len(x), units))] * 2)
    cell = answer(**inputs["config"])
    keras.layers.RNN(cell)(x)
    for name in ("kernel", "recurrent_kernel", "bias"):
        if not hasattr(getattr(cell, name, None), "assign"):
            raise AnswerError(f"has no weight {name}: expected a variable in that attribute.")
    observation = {f"shape of {name}": np.array(getattr(cell, name).shape) for name in ("kernel", "recurrent_kernel", "bias")}
    observation["state_size"] = array(list(cell.state_size) if isinstance(cell.state_size, (list, tuple)) else cell.state_size)
    observation["bias at the start"] = array(cell.bias)
    return observation | {"number of trained weights": np.array(len(cell.trainable_weights))}


# ---------------------------------------------------------------------------------------------------- draws


def _drawn(value, count: int) -> int:
    """An id as a Python int."""
    value = array(value)
    if isinstance(value, str) or value.ndim:
        received = value if isinstance(value, str) else f"an array of shape {value.shape}"
        raise AnswerError(f"returned {received}; expected one number.")
    if value.dtype.kind not in "biuf" or not np.isfinite(value) or value != int(value) or not 0 <= value < count:
        raise AnswerError("returned a number that is no id; expected a whole number from 0 to V - 1.")
    return int(value)


# With these 400 seeds NumPy's generator happens to cover the numbers from 0 to 1 evenly, so that the reference's own shares
# are close to the probabilities they are to stand for.
FIRST_SEED = 6800


@probe
def draws(answer, inputs, *, times=400):
    """Draw with many seeds, and observe how often each id came up."""
    logits, temperature = tensors(inputs[0]), inputs[1]
    counts = np.zeros(len(logits))
    for seed in range(FIRST_SEED, FIRST_SEED + times):
        counts[_drawn(answer(logits, temperature, seed), len(logits))] += 1
    return {"list of shares": counts / times}


@probe
def repeats(answer, inputs, *, times=12):
    """Draw twice with each of several seeds, with other random numbers in between, and observe whether the ids agree."""
    logits, temperature = tensors(inputs[0]), inputs[1]
    agree = []
    for seed in range(times):
        first = _drawn(answer(logits, temperature, seed), len(logits))
        random.seed(seed + 100)
        np.random.seed(seed + 200)
        tf.random.set_seed(seed + 300)
        agree.append(first == _drawn(answer(logits, temperature, seed), len(logits)))
    return {"same id both times, for every seed?": np.array(all(agree))}
