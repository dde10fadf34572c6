"""How blocks and language models are exercised, whatever their insides look like: calls of models with shaken weights.

A language model may have learned or sinusoidal positions and any start of its weights, so its numbers are nobody's to compare;
what they promise is concluded in `observe.py`.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from autograder.inside.probes import array, probe, tensors


@probe
def logits(answer, inputs):
    """The logits for several arrays of ids."""
    model, _ = _built(answer, inputs, inputs["ids"][0])
    return {f"logits {i + 1}": array(model(tensors(ids))) for i, ids in enumerate(inputs["ids"])}


@probe
def influence(answer, inputs):
    """The outputs when one position of `x` at a time is replaced by that of `other`; those of `x` as it is come last."""
    model, _ = _built(answer, inputs, inputs["x"])
    x, other = inputs["x"], inputs["other"]  # (1, T) ids, or (1, T, D)
    batch = np.repeat(x, x.shape[1] + 1, axis=0)
    for t in range(x.shape[1]):
        batch[t, t] = other[0, t]
    return {"outputs": array(model(tensors(batch)))}


@probe
def order(answer, inputs):
    """The logits of sequences that differ in the order of their characters."""
    model, ids = _built(answer, inputs, inputs["ids"])
    return {"logits": array(model(tensors(ids)))}


@probe
def blocks(answer, inputs):
    """The sizes of all trainable weights when 1 and when 2 blocks are asked for, the logits of the second model, and the rows and
    columns of its weight matrices with the gradient of a score with respect to each."""
    seen = {}
    for number in (1, 2):
        model, ids = _built(answer, inputs, inputs["ids"], blocks=number)
        sizes = [int(np.prod(variable.shape)) for variable in model.trainable_variables]
        seen[f"sizes with {number}"] = np.array(sizes, np.int64)
    matrices = [getattr(variable, "value", variable) for variable in model.trainable_variables if len(variable.shape) > 1]
    with tf.GradientTape() as tape:
        output = model(tensors(ids))
        score = tf.reduce_sum(tf.nn.log_softmax(output)[..., 0])
    gradients = tape.gradient(score, matrices)
    seen |= {"logits": array(output), "rows and columns": np.array([matrix.shape[:2] for matrix in matrices]).reshape(-1, 2)}
    return seen | {f"gradient {i + 1}": array(gradient) for i, gradient in enumerate(gradients)}


@probe
def compiled(answer, inputs):
    """The logits by a direct call, and by a graph in which the batch size is unknown, as in `fit`."""
    model, ids = _built(answer, inputs, inputs["ids"])
    signature = [tf.TensorSpec([None, ids.shape[1]], tf.int32)]
    graph = tf.function(model, input_signature=signature, autograph=False)  # as `fit` does it
    return {"directly": array(model(tensors(ids))), "in a graph": array(graph(tensors(ids)))}


@probe
def saved(answer, inputs):
    """The logits of a model before it is saved and after it is loaded."""
    model, ids = _built(answer, inputs, inputs["ids"])
    before = array(model(tensors(ids)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path, custom_objects={answer.__name__: answer}, compile=False)
    return {"before": before, "after": array(loaded(tensors(ids)))}


def _built(answer, inputs, values, **changes):
    """A model or layer with its weights made and then shaken, so that none is zero and no two are alike; and its input."""
    built = answer(**inputs["config"] | changes)
    built(tensors(values))
    generator = np.random.default_rng(0)
    for variable in built.trainable_variables:
        variable.assign_add(generator.normal(0, 0.3, variable.shape).astype("float32"))
    return built, values
