"""How the answers of the convolution assignment are exercised where the standard probes do not suffice."""

import numpy as np

from autograder import probes
from autograder.inside.probes import AnswerError, array, probe

MOST_LAYERS, MOST_OPERATIONS, LONGEST_NAME = 500, 5000, 60  # that are told


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
    """Build a layer as a model would: its outputs in two calls on the same images, its filters, and what Keras would train."""
    import tensorflow as tf

    built = answer(**{name: _pair(value) for name, value in inputs["config"].items()})
    x = tf.constant(inputs["call"][0])
    first, second = built(x), built(x)
    weights = {f"weight {i + 1}": array(weight) for i, weight in enumerate(built.trainable_weights)}
    return {"first call": array(first), "second call": array(second), "filters": array(np.asarray(built.kernel))} | weights


@probe
def network(answer, inputs):
    """Build a convolutional network for a task: its outputs for batches of two sizes and under several sets of weights, how
    large the gradients of its weights are there, and a list of its layers and operations."""
    import keras

    shape, task = tuple(inputs["input_shape"]), inputs["task"]
    model = answer(shape, task, inputs["outputs"])
    if not isinstance(model, keras.Model):
        raise AnswerError("returned something else than a model; expected a keras.Model.")
    seen = {}
    for batch in (1, 5):
        parts = _parts(model(inputs["images"][:batch], training=False), inputs["parts"], task)
        seen |= {f"{name} of {batch}": array(value) for name, value in parts.items()}
    return seen | _layers(model) | _operations(model, shape) | _answers(model, inputs)


def _parts(output, names, task):
    """The output's tensors by name; the only one of a task is called `output`."""
    if names == ["output"]:
        if isinstance(output, (dict, list, tuple)):
            raise AnswerError("returns more than a tensor for the task {task}; expected one tensor.", task=task)
        return {"output": output}
    if not isinstance(output, dict) or set(output) != set(names):
        raise AnswerError("returns something else than a dictionary with {names} for the task {task}.",
                          names=", ".join(names), task=task)
    return {name: output[name] for name in names}


def _answers(model, inputs):
    """Outputs under several random sets of weights, and each weight's largest gradient: (set, weight), NaN for none."""
    import tensorflow as tf

    weights, rng, seen, largest = model.trainable_weights, np.random.default_rng(0), {}, []
    if not weights:
        raise AnswerError("has no weights to train.")
    # Large weights take an output to the ends of its range. Not for a scale: softplus and exp have ends of float32 as well.
    for which, gain in enumerate((1, 1, 1, 1) if inputs["task"] == "control" else (1, 1, 3, 3)):
        for weight in weights:
            spread = gain * (np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3)
            weight.assign(rng.normal(0, spread, weight.shape).astype(np.float32))
        with tf.GradientTape() as tape:
            parts = _parts(model(tf.constant(inputs["images"]), training=False), inputs["parts"], inputs["task"])
            score = sum(tf.reduce_sum(tf.cast(value, tf.float32) * rng.uniform(0.5, 1.5, value.shape))
                        for value in parts.values())
        gradient = tape.gradient(score, [weight.value for weight in weights])
        largest.append([np.nan if new is None else np.abs(np.asarray(new)).max() for new in gradient])
        seen |= {f"{name} under weights {which + 1}": array(value) for name, value in parts.items()}
    return seen | {"gradients": np.array(largest, np.float64)}


def _layers(model):
    """Of each layer the name of its class, height and width of maps that enter and leave it, and how many weights it has, and
    how many of four axes; -1 for what is no batch of maps."""
    names, maps, weights = [], [], []
    for part in model._flatten_layers(include_self=False)[:MOST_LAYERS]:
        if not hasattr(part, "layers"):
            names.append(type(part).__name__)
            maps.append([*_maps(part, "input"), *_maps(part, "output")])
            weights.append([len(part.weights), sum(len(weight.shape) == 4 for weight in part.weights)])
    return {"names of layers": _letters(names), "maps of layers": _table(maps, 4), "weights of layers": _table(weights, 2)}


def _operations(model, shape):
    """The type of each operation that runs, and height and width of the maps that it returns; -1 for what is no batch of maps."""
    import tensorflow as tf

    run = tf.function(lambda images: model(images, training=False), autograph=False)
    traced = run.get_concrete_function(tf.TensorSpec((None, *shape)))
    names, maps = [], []
    for operation in traced.graph.get_operations()[:MOST_OPERATIONS]:
        sizes = operation.outputs[0].shape[1:3] if operation.outputs and operation.outputs[0].shape.rank == 4 else (None, None)
        names.append(operation.type)
        maps.append([size or -1 for size in sizes])
    return {"names of operations": _letters(names), "maps of operations": _table(maps, 2)}


def _letters(names):
    """Names as code points, one a row, with zeros at their ends."""
    return _table([[ord(letter) for letter in name[:LONGEST_NAME].ljust(LONGEST_NAME, "\0")] for name in names], LONGEST_NAME)


def _table(rows, columns):
    return np.array(rows, np.int32).reshape(-1, columns)


def _maps(part, end):
    """Height and width of a layer's input or output in a functional model when it is a batch of maps of known size."""
    try:
        shape = getattr(part, end).shape
    except Exception:  # a layer that was never called symbolically, or that has several inputs
        return -1, -1
    return shape[1:3] if len(shape) == 4 and None not in shape[1:3] else (-1, -1)
