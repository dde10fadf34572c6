"""How `causal_mask` is called with several lengths, and functions of tensors in a graph."""

from autograder.inside.probes import array, probe, tensors


@probe
def mask_of_each(answer, inputs):
    """Call `causal_mask` once for each of several lengths."""
    return {f"mask {i + 1}": array(answer(length)) for i, length in enumerate(inputs["lengths"])}


@probe
def with_an_unknown_batch(answer, inputs):
    """Call a function of a tensor, and whatever else, as a compiled model does: the tensor's first axis is of unknown size.

    An answer that is written in NumPy cannot be compiled, and is called as it is.
    """
    import tensorflow as tf  # lazy, as in autograder.inside.probes

    x = tensors(inputs[0])
    signature = [tf.TensorSpec([None, *x.shape[1:]], x.dtype)]
    try:
        output = tf.function(lambda x: answer(x, *inputs[1:]), input_signature=signature, autograph=False)(x)
    except (NotImplementedError, AttributeError) as error:  # "cannot convert a symbolic tensor to a NumPy array"; `x.numpy()`
        if isinstance(error, AttributeError) and error.name != "numpy":
            raise
        output = answer(x, *inputs[1:])
    return {"output": array(output)}
