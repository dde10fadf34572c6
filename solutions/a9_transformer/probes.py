"""How blocks and language models are exercised, whatever their insides look like: what they give for which characters.

A language model may have learned or sinusoidal positions and any start of its weights. What follows from its logits is concluded
in `observe.py`.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from autograder.inside.probes import AnswerError, array, probe, tensors


@probe
def logits(answer, inputs):
    """The logits for several arrays of ids."""
    model, _ = _built(answer, inputs, inputs["ids"][0])
    return {f"output {number}": array(model(tensors(ids))) for number, ids in enumerate(inputs["ids"])}


@probe
def influence(answer, inputs):
    """The outputs for `x` (1, T) or (1, T, D) with one position at a time replaced by `other`'s, and for `x`, last."""
    model, _ = _built(answer, inputs, inputs["x"])
    x, other = inputs["x"], inputs["other"]
    length = x.shape[1]
    batch = np.repeat(x, length + 1, axis=0)
    for t in range(length):
        batch[t, t] = other[0, t]
    return {"output": array(model(tensors(batch)))}


@probe
def order(answer, inputs):
    """The logits for ids (1, T), for the same with each of `swaps` made, and for the first character repeated."""
    model, ids = _built(answer, inputs, inputs["ids"])
    swapped = np.repeat(ids, len(inputs["swaps"]), axis=0)
    for row, (a, b) in zip(swapped, inputs["swaps"]):
        row[[a, b]] = row[[b, a]]
    return {"output": array(model(tensors(np.concatenate([ids, swapped, np.full_like(ids, ids[0, 0])]))))}


@probe
def blocks(answer, inputs):
    """The sizes of all trainable weights for each of `numbers` of blocks; the largest gradient of each matrix of the last."""
    seen = {}
    for place, number in enumerate(inputs["numbers"]):
        model, ids = _built(answer, inputs, inputs["ids"], blocks=int(number))
        variables = model.trainable_variables
        seen[f"sizes of weights {place}"] = np.array([int(np.prod(variable.shape)) for variable in variables], np.int64)
    matrices = [variable for variable in variables if len(variable.shape) > 1]
    if not matrices:
        raise AnswerError("has no trainable weights: create layers in __init__ and keep them in attributes of the model.")
    with tf.GradientTape() as tape:
        output = model(tensors(ids))
        score = tf.reduce_sum(tf.nn.log_softmax(output)[..., 0])
    gradients = tape.gradient(score, [getattr(variable, "value", variable) for variable in matrices])
    largest = [0.0 if gradient is None else float(np.abs(np.asarray(array(gradient))).max()) for gradient in gradients]
    return seen | {"output": array(output), "largest gradients": np.array(largest)}


@probe
def compiled(answer, inputs):
    """The logits, and those of a graph in which the batch size is unknown, as in `fit`."""
    model, ids = _built(answer, inputs, inputs["ids"])
    signature = [tf.TensorSpec([None, ids.shape[1]], tf.int32)]
    graph = tf.function(model, input_signature=signature, autograph=False)  # as `fit` does it
    return {"output": array(model(tensors(ids))), "other": array(graph(tensors(ids)))}


@probe
def saved(answer, inputs):
    """The logits, and those of the model once saved and loaded."""
    model, ids = _built(answer, inputs, inputs["ids"])
    before = array(model(tensors(ids)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path, custom_objects={answer.__name__: answer}, compile=False)
    return {"output": before, "other": array(loaded(tensors(ids)))}


def _built(answer, inputs, values, **changes):
    """A model or layer with its weights made and then shaken, so that none is zero and no two are alike; and its input."""
    built = answer(**inputs["config"] | changes)
    built(tensors(values))
    generator = np.random.default_rng(0)
    for variable in built.trainable_variables:
        variable.assign_add(generator.normal(0, 0.3, variable.shape).astype("float32"))
    return built, values
