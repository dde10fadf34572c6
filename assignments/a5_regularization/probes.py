"""How the answers of this lesson are exercised where many different ones are right. What is true of them is concluded in
`observe.py`."""

import random
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from autograder.inside.probes import AnswerError, array, probe, tensors

MAX_ENTRIES = 100_000  # of one part of a split, or of one weight of a network
MAX_CHARACTERS = 300

# ---------------------------------------------------------------------------------------------------- split

PARTS, WEIGHTS = ("x_train", "y_train", "x_val", "y_val"), ("w1", "b1", "w2", "b2")
SEEDS = 8  # splits tried: with few rows a fair shuffle may hold back the first ones by chance, but not eight times


@probe
def split_properties(answer, inputs, *, observe):
    """Split the same rows with several seeds, and with the first one again.

    Args:
        observe: what is concluded from the parts, a list of names: the business of the other half, in `observe.py`.
    """
    x, y, fraction, seed = inputs
    seeds = [*(seed + i for i in range(SEEDS)), seed]
    return {f"{part} of split {i + 1}": value for i, start in enumerate(seeds)
            for part, value in _split(answer, x, y, fraction, start).items()}


def _split(answer, x, y, fraction, seed):
    import tensorflow as tf

    for start in (random.seed, np.random.seed, tf.random.set_seed):  # the split has to depend on its own seed alone
        start(random.SystemRandom().randrange(2 ** 31))
    result = answer(np.array(x), np.array(y), fraction, seed)
    result = list(islice(result, 5)) if isinstance(result, Iterator) else result
    if not isinstance(result, (list, tuple)):
        raise AnswerError("returned one value; expected 4: x_train, y_train, x_val, y_val.")
    if len(result) != 4:
        raise AnswerError("returned {count} values; expected 4: x_train, y_train, x_val, y_val.", count=len(result))
    parts = [array(value) for value in result]
    return {name: "an array that is too large" if getattr(part, "size", 0) > MAX_ENTRIES else part
            for name, part in zip(PARTS, parts)}


# ---------------------------------------------------------------------------------------------------- first_overfitting_epoch


@probe
def epoch_or_none(answer, inputs):
    """Call with lists of floats: an epoch, or None where there is none."""
    return {"epoch": _epoch(answer, inputs)}


@probe
def epoch_of_each(answer, inputs):
    """Call once for each of several pairs of curves."""
    return {f"epoch of pair {i + 1}": _epoch(answer, pair) for i, pair in enumerate(inputs["curves"])}


def _epoch(answer, inputs):
    return array(answer(*[value.tolist() if isinstance(value, np.ndarray) else value for value in inputs]))


# ---------------------------------------------------------------------------------------------------- penalties


@probe
def penalty_of_each(answer, inputs):
    """`l2_penalty` of several networks, each with a price of its own."""
    return {f"penalty {i + 1}": array(answer(tensors(weights), lam)) for i, (weights, lam) in enumerate(inputs["networks"])}


@probe
def penalised_gradients(answer, inputs):
    """`regularized_loss` and its gradients with respect to the loss, every kernel and every bias (0 where it has none)."""
    import tensorflow as tf

    loss, layers, lam = tensors(inputs[0]), tensors(inputs[1]), inputs[2]
    watched = {"loss": loss}
    for i, (kernel, bias) in enumerate(layers):
        watched |= {f"kernel {i + 1}": kernel, f"bias {i + 1}": bias}
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(watched.values()))
        cost = answer(loss, [tuple(pair) for pair in layers], lam)
    return {"output": array(cost)} | _gradients(tape, cost, watched)


def _gradients(tape, cost, watched):
    import tensorflow as tf

    if not tf.is_tensor(cost):
        raise AnswerError("returned something that is no tensor; gradients flow only through TensorFlow operations. "
                          "Compute with tf functions from the inputs to the output.")
    found = {}
    for name, gradient in zip(watched, tape.gradient(cost, list(watched.values()))):
        found_name = f"gradient of {name}"
        if gradient is None and not name.startswith("bias"):
            raise AnswerError("has no {gradient}: through TensorFlow operations the output does not depend on it.",
                              gradient=found_name)
        found[found_name] = np.zeros(watched[name].shape) if gradient is None else array(gradient)
    return found


@probe
def penalty_of(answer, inputs):
    """Make a regularizer and call it on a tensor."""
    return {"penalty": array(answer(inputs["lam"])(tensors(inputs["w"])))}


