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
    """Build a layer as a model would, and observe what Keras knows of its weights and whether calls leave them alone."""
    import tensorflow as tf

    built = answer(**{name: _pair(value) for name, value in inputs["config"].items()})
    x = tf.constant(inputs["call"][0])
    first, second = built(x), built(x)
    filters = np.asarray(built.kernel)
    return {
        "number of weights that Keras would train and save": array(len(built.trainable_weights)),
        "do two calls on the same images agree?": array(bool(np.allclose(first, second, atol=1e-5))),
        "do the filters start out different from one another?": array(bool(
            all(np.ptp(filters[..., i] - filters[..., 0]) > 0 for i in range(1, filters.shape[-1]))))}


@probe
def network(answer, inputs):
    """Build a convolutional network for a task and observe shapes, ranges and gradients under several sets of weights."""
    import keras

    shape, task, n = tuple(inputs["input_shape"]), inputs["task"], inputs["outputs"]
    model = answer(shape, task, n)
    if not isinstance(model, keras.Model):
        raise AnswerError(f"returned {'None' if model is None else f'a {type(model).__name__}'}; expected a keras.Model.")
    rng = np.random.default_rng(0)
    expected = {"box": (4,), "output": (*shape[:2], n)} if task == "segmentation" else {"box": (4,)}
    for batch in (1, 5):
        parts = _parts(model(rng.random((batch, *shape), np.float32), training=False), task)
        for name, value in parts.items():
            right = (batch, *expected.get(name, (n,)))
            if tuple(value.shape) != right:
                raise AnswerError(f"returns {_called(name)} of shape {tuple(value.shape)} for the task {task!r} and a batch of "
                                  f"{batch} images of shape {shape}; expected {right}.")
    convolutions, poolings = map(max, zip(_layers(model), _operations(model, shape)))
    results, moved = _answers(model, shape, task, rng)
    observation = {"are there two convolutions at least?": array(convolutions >= 2),
                   "are there two poolings at least?": array(poolings >= 2),
                   "does every image get an answer of its own?": array(moved)}
    for name, values in results.items():
        which = _called(name)
        if name == "label" or task in ("classification", "segmentation"):
            observation[f"is no probability of {which} negative?"] = array(bool(np.all(values >= 0)))
            observation[f"do the probabilities of {which} sum to 1 over the last axis?"] = array(bool(
                np.allclose(values.sum(axis=-1), 1, atol=1e-4)))
        elif name == "box":
            observation["are all entries of the box between 0 and 1?"] = array(bool(
                np.all((values >= 0) & (values <= 1))))
        elif name == "scale":
            observation["is every scale above 0?"] = array(bool(np.all(values > 0)))
        elif task == "regression":
            observation["can the output be negative?"] = array(bool(np.any(values < 0)))
            observation["can the output be above 1?"] = array(bool(np.any(values > 1)))
    return observation


def _called(name):
    return "the output" if name == "output" else f"the {name}"


def _parts(output, task):
    """The output's tensors by name; one tensor is called `output`."""
    names = TWO_PARTS.get(task)
    if names is None:
        if isinstance(output, (dict, list, tuple)):
            raise AnswerError(f"returns a {type(output).__name__} for the task {task!r}; expected one tensor.")
        return {"output": output}
    if not isinstance(output, dict):
        kind = type(output).__name__ if isinstance(output, (list, tuple)) else "tensor"
        raise AnswerError(f"returns a {kind} for the task {task!r}; expected a dictionary with {' and '.join(names)}.")
    if set(output) != set(names):
        raise AnswerError(f"returns a dictionary with {', '.join(map(str, output))} for the task {task!r}; expected "
                          f"{' and '.join(names)}.")
    return {name: output[name] for name in names}


