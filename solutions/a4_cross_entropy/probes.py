"""How the answers of this lesson are exercised where one call has too few possible results: anybody could guess it."""

from autograder.inside.probes import array, probe, tensors


@probe
def each(answer, inputs):
    """Call a function with every list of arguments, one after another."""
    return {"output": array([array(answer(*map(tensors, arguments))) for arguments in inputs[0]])}
