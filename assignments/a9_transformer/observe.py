"""What is concluded from the outputs of blocks and language models.

Sequences come several times within a batch, in places that only the case knows: logits that do not follow the sequences are
no model's, and nothing is concluded from them.
"""

import numpy as np

from autograder.inside.probes import AnswerError

NOTICEABLE = 1e-5  # of the largest entry: more than the noise of float32, less than what any character does


def logits(seen, inputs):
    """The shapes of the logits for several arrays of ids, and whether they are free to be negative and to sum to anything."""
    outputs = [seen[f"logits {i + 1}"] for i in range(len(inputs["ids"]))]
    observation = {f"shape for ids of shape {ids.shape}": value if isinstance(value, str) else np.array(value.shape)
                   for ids, value in zip(inputs["ids"], outputs)}
    numbers = [value for value in outputs if not isinstance(value, str) and value.ndim > 1]
    if not numbers:
        raise AnswerError("returned no logits; expected a tensor of shape (B, T, V).")
    for ids, value in zip(inputs["ids"], outputs):
        if not isinstance(value, str) and value.shape[:2] == ids.shape:
            _follow(value, ids)
    numbers = np.concatenate([value.reshape(-1, value.shape[-1]) for value in numbers])
    return observation | {"rows sum to 1": np.array(np.allclose(numbers.sum(axis=-1), 1, atol=1e-3)),
                          "some are negative": np.array(bool((numbers < 0).any()))}


def influence(seen, inputs):
    """Which positions notice a change of one position; where `other` has what `x` has, none may."""
    length = inputs["x"].shape[1]
    output = _values(seen["outputs"], length + 1, length)
    changed = np.abs(output[:-1] - output[-1:]).max(axis=-1)  # (replaced, position)
    return {"row: position replaced, column: output changed": changed > NOTICEABLE * np.abs(output).max()}


def order(seen, inputs):
    """Does the order of earlier characters matter, and where a character stands? `rows` are those of the sequence, of the one
    with two characters swapped, and of one character repeated."""
    logits = _logits(seen["logits"], inputs["ids"])
    first, swapped, repeated = logits[np.asarray(inputs["rows"])]
    noise = 10 * NOTICEABLE * np.abs(logits).max()
    return {"does swapping two earlier characters change the last logits?":
            np.array(bool(np.abs(first[-1] - swapped[-1]).max() > noise)),
            "does one character, repeated, get other logits at each place?":
            np.array(bool(np.abs(np.diff(repeated, axis=0)).max(axis=-1).min() > noise))}


def blocks(seen, inputs):
    """How many blocks' worth of weights there are when 1 and 2 are asked for, how many weight matrices have no gradient, and
    whether one of them has a row for every character, as an embedding does."""
    ids, depth, hidden = inputs["ids"], inputs["config"]["d_model"], inputs["config"]["d_ff"]
    sizes = [seen[f"sizes with {number}"].ravel().tolist() for number in (1, 2)]
    if not sizes[1] or "gradient 1" not in seen:
        raise AnswerError("has no trainable weights: create layers in __init__ and keep them in attributes of the model.")
    counts = [sum(map(int, entries)) for entries in sizes]
    one = counts[1] - counts[0]
    if one > 0 and depth * hidden not in sizes[1]:
        raise AnswerError("has no weights of d_model times d_ff numbers, which the network in each block needs.")
    # Everything outside the blocks is smaller than one of them in these cases.
    found = [count // one for count in counts] if one > 0 else [1, 1]
    _logits(seen["logits"], ids)
    gradients = [value for name, value in seen.items() if name.startswith("gradient ")]
    if any(not isinstance(value, str) and value.size not in sizes[1] for value in gradients):
        raise AnswerError("has gradients of other sizes than its weights.")
    still = [isinstance(value, str) or not np.any(value) for value in gradients]
    return {"blocks found when 1 and 2 are asked for": np.array(found), "weight matrices that do not learn": np.array(sum(still)),
            "is there an embedding that learns, with a row for every character?": np.array(_has_rows(seen, inputs["config"]))}


def _has_rows(seen, config):
    """In the hidden case there are more characters than any other matrix of `d_model` columns has rows."""
    return any(columns == config["d_model"] and rows >= config["vocabulary_size"] for rows, columns in seen["rows and columns"])


def compiled(seen, inputs):
    """Does the model give the same in a graph in which the batch size is unknown, as in `fit`?"""
    return {"does it agree with the direct call?": _agree(seen["directly"], seen["in a graph"], inputs["ids"])}


def saved(seen, inputs):
    """Does a model that was saved and loaded give the same logits?"""
    return {"are the logits the same after loading?": _agree(seen["before"], seen["after"], inputs["ids"])}


def _values(value, batch, length):
    if isinstance(value, str):
        raise AnswerError("returned {what}; expected a tensor.", what=value)
    if value.ndim != 3 or value.shape[:2] != (batch, length):
        raise AnswerError("returned no output for each position: the shape has to start with that of the input, (B, T).")
    return value


def _logits(value, ids):
    return _follow(_values(value, *ids.shape), ids)


def _follow(logits, ids):
    """The logits of sequences (B, T), if equal sequences have equal ones and different sequences do not."""
    size = np.abs(logits).max()
    for i in range(len(ids)):
        for j in range(i):
            apart = np.abs(logits[i] - logits[j]).max()
            alike = np.array_equal(ids[i], ids[j])
            if not (apart <= 1e-3 * size if alike else apart > NOTICEABLE * size):
                raise AnswerError("gives equal sequences different logits, or different sequences the same: the logits of a "
                                  "sequence depend on its characters and on nothing else.")
    return logits


def _agree(a, b, ids):
    a, b = _logits(a, ids), _logits(b, ids)
    return np.array(a.shape == b.shape and bool(np.allclose(a, b, 1e-4, 1e-4)))
