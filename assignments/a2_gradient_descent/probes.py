"""How answers about gradient descent are exercised: steps on real variables, whole trajectories, properties of batches, a model.

A case hands over plain arrays and the name of a function; the variables, functions and models are made from them here.
"""

import random

import numpy as np

from autograder.inside.probes import AnswerError, array, probe

# ---------------------------------------------------------------------------------------------------- functions to descend

# The losses of `gradient_step`: of its variables v, given constants c.
STEP_LOSSES = {
    "line": lambda tf, v, c: tf.reduce_mean((v[0] * c[0] + v[1] - c[1]) ** 2),  # weight, bias; inputs, targets
    "layer": lambda tf, v, c: tf.reduce_mean((tf.matmul(c[0], v[0]) + v[1] - c[1]) ** 2),  # W, b; inputs, targets
    "network": lambda tf, v, c: tf.reduce_mean(
        (tf.matmul(tf.tanh(tf.matmul(c[0], v[0]) + v[1]), v[2]) + v[3] - c[1]) ** 2),  # W1, b1, W2, b2; inputs, targets
    "product": lambda tf, v, c: (v[0] * v[1] * v[2] - c[0]) ** 2,
    "bowl": lambda tf, v, c: tf.reduce_sum((v[0] - c[0]) ** 2),
}

# What `minimize` descends: functions of one point x (n,), given constants c.
FUNCTIONS = {
    "bowl": lambda tf, x, c: tf.reduce_sum(c[1] * (x - c[0]) ** 2),  # centre, steepness of each axis
    "quadratic form": lambda tf, x, c: tf.tensordot(x, tf.linalg.matvec(c[0], x), 1) / 2 - tf.tensordot(c[1], x, 1),
    "banana": lambda tf, x, c: (c[0] - x[0]) ** 2 + c[1] * (x[1] - x[0] ** 2) ** 2,
}

# The losses of `train`, of targets t and predictions p; "linex" is not the same the other way round.
TRAIN_LOSSES = {
    "squares": lambda tf, t, p: tf.reduce_mean((t - p) ** 2),
    "linex": lambda tf, t, p: tf.reduce_mean(tf.exp(t - p) - (t - p) - 1),
    "cross-entropy": lambda tf, t, p: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(t, p)),
}


def _watched(function):
    """`function`, and a list that grows whenever a gradient flows back through what it returned."""
    import tensorflow as tf

    passes = []

    @tf.custom_gradient
    def notice(value):
        def backwards(upstream):
            passes.append(True)
            return upstream

        return tf.identity(value), backwards

    # AutoGraph, in an answer that uses `tf.function`, would complain that it cannot read our lambda.
    return tf.autograph.experimental.do_not_convert(lambda *arguments: notice(function(*arguments))), passes


def _no_gradient(error, passes) -> bool:
    """Did an answer fail because its tape had only None to give?"""
    return not passes and isinstance(error, (TypeError, ValueError, AttributeError)) and "None" in str(error)


# ---------------------------------------------------------------------------------------------------- probes


@probe
def take_steps(answer, inputs, *, loss: str, steps: int = 1):
    """Call `gradient_step` on fresh variables, `steps` times in a row, and observe every loss and every variable's path.

    Inputs: the variables' values, the constants of the loss, the learning rate.
    """
    import tensorflow as tf

    values, constants, learning_rate = inputs
    variables = [tf.Variable(np.asarray(value, np.float32)) for value in values]
    constants = [tf.constant(np.asarray(value, np.float32)) for value in constants]
    loss_fn, passes = _watched(lambda: STEP_LOSSES[loss](tf, variables, constants))
    names = [f"value of variable {i + 1} afterwards" for i in range(len(variables))]
    losses, paths = [], [[] for _ in variables]
    for _ in range(steps):
        try:
            # The answer gets a list of its own: rebinding its entries must not hide the variables from us.
            losses.append(answer(list(variables), loss_fn, learning_rate))
        except Exception as error:
            if not _no_gradient(error, passes):
                raise
            return dict.fromkeys(["loss before the step", *names], "None")  # which the tape gave for a gradient
        losses[-1] = array(losses[-1])  # now: the answer may have returned a variable
        for path, variable in zip(paths, variables):
            path.append(array(variable))
    return {name: _path(values) for name, values in zip(["loss before the step", *names], [losses, *paths])}


def _path(values):
    """One value, or several as one array; the words for what is no array stay words."""
    words = [value for value in values if isinstance(value, str)]
    return words[0] if words else values[0] if len(values) == 1 else array(values)