@probe
def penalty_after_config(answer, inputs):
    """Make a regularizer again from its own configuration, and call what was made."""
    built = answer(inputs["lam"])
    config = built.get_config()
    try:
        copy = answer.from_config(config)
    except Exception as error:
        raise AnswerError("cannot be made again from its get_config(): the configuration must hold "
                          "every argument of __init__ under its own name.") from error
    return {"penalty": array(copy(tensors(inputs["w"])))}


@probe
def penalty_in_layer(answer, inputs, *, graph=False):
    """Give a regularizer to a dense layer, and observe the layer's losses and the gradient of the kernel.

    Args:
        graph: compute under `tf.function`, as `fit` does.
    """
    import keras
    import tensorflow as tf

    layer = keras.layers.Dense(inputs["kernel"].shape[1], kernel_regularizer=answer(inputs["lam"]))
    layer.build((None, inputs["kernel"].shape[0]))
    layer.set_weights([inputs["kernel"], inputs["bias"]])
    kernel = layer.kernel.value  # the tf.Variable inside

    def penalty():
        with tf.GradientTape() as tape:
            cost = tf.add_n(layer.losses)
        gradient = tape.gradient(cost, kernel)
        if gradient is None:
            raise AnswerError("has no gradient with respect to the kernel: use TensorFlow or keras.ops from input to output.")
        return cost, gradient

    cost, gradient = tf.function(penalty, autograph=False)() if graph else penalty()
    return {"penalty": array(cost), "gradient of kernel": array(gradient)}


@probe
def penalty_after_loading(answer, inputs):
    """Save a model with regularized layers, load it again, and observe the loaded model's penalty."""
    import keras

    built = answer(inputs["lam"])
    name = keras.saving.get_registered_name(answer)
    model = keras.Sequential([keras.Input(inputs["kernel"].shape[:1]),
                              keras.layers.Dense(inputs["kernel"].shape[1], kernel_regularizer=built)])
    model.set_weights([inputs["kernel"], inputs["bias"]])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
            loaded = keras.models.load_model(path, custom_objects={name: answer, answer.__name__: answer}, compile=False)
        except Exception as error:
            raise AnswerError("cannot be saved with a model and loaded again: get_config has to return "
                              "plain numbers, every argument of __init__ under its own name.") from error
    return {"penalty": array(sum(loaded.losses))}


@probe
def registration(answer, inputs):
    """The name by which Keras knows the class, and its own, in code numbers."""
    import keras

    answer(inputs["lam"])
    return {"registered name": _code_numbers(keras.saving.get_registered_name(answer)),
            "name of the class": _code_numbers(answer.__name__)}


def _code_numbers(text):
    return np.array([ord(character) for character in text[:MAX_CHARACTERS]], np.int32)


# ---------------------------------------------------------------------------------------------------- bump_network


@probe
def approximation_error(answer, inputs):
    """Have a function approximated: the four weights.

    Inputs: the function's values at evenly spaced places from 0 to 1, with straight lines between them; and n.
    """
    return _network(answer, inputs[0], inputs[1])


@probe
def approximation_error_of_each(answer, inputs):
    """Have several functions approximated, one after another, each with n bumps: the rows of a table."""
    return {f"{name} of function {i + 1}": weight for i, values in enumerate(inputs[0])
            for name, weight in _network(answer, values, inputs[1]).items()}


def _network(answer, values, n):
    """The four weights by name."""
    values = np.asarray(values, np.float64)
    places = np.linspace(0, 1, len(values))

    def f(x):
        if np.ndim(x) != 0:
            raise AnswerError("calls f with an array: f takes one float at a time.")
        x = float(x)
        if not -1e-6 <= x <= 1 + 1e-6:
            raise AnswerError("calls f outside of [0, 1], where it is not known.")
        return float(np.interp(x, places, values))

    network = answer(f, n)
    network = list(islice(network, 5)) if isinstance(network, Iterator) else network
    if not isinstance(network, (list, tuple)):
        raise AnswerError("returned one value; expected 4: w1, b1, w2, b2.")
    if len(network) != 4:
        raise AnswerError("returned {count} values; expected 4: w1, b1, w2, b2.", count=len(network))
    weights = [array(value) for value in network]
    return {name: "an array that is too large" if getattr(weight, "size", 0) > MAX_ENTRIES else weight
            for name, weight in zip(WEIGHTS, weights)}
