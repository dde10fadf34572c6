"""How a circuit is tested: with one of its parts stuck, as engineers test chips."""

import inspect

import numpy as np
import tensorflow as tf

from autograder.inside.probes import array, probe, tensors


@probe
def stuck(answer, inputs, *, part: str):
    """Call an answer while the function `part`, from which it is to be built, is stuck at 0, then at 1.

    A circuit that ends in a broken part can only say what the broken part says, whatever its inputs are. An answer that
    goes round the part gives itself away by being right.
    """
    function = inspect.unwrap(getattr(answer, "python_function", answer))
    names = getattr(function, "__globals__", {})
    there, before = part in names, names.get(part)
    eager = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)  # a function that has been traced would remember the part as it was
    observation = {}
    try:
        for level in (0, 1):
            names[part] = _broken(float(level))
            output = array(answer(*map(tensors, inputs)))
            observation[f"is every answer {level} with `{part}` stuck at {level}?"] = array(
                not isinstance(output, str) and output.shape == (len(inputs[0]),) and bool(np.all(output == level)))
    finally:
        tf.config.run_functions_eagerly(eager)
        if there:
            names[part] = before
        else:
            names.pop(part, None)
    return observation


def _broken(level: float):
    def part(x, *_, **__):
        return tf.fill([len(tf.convert_to_tensor(x))], level)  # (B,)

    return part
