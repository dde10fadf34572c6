"""How the answers of this lesson are observed where many different ones are right: by their properties."""

import math
import random
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from autograder.inside.probes import AnswerError, array, probe, tensors

# ---------------------------------------------------------------------------------------------------- split

PARTS = ("x_train", "y_train", "x_val", "y_val")
SEEDS = 8  # splits tried: with few rows a fair shuffle may hold back the first ones by chance, but not eight times


@probe
def split_properties(answer, inputs, *, observe):
    """Split the same rows several times and observe what is true of every right answer.

    Args:
        observe: which of the properties, a list of the names below.
    """
    x, y, fraction, seed = inputs
    splits = [_split(answer, x, y, fraction, seed + i) for i in range(SEEDS)]
    again = _split(answer, x, y, fraction, seed)
    parts, n = splits[0], len(x)
    numbers = [[_row_numbers(split[name], x) for name in ("x_train", "x_val")] for split in splits]
    held_back = [frozenset(_row_numbers(split["x_val"], x)) for split in splits]
    ends = [frozenset(range(len(part))) for part in held_back], [frozenset(range(n - len(part), n)) for part in held_back]
    properties = {
        "number of rows in each part": np.array([len(parts[name]) if parts[name].ndim else 0 for name in PARTS]),
        "are rows lost?": any(set(range(n)) - set(train) - set(val) for train, val in numbers),  # not how many: that is chance
        "are rows in both parts?": any(set(train) & set(val) - {-1} for train, val in numbers),
        "does every row keep its own y?": all(_paired(parts[f"x_{name}"], parts[f"y_{name}"], x, y) for name in ("train", "val")),
        "are the validation rows chosen by chance?": held_back not in ends,
        "does one seed always give the same split?": all(np.array_equal(parts[name], again[name]) for name in PARTS),
        "do the rows change from seed to seed?": len(set(held_back)) > 1,
    }
    return {name: np.asarray(properties[name]) for name in observe}


def _split(answer, x, y, fraction, seed):
    import tensorflow as tf

    for start in (random.seed, np.random.seed, tf.random.set_seed):  # the split has to depend on its own seed alone
        start(random.SystemRandom().randrange(2 ** 31))
    result = answer(np.array(x), np.array(y), fraction, seed)
    result = list(islice(result, 5)) if isinstance(result, Iterator) else result
    if not isinstance(result, (list, tuple)) or len(result) != 4:
        received = f"{len(result)} values" if isinstance(result, (list, tuple)) else "one value"
        raise AnswerError(f"returned {received}; expected 4: {', '.join(PARTS)}.")
    parts = {name: array(value) for name, value in zip(PARTS, result)}
    for name, value in parts.items():
        if isinstance(value, str):
            raise AnswerError(f"returned {value} as {name}; expected an array with one row per example.")
    return parts


def _row_numbers(part, rows):
    """For each row of a part which row of the whole it is, -1 for none."""
    if part.ndim != rows.ndim or part.shape[1:] != rows.shape[1:] or not len(part):
        return [-1] * (len(part) if part.ndim else 0)
    distance = np.abs(part[:, None].astype(np.float64) - rows[None]).reshape(len(part), len(rows), -1).max(axis=2)
    return [int(number) if near < 1e-5 else -1 for number, near in zip(distance.argmin(axis=1), distance.min(axis=1))]


def _paired(part_x, part_y, x, y):
    numbers = _row_numbers(part_x, x)
    if -1 in numbers or part_y.shape != (len(numbers), *y.shape[1:]):
        return False
    return bool(np.allclose(part_y, y[numbers], atol=1e-5))


# ---------------------------------------------------------------------------------------------------- first_overfitting_epoch


@probe
def epoch_or_none(answer, inputs):
    """Call with lists of floats; observe whether there is an epoch, and which."""
    result = answer(*[value.tolist() if isinstance(value, np.ndarray) else value for value in inputs])
    if result is None:
        return {"is it an epoch, and not None?": np.array(False), "epoch": np.array(-1)}
    return {"is it an epoch, and not None?": np.array(True), "epoch": array(result)}


