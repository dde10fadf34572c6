"""What an answer left of the array that it was handed."""

import numpy as np


def differentiated(seen, inputs, *, observe="gradient", **_):
    """The gradient; with `observe="bits"`, how many entries of x are not bit for bit what they were.

    What x was afterwards is known from inside alone. Who computes the gradient can say that x is what it was, whatever became of
    it: nothing raw could tell that from the right answer, which may work on a copy of x all along.
    """
    if observe != "bits":
        return seen
    start, x = np.asarray(inputs[1], np.float64), np.asarray(seen["x after the call"], np.float64)
    if x.shape != start.shape:
        raise ValueError("x has another shape")
    return {"gradient": seen["gradient"], "number of changed entries of x": np.array(np.count_nonzero(x != start))}
