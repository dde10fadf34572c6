"""How the answers of the convolution assignment are exercised where the standard probes do not suffice."""

import numpy as np

from autograder import probes
from autograder.inside.probes import AnswerError, array, probe

TWO_PARTS = {"detection": ("box", "label"), "control": ("mean", "scale")}


@probe
def each(answer, inputs):
    """Call a function on every row of a table of arguments."""
    return {"output": array([array(answer(*row)) for row in inputs[0]])}


@probe
def with_a_pair(answer, inputs, *, use):
    """Exercise an answer by the standard probe `use`, pairs being tuples, as one writes them: data comes here as lists."""
    if isinstance(inputs, dict):
        inputs = {**inputs, "config": {name: _pair(value) for name, value in inputs["config"].items()}}
        return getattr(probes, use).run(answer, inputs)
    return getattr(probes, use).run(lambda *values: answer(*map(_pair, values)), inputs, inputs_as="python")


def _pair(value):
    return tuple(value) if isinstance(value, list) else value


@probe
def keeps_its_weights(answer, inputs):
    """Build a layer as a model would, call it twice, and return both outputs, its filters and how large its weights are."""
    import tensorflow as tf

    built = answer(**{name: _pair(value) for name, value in inputs["config"].items()})
    x = tf.constant(inputs["call"][0])
    first, second = array(built(x)), array(built(x))
    return {"first output": first, "second output": second, "filters": array(built.kernel),
            "sizes of weights": np.array([int(np.prod(weight.shape)) for weight in built.trainable_weights], np.int64)}


@probe
def network(answer, inputs):
    """Build a convolutional network for a task, and return what it gives for `images` under several sets of weights and for
    batches of 1 and 5, its weights' gradients, and what its layers and operations are like: see `observe.py`."""
    import keras

    shape, task, n = tuple(inputs["input_shape"]), inputs["task"], inputs["outputs"]
    model = answer(shape, task, n)
    if not isinstance(model, keras.Model):
        raise AnswerError("returned something else than a keras.Model.")
    rng = np.random.default_rng(0)
    seen = {}
    for batch in (1, 5):
        parts = _parts(model(rng.random((batch, *shape), np.float32), training=False), task)
        seen |= {f"{name} for a batch of {batch}": array(value) for name, value in parts.items()}
    seen |= {"layers": _layers(model), "operations": _operations(model, shape)}
    return seen | _answers(model, task, np.asarray(inputs["images"], np.float32), rng)


def _parts(output, task):
    """The output's tensors by name; one tensor is called `output`."""
    names = TWO_PARTS.get(task)
    if names is None:
        if isinstance(output, (dict, list, tuple)):
            raise AnswerError("returns several outputs for the task {task}; expected one tensor.", task=task)
        return {"output": output}
    if not isinstance(output, dict) or set(output) != set(names):
        raise AnswerError("returns something else for the task {task} than a dictionary with exactly {first} and {second}.",
                          task=task, first=names[0], second=names[1])
    return {name: output[name] for name in names}


def _answers(model, task, images, rng):
    """Outputs under several random sets of weights, and the largest gradient that each weight has had."""
    import tensorflow as tf

    weights = model.trainable_weights
    if not weights:
        raise AnswerError("has no weights to train.")
    seen, largest = {}, np.zeros(len(weights))
    # Large weights take an output to the ends of its range. Not for a scale: softplus and exp have ends of float32 as well.
    for number, gain in enumerate((1, 1, 1, 1) if task == "control" else (1, 1, 3, 3)):
        for weight in weights:
            spread = gain * (np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3)
            weight.assign(rng.normal(0, spread, weight.shape).astype(np.float32))
        with tf.GradientTape() as tape:
            parts = _parts(model(tf.constant(images), training=False), task)
            score = sum(tf.reduce_sum(tf.cast(value, tf.float32) * rng.uniform(0.5, 1.5, value.shape))
                        for value in parts.values())
        gradient = tape.gradient(score, [weight.value for weight in weights])
        largest = np.maximum(largest, [0 if new is None else np.abs(np.asarray(new)).max() for new in gradient])
        seen |= {f"{name} under weights {number}": array(value) for name, value in parts.items()}
    return seen | {"largest gradients": largest}


def _layers(model):
    """For every layer: does its class's name say that it convolves; that it pools; has it a kernel of four axes; other weights;
    are its maps smaller than what enters."""
    rows = []
    for part in model._flatten_layers(include_self=False):
        kind = type(part).__name__.lower()
        if "transpose" in kind or "global" in kind or hasattr(part, "layers"):
            continue
        entering, leaving = _maps(part, "input"), _maps(part, "output")
        smaller = bool(entering and leaving) and leaving[1] < entering[1] and leaving[2] < entering[2]
        kernel = leaving is not None and any(len(weight.shape) == 4 for weight in part.weights)
        rows.append(["conv" in kind, "pool" in kind, kernel, bool(part.weights), smaller])
    return np.array(rows, np.int32).reshape(-1, 5)


def _operations(model, shape):
    """For every operation that runs and convolves, or takes largest or mean entries of maps: which of both, and the height and
    width of the maps that leave it (0 when unknown): for a layer that is called twice, and for poolings that are no layer."""
    import tensorflow as tf

    run = tf.function(lambda images: model(images, training=False), autograph=False)
    traced = run.get_concrete_function(tf.TensorSpec((None, *shape)))
    rows = []
    for operation in traced.graph.get_operations():
        convolves = operation.type in ("Conv2D", "DepthwiseConv2dNative")
        if convolves or operation.type in ("MaxPool", "MaxPoolV2", "AvgPool", "Max", "Maximum", "Mean"):
            rank = operation.outputs[0].shape.rank
            height, width = operation.outputs[0].shape[1:3] if rank == 4 else (None, None)
            rows.append([convolves, height or 0, width or 0])
    return np.array(rows, np.int32).reshape(-1, 3)


def _maps(part, end):
    """The shape of a layer's input or output in a functional model when it is a batch of maps of known size; else None."""
    try:
        shape = getattr(part, end).shape
    except Exception:  # a layer that was never called symbolically, or that has several inputs
        return None
    return shape if len(shape) == 4 and None not in shape[1:3] else None
