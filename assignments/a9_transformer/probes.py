"""How blocks and language models are asked about what they promise, whatever their insides look like.

A language model may have learned or sinusoidal positions and any start of its weights: what is observed are yes or no, and
numbers of things.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from autograder.inside.probes import AnswerError, array, probe, tensors

NOTICEABLE = 1e-5  # of the largest entry: more than the noise of float32, less than what any character does


@probe
def logits(answer, inputs):
    """The shapes of the logits for several arrays of ids, and whether they are free to be negative and to sum to anything."""
    model, _ = _built(answer, inputs, inputs["ids"][0])
    outputs = [array(model(tensors(ids))) for ids in inputs["ids"]]
    observation = {f"shape for ids of shape {ids.shape}": value if isinstance(value, str) else np.array(value.shape)
                   for ids, value in zip(inputs["ids"], outputs)}
    numbers = [value for value in outputs if not isinstance(value, str) and value.ndim > 1]
    if not numbers:
        raise AnswerError("returned no logits; expected a tensor of shape (B, T, V).")
    numbers = np.concatenate([value.reshape(-1, value.shape[-1]) for value in numbers])
    return observation | {"rows sum to 1": np.array(np.allclose(numbers.sum(axis=-1), 1, atol=1e-3)),
                          "some are negative": np.array(bool((numbers < 0).any()))}


@probe
def influence(answer, inputs):
    """Which positions notice a change: replace one position of `x` at a time by that of `other`."""
    model, _ = _built(answer, inputs, inputs["x"])
    x, other = inputs["x"], inputs["other"]  # (1, T) ids, or (1, T, D)
    length = x.shape[1]
    batch = np.repeat(x, length + 1, axis=0)  # the last row stays as it is
    for t in range(length):
        batch[t, t] = other[0, t]
    output = _values(model(tensors(batch)), length + 1, length)
    changed = np.abs(output[:-1] - output[-1:]).max(axis=-1)  # (replaced, position)
    return {"row: position replaced, column: output changed": changed > NOTICEABLE * np.abs(output).max()}


@probe
def order(answer, inputs):
    """Does the order of earlier characters matter, and where a character stands?"""
    model, ids = _built(answer, inputs, inputs["ids"])  # (1, T)
    swapped = ids.copy()
    swapped[0, [0, 2]] = ids[0, [2, 0]]
    logits = _logits(model, np.concatenate([ids, swapped, np.full_like(ids, ids[0, 0])]))
    noise = 10 * NOTICEABLE * np.abs(logits).max()
    return {"does swapping two earlier characters change the last logits?":
            np.array(bool(np.abs(logits[0, -1] - logits[1, -1]).max() > noise)),
            "does one character, repeated, get other logits at each place?":
            np.array(bool(np.abs(np.diff(logits[2], axis=0)).max(axis=-1).min() > noise))}


@probe
def blocks(answer, inputs):
    """How many blocks' worth of weights there are when 1 and 2 are asked for, and how many weight matrices have no gradient."""
    counts = []
    for number in (1, 2):
        model, ids = _built(answer, inputs, inputs["ids"], blocks=number)
        counts.append(sum(int(np.prod(variable.shape)) for variable in model.trainable_variables))
    one = counts[1] - counts[0]
    # Everything outside the blocks is smaller than one of them in these cases.
    found = [count // one for count in counts] if one > 0 else [1, 1]

    matrices = [variable for variable in model.trainable_variables if len(variable.shape) > 1]
    if not matrices:
        raise AnswerError("has no trainable weights: create layers in __init__ and keep them in attributes of the model.")
    with tf.GradientTape() as tape:
        output = model(tensors(ids))
        _values(output, *ids.shape)
        score = tf.reduce_sum(tf.nn.log_softmax(output)[..., 0])
    gradients = tape.gradient(score, [getattr(variable, "value", variable) for variable in matrices])
    still = [gradient is None or not np.any(array(gradient)) for gradient in gradients]
    return {"blocks found when 1 and 2 are asked for": np.array(found), "weight matrices that do not learn": np.array(sum(still))}


@probe
def compiled(answer, inputs):
    """Does the model give the same in a graph in which the batch size is unknown, as in `fit`?"""
    model, ids = _built(answer, inputs, inputs["ids"])
    signature = [tf.TensorSpec([None, ids.shape[1]], tf.int32)]
    graph = tf.function(model, input_signature=signature, autograph=False)  # as `fit` does it
    return {"does it agree with the direct call?": _agree(_logits(model, ids), _values(graph(tensors(ids)), *ids.shape))}


@probe
def saved(answer, inputs):
    """Does a model that was saved and loaded give the same logits?"""
    model, ids = _built(answer, inputs, inputs["ids"])
    before = _logits(model, ids)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path, custom_objects={answer.__name__: answer}, compile=False)
    return {"are the logits the same after loading?": _agree(before, _logits(loaded, ids))}


def _built(answer, inputs, values, **changes):
    """A model or layer with its weights made and then shaken, so that none is zero and no two are alike; and its input."""
    built = answer(**inputs["config"] | changes)
    built(tensors(values))
    generator = np.random.default_rng(0)
    for variable in built.trainable_variables:
        variable.assign_add(generator.normal(0, 0.3, variable.shape).astype("float32"))
    return built, values


def _logits(model, ids):
    return _values(model(tensors(ids)), *ids.shape)


def _values(output, batch, length):
    value = array(output)
    if isinstance(value, str):
        raise AnswerError(f"returned {value}; expected a tensor.")
    if value.ndim != 3 or value.shape[:2] != (batch, length):
        raise AnswerError("returned no output for each position: the shape has to start with that of the input, (B, T).")
    return value


def _agree(a, b):
    return np.array(a.shape == b.shape and bool(np.allclose(a, b, 1e-4, 1e-4)))
