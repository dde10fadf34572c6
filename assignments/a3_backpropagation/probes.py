"""How a3's answers are exercised where they take a function, give lists of arrays, or have to work in float64."""

from collections.abc import Iterator

import numpy as np

from autograder.inside.probes import AnswerError, array, probe

FUNCTIONS = {  # f(x, k) -> a number; k are constants of x's shape
    "sum of cubes": lambda x, k: np.sum(x ** 3),
    "square and product": lambda x, k: x[0, 0] ** 2 * x[0, 1] + x[1, 0] * x[1, 1],
    "waves": lambda x, k: np.sum(np.sin(k * x)),
    "soft maximum": lambda x, k: np.log(np.sum(np.exp(k * x))),
}


@probe
def differentiated(answer, inputs, *, h=None, view=False, observe="gradient"):
    """Call `answer(f, x)`, or `answer(f, x, h)`, with the function f that the first input names.

    Args:
        view: hand over x as the transpose of another array.
        observe: `"gradient"`, `"x"` (x after the call as well) or `"bits"` (how many entries of that are not bit for bit
            what they were, instead: see `observe.py`).
    """
    name, start, *constants = inputs
    start = np.asarray(start, np.float64)
    x = np.ascontiguousarray(start.T).T if view else np.array(start)

    def f(value):
        value = np.asarray(value)
        if value.shape != start.shape:
            raise AnswerError("called f with an array of another shape; f takes arrays of x's own shape, {shape}.",
                              shape=start.shape)
        return float(FUNCTIONS[name](value, *(constants or [None])))

    gradient = {"gradient": array(answer(f, x) if h is None else answer(f, x, h))}
    return gradient if observe == "gradient" else gradient | {"x after the call": np.array(x)}


@probe
def in_float64(answer, inputs):
    """Call a function with float64 tensors."""
    import tensorflow as tf  # lazy, as in autograder.inside.probes

    return {"output": array(answer(*(tf.constant(value, tf.float64) for value in inputs)))}


@probe
def layerwise(answer, inputs, *, dtype="float32"):
    """Call `answer(x, y, weights, biases)` and observe the two lists it returns, layer by layer."""
    import tensorflow as tf

    x, y, weights, biases = inputs
    lists = [[tf.constant(value, dtype) for value in values] for values in (weights, biases)]
    returned = answer(tf.constant(x, dtype), tf.constant(y, dtype), *lists)
    returned = list(returned) if isinstance(returned, Iterator) else returned
    if not isinstance(returned, (list, tuple)) or len(returned) != 2:
        raise AnswerError("returned something else than two lists; expected 2: the list dWs and the list dbs.")
    observation = {}
    for name, values in zip(("dW", "db"), returned):
        try:
            values = list(values)
        except TypeError:
            raise AnswerError("returned something that is no list; expected one array per layer.") from None
        if len(values) != len(weights):
            raise AnswerError("returned a list of another length; expected one array per layer, {count}.", count=len(weights))
        observation |= {f"{name} of layer {layer}": array(value) for layer, value in enumerate(values, start=1)}
    return observation
