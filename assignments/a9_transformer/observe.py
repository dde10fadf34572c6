"""What a block's outputs and a language model's logits say of it: yes or no, and numbers of things.

Equal rows of ids must have equal logits and different rows different ones: which rows are equal is the case's to choose.
"""

import numpy as np

from autograder.inside.probes import AnswerError

NOTICEABLE = 1e-5  # of the largest entry: more than the noise of float32, less than what any character does


def logits(seen, inputs):
    """The shapes, and whether the logits are free to be negative and to sum to anything."""
    outputs = [seen[f"output {number}"] for number in range(len(inputs["ids"]))]
    observation = {f"shape for ids of shape {ids.shape}": value if isinstance(value, str) else np.array(value.shape)
                   for ids, value in zip(inputs["ids"], outputs)}
    numbers = [value for value in outputs if not isinstance(value, str) and value.ndim > 1]
    if not numbers:
        raise AnswerError("returned no logits; expected a tensor of shape (B, T, V).")
    for ids, value in zip(inputs["ids"], outputs):
        if not isinstance(value, str) and value.shape[:2] == ids.shape and value.ndim == 3:
            _told_apart(ids, value)
    rows = np.concatenate([value.reshape(-1, value.shape[-1]).sum(axis=-1) for value in numbers])
    return observation | {"rows sum to 1": np.array(np.allclose(rows, 1, atol=1e-3)),
                          "some are negative": np.array(any((value < 0).any() for value in numbers))}


def influence(seen, inputs):
    """Which positions notice a change of one."""
    length = inputs["x"].shape[1]
    output = _values(seen["output"], length + 1, length)
    changed = np.abs(output[:-1] - output[-1:]).max(axis=-1)  # (replaced, position)
    return {"row: position replaced, column: output changed": changed > NOTICEABLE * np.abs(output).max()}


def order(seen, inputs):
    """Does the order of earlier characters matter, and where a character stands?"""
    ids, swaps = inputs["ids"], inputs["swaps"]
    output = _values(seen["output"], len(swaps) + 2, ids.shape[1])
    noise = 10 * NOTICEABLE * np.abs(output).max()
    changed = [bool(np.abs(row[-1] - output[0, -1]).max() > noise) for row in output[1:-1]]
    if any(change for change, (a, b) in zip(changed, swaps) if a == b):
        raise AnswerError("gives other logits to the same characters when it is asked again.")
    return {"does swapping two earlier characters change the last logits?":
            np.array(all(change for change, (a, b) in zip(changed, swaps) if a != b)),
            "does one character, repeated, get other logits at each place?":
            np.array(bool(np.abs(np.diff(output[-1], axis=0)).max(axis=-1).min() > noise))}


def blocks(seen, inputs):
    """How many blocks' worth of weights there are, and how many weight matrices have no gradient."""
    (a, b), ids = map(int, inputs["numbers"]), inputs["ids"]
    _values(seen["output"], *ids.shape)
    counts = [int(np.sum(seen[f"sizes of weights {place}"])) for place in range(2)]
    one = (counts[0] - counts[1]) // (a - b)
    # Everything outside the blocks is smaller than one of them in these cases.
    found = [count // one for count in counts] if one > 0 else [1, 1]
    return {"blocks found for the numbers asked for": np.array(found),
            "weight matrices that do not learn": np.array(int(np.sum(seen["largest gradients"] == 0)))}


def compiled(seen, inputs):
    """Does the graph give the same as the direct call?"""
    return {"does it agree with the direct call?": _agree(seen, inputs["ids"])}


def saved(seen, inputs):
    """Does a model that was saved and loaded give the same?"""
    return {"are the logits the same after loading?": _agree(seen, inputs["ids"])}


def _agree(seen, ids):
    first, second = (_values(seen[name], *ids.shape) for name in ("output", "other"))
    _told_apart(ids, first)
    return np.array(first.shape == second.shape and bool(np.allclose(first, second, 1e-4, 1e-4)))


def _told_apart(ids, output):
    """Refuse logits that are not a function of the characters, or that are the same for all of them."""
    noise = 10 * NOTICEABLE * np.abs(output).max()
    for i in range(len(ids)):
        for j in range(i):
            if np.array_equal(ids[i], ids[j]) != bool(np.abs(output[i] - output[j]).max() <= noise):
                raise AnswerError("gives other logits to the same characters, or the same ones to others.")


def _values(value, batch, length):
    if isinstance(value, str):
        raise AnswerError("returned something else than a tensor.")
    if value.ndim != 3 or value.shape[:2] != (batch, length):
        raise AnswerError("returned no output for each position: the shape has to start with that of the input, (B, T).")
    return value