@probe
def descend(answer, inputs, *, function: str):
    """Call `minimize` on a named function and observe the whole trajectory.

    Inputs: x0, the learning rate, the number of steps, the constants of the function.
    """
    import tensorflow as tf

    x0, learning_rate, steps, constants = inputs

    def value(x):
        x = tf.convert_to_tensor(x)  # a tensor, a variable or an array, of any float type
        return FUNCTIONS[function](tf, x, [tf.constant(np.asarray(c), x.dtype) for c in constants])

    f, passes = _watched(value)
    try:
        return {"trajectory": array(answer(f, tf.constant(np.asarray(x0, np.float32)), learning_rate, steps))}
    except Exception as error:
        if _no_gradient(error, passes):
            raise AnswerError("got None from the tape instead of a gradient: it has not seen how f(x) came from x.") from error
        raise


@probe
def batches(answer, inputs):
    """Call `minibatches` under several seeds and states of the global generators, and return every batch of every call.

    Inputs: x, y, batch_size, seed. What holds of the batches is concluded in `observe.py`.
    """
    import tensorflow as tf

    x, y = np.asarray(inputs[0], np.float32), np.asarray(inputs[1])
    y = y.astype(np.float32 if y.dtype.kind == "f" else np.int32)
    batch_size, seed = inputs[2], inputs[3]
    seen = {}
    # Who listens to the world fails one question, not two: each new seed has a world of its own.
    for run, (shift, world) in enumerate([*((i, 1 + i) for i in range(6)), (0, 2), (0, 3)]):
        random.seed(world)
        np.random.seed(world)
        tf.random.set_seed(world)
        pairs = list(_pairs(answer(tf.constant(x), tf.constant(y), batch_size, seed + shift)))
        seen[f"batches of run {run}"] = np.array(len(pairs))
        for number, (part_x, part_y) in enumerate(pairs):
            seen |= {f"x of batch {number} of run {run}": part_x, f"y of batch {number} of run {run}": part_y}
    return seen


def _pairs(result):
    try:
        result = list(result)
    except TypeError:
        raise AnswerError("returned something else than a list of (x, y) batches.") from None
    for batch in result:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise AnswerError("returned a list with something that is no pair; expected (x, y) for every batch.")
        yield [array(part) for part in batch]


@probe
def training(answer, inputs, *, loss: str, activation: str | None = None, normalise: bool = False, frozen: int | None = None,
             penalty: float | None = None):
    """Call `train` on a Keras model with given weights, and observe the losses and every weight afterwards.

    Inputs: (kernel, bias) of each dense layer, the batches, the learning rate, the epochs.

    Args:
        activation: of every layer but the last, which has none.
        normalise: a `BatchNormalization` follows the first layer; what it does in training is not what it does afterwards.
        frozen: the number of a layer that is not trainable, counted from 0.
        penalty: the factor of an L2 penalty on every kernel. It stands in `model.losses`, and is no part of the loss.
    """
    import keras
    import tensorflow as tf

    weights, batches, learning_rate, epochs = inputs
    layers = [keras.layers.Dense(np.shape(kernel)[1], activation=activation if i < len(weights) - 1 else None,
                                 kernel_regularizer=None if penalty is None else keras.regularizers.L2(penalty),
                                 trainable=i != frozen) for i, (kernel, _) in enumerate(weights)]
    norm = keras.layers.BatchNormalization()
    inner = [norm] if normalise else []
    model = keras.Sequential([keras.Input((np.shape(weights[0][0])[0],)), *layers[:1], *inner, *layers[1:]])
    for layer, (kernel, bias) in zip(layers, weights):
        layer.set_weights([np.asarray(kernel, np.float32), np.asarray(bias, np.float32)])
    kind = np.int32 if loss == "cross-entropy" else np.float32
    batches = [(tf.constant(np.asarray(x, np.float32)), tf.constant(np.asarray(y, kind))) for x, y in batches]
    loss_fn, passes = _watched(lambda targets, predictions: TRAIN_LOSSES[loss](tf, targets, predictions))
    try:
        history = array(answer(model, batches, loss_fn, learning_rate, epochs))
    except Exception as error:
        if _no_gradient(error, passes):
            raise AnswerError("got None from the tape instead of a gradient: it has not seen how the loss came from the "
                              "model's variables.") from error
        raise
    observation = {"loss history": history}
    for i, layer in enumerate(layers):
        observation[f"final kernel of layer {i + 1}"] = array(layer.kernel)
        observation[f"final bias of layer {i + 1}"] = array(layer.bias)
    if normalise:
        observation["final scale of the normalisation"] = array(norm.gamma)
        observation["final shift of the normalisation"] = array(norm.beta)
    return observation
