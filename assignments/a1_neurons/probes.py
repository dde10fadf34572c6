"""How a circuit is tested: with one of its parts broken, as engineers test chips."""

import inspect

import tensorflow as tf

from autograder.inside.probes import array, probe, tensors


@probe
def broken(answer, inputs, *, part: str):
    """Call an answer on `rows` while the function `part`, from which it is to be built, answers by each of `tables` instead.

    A circuit that ends in a broken part can only say what the broken part says. An answer that goes round the part gives
    itself away by being right: see `observe.py`.

    Inputs: rows (B, 2) of bits; tables, each with the answers to the rows 00, 01, 10 and 11, whatever the weights.
    """
    function = inspect.unwrap(getattr(answer, "python_function", getattr(answer, "func", answer)))
    names = getattr(function, "__globals__", {})
    there, before = part in names, names.get(part)
    eager = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)  # a function that has been traced would remember the part as it was
    seen = {}
    try:
        for i, table in enumerate(inputs["tables"]):
            names[part] = _broken(table)
            seen[f"output {i + 1}"] = array(answer(tensors(inputs["rows"])))
    finally:
        tf.config.run_functions_eagerly(eager)
        if there:
            names[part] = before
        else:
            names.pop(part, None)
    return seen


def _broken(table):
    def part(x, *_, **__):
        bits = tf.cast(tf.convert_to_tensor(x) != 0, tf.int32)  # (B, 2); -2 for 1, with the sign of a weight, is as good
        return tf.gather(tf.constant(table, tf.float32), 2 * bits[..., 0] + bits[..., 1])  # (B,)

    return part
