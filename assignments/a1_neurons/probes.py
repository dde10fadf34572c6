"""How a circuit is tested: with one of its parts stuck, as engineers test chips."""

import inspect

import tensorflow as tf

from autograder.inside.probes import array, probe, tensors


@probe
def stuck(answer, inputs, *, part: str):
    """Call an answer on `rows` while the function `part`, from which it is to be built, is stuck at each of `levels`.

    A circuit that ends in a broken part can only say what the broken part says, whatever its inputs are. An answer that
    goes round the part gives itself away by being right: see `observe.py`.
    """
    function = inspect.unwrap(getattr(answer, "python_function", answer))
    names = getattr(function, "__globals__", {})
    there, before = part in names, names.get(part)
    eager = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)  # a function that has been traced would remember the part as it was
    seen = {}
    try:
        for place, level in enumerate(inputs["levels"]):
            names[part] = _broken(float(level))
            seen[f"output {place}"] = array(answer(tensors(inputs["rows"])))
    finally:
        tf.config.run_functions_eagerly(eager)
        if there:
            names[part] = before
        else:
            names.pop(part, None)
    return seen


def _broken(level: float):
    def part(x, *_, **__):
        return tf.fill([len(tf.convert_to_tensor(x))], level)  # (B,)

    return part