# ---------------------------------------------------------------------------------------------------- penalties


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
        raise AnswerError(f"returned a {type(cost).__name__}; gradients flow only through TensorFlow operations. "
                          "Compute with tf functions from the inputs to the output.")
    found = {}
    for name, gradient in zip(watched, tape.gradient(cost, list(watched.values()))):
        if gradient is None and not name.startswith("bias"):
            raise AnswerError(f"has no gradient with respect to {name}: the output does not depend on it through TensorFlow "
                              "operations.")
        found[f"gradient of {name}"] = np.zeros(watched[name].shape) if gradient is None else array(gradient)
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
        raise AnswerError(f"cannot be made again from its get_config() ({type(error).__name__}): the configuration must hold "
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
            raise AnswerError(f"cannot be saved with a model and loaded again ({type(error).__name__}): get_config has to return "
                              "plain numbers, every argument of __init__ under its own name.") from error
    return {"penalty": array(sum(loaded.losses))}


@probe
def registration(answer, inputs):
    """Observe whether Keras knows the class by a registered name."""
    import keras

    answer(inputs["lam"])
    return {"is the class registered with Keras?": np.array(keras.saving.get_registered_name(answer) != answer.__name__)}


# ---------------------------------------------------------------------------------------------------- bump_network


def _polynomial(x, coefficients):
    return sum(c * x ** power for power, c in enumerate(coefficients))


def _wave(x, offset, slope, height, turns, phase):
    return offset + slope * x + height * math.sin(2 * math.pi * (turns * x + phase))


def _zigzag(x, offset, height, turns, phase):
    return offset + height * abs(2 * ((turns * x + phase) % 1) - 1)


FUNCTIONS = {"polynomial": _polynomial, "wave": _wave, "zigzag": _zigzag}


@probe
def approximation_error(answer, inputs):
    """Have a function approximated, and observe by how much the mean error exceeds L/(2n): 0 for every right answer.

    Inputs: the kind of function (a name in `FUNCTIONS`), its parameters, and n.
    """
    kind, parameters, n = inputs
    parameters = [float(value) for value in np.ravel(parameters)]

    def f(x):
        if np.ndim(x) != 0:
            raise AnswerError("calls f with an array: f takes one float at a time.")
        x = float(x)
        if not -1e-6 <= x <= 1 + 1e-6:
            raise AnswerError("calls f outside of [0, 1], where it is not known.")
        return FUNCTIONS[kind](x, *([parameters] if kind == "polynomial" else parameters))

    w1, b1, w2, b2 = _weights(answer(f, n), n)
    x = np.linspace(0.5 / n, 1 - 0.5 / n, 1001)  # half a bump away from both ends
    output = 0.5 * (1 + np.tanh((x[:, None] * w1 + b1) / 2)) @ w2 + b2
    error = np.mean(np.abs(output - [f(value) for value in x]))
    fine = np.array([f(value) for value in np.linspace(0, 1, 4001)])
    steepest = 4000 * np.max(np.abs(np.diff(fine)))
    excess = error / (steepest / (2 * n)) - 1
    return {"excess of the mean error over L/(2n), which should be 0,": np.asarray(np.maximum(excess, 0.0))}  # NaN stays NaN


def _weights(network, n):
    """The four weights as float64 vectors, w2 included; biases may have a leading axis of 1, as they broadcast."""
    network = list(islice(network, 5)) if isinstance(network, Iterator) else network
    if not isinstance(network, (list, tuple)) or len(network) != 4:
        received = f"{len(network)} values" if isinstance(network, (list, tuple)) else "one value"
        raise AnswerError(f"returned {received}; expected 4: w1, b1, w2, b2.")
    allowed = {"w1": [(1, 2 * n)], "b1": [(2 * n,), (1, 2 * n)], "w2": [(2 * n, 1)], "b2": [(1,), (1, 1), ()]}
    vectors = []
    for (name, shapes), value in zip(allowed.items(), network):
        value = array(value)
        if isinstance(value, str):
            raise AnswerError(f"returned {value} as {name}; expected an array.")
        if value.shape not in shapes:
            raise AnswerError(f"returned {name} in a shape that does not fit {n} bumps, with {value.ndim} axes and {value.size} "
                              f"entries; expected {dict(w1='(1, 2n)', b1='(2n,)', w2='(2n, 1)', b2='(1,)')[name]}.")
        vectors.append(value.astype(np.float64).ravel())
    return vectors