def _answers(model, shape, task, rng):
    """Outputs under several random sets of weights, and whether images differ in them; checks that all weights learn."""
    import tensorflow as tf

    weights = model.trainable_weights
    if not weights:
        raise AnswerError("has no weights to train.")
    images = tf.constant(rng.random((6, *shape), np.float32))
    reached, collected, moved = [False] * len(weights), {}, False
    # Large weights take an output to the ends of its range. Not for a scale: softplus and exp have ends of float32 as well.
    for gain in (1, 1, 1, 1) if task == "control" else (1, 1, 3, 3):
        for weight in weights:
            spread = gain * (np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3)
            weight.assign(rng.normal(0, spread, weight.shape).astype(np.float32))
        with tf.GradientTape() as tape:
            parts = _parts(model(images, training=False), task)
            score = sum(tf.reduce_sum(tf.cast(value, tf.float32) * rng.uniform(0.5, 1.5, value.shape))
                        for value in parts.values())
        gradient = tape.gradient(score, [weight.value for weight in weights])
        reached = [known or (new is not None and bool(np.any(np.asarray(new) != 0))) for known, new in zip(reached, gradient)]
        for name, value in parts.items():
            value = np.asarray(value, np.float64)
            if not np.all(np.isfinite(value)):
                raise AnswerError(f"returns NaN or infinite values in {_called(name)} for the task {task!r}.")
            moved = moved or bool(np.any(np.ptp(value, axis=0) > 1e-6))
            collected.setdefault(name, []).append(value)
    if lost := [weight.path for weight, known in zip(weights, reached) if not known]:
        raise AnswerError(f"has weights that get no gradient for the task {task!r}: {len(lost)} of {len(weights)}, as if the "
                          "output did not depend on them.")
    return {name: np.concatenate(values) for name, values in collected.items()}, moved


def _layers(model):
    """How many layers convolve and how many pool: known by their class's name, or by what they do to maps."""
    convolutions = poolings = 0
    for part in model._flatten_layers(include_self=False):
        kind = type(part).__name__.lower()
        if "transpose" in kind or "global" in kind or hasattr(part, "layers"):
            continue
        entering, leaving = _maps(part, "input"), _maps(part, "output")
        smaller = bool(entering and leaving) and leaving[1] < entering[1] and leaving[2] < entering[2]
        if "conv" in kind or (leaving and any(len(weight.shape) == 4 for weight in part.weights)):
            convolutions += 1
        elif "pool" in kind or (smaller and not part.weights):
            poolings += 1
    return convolutions, poolings


def _operations(model, shape):
    """The same, counted by what runs: for a layer that is called twice, and for poolings that are no layer.

    A pooling, ready-made or written with slices, takes largest or mean entries and leaves maps of about half the size; one
    pixel is a mean over the whole map.
    """
    import tensorflow as tf

    run = tf.function(lambda images: model(images, training=False), autograph=False)
    traced = run.get_concrete_function(tf.TensorSpec((None, *shape)))
    convolutions, sizes = 0, set()
    for operation in traced.graph.get_operations():
        convolutions += operation.type in ("Conv2D", "DepthwiseConv2dNative")
        if operation.type in ("MaxPool", "MaxPoolV2", "AvgPool", "Max", "Maximum", "Mean"):
            rank = operation.outputs[0].shape.rank
            height, width = operation.outputs[0].shape[1:3] if rank == 4 else (None, None)
            if height and width and height * width > 1:
                sizes.add((height, width))
    poolings, (height, width) = 0, shape[:2]
    for smaller in sorted(sizes, reverse=True):
        if smaller[0] <= 0.6 * height and smaller[1] <= 0.6 * width:  # a convolution without padding takes less away
            poolings, (height, width) = poolings + 1, smaller
    return convolutions, poolings


def _maps(part, end):
    """The shape of a layer's input or output in a functional model when it is a batch of maps of known size; else None."""
    try:
        shape = getattr(part, end).shape
    except Exception:  # a layer that was never called symbolically, or that has several inputs
        return None
    return shape if len(shape) == 4 and None not in shape[1:3] else None
