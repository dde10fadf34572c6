"""What is concluded from the raw arrays that this assignment's probes return: refusals, windows, a new cell, shares of draws."""

import numpy as np

from autograder.inside.probes import AnswerError

MAX_CHARACTERS = 2000  # of a message

# ---------------------------------------------------------------------------------------------------- characters


def ids_or_refusals(seen, inputs):
    """For which texts a ValueError was raised, whether it shows an unknown character, and how many ids the others have."""
    refused, shown, counts = [], [], []
    for i, (text, vocabulary) in enumerate(inputs["texts"]):
        message, ids = seen.get(f"ValueError of text {i + 1}"), seen.get(f"ids of text {i + 1}")
        unknown = [character for character in text if character not in vocabulary]
        refused.append(message is not None)
        shown.append(message is not None and any(repr(character) in _text(message) for character in unknown))
        counts.append(ids.shape[0] if message is None and isinstance(ids, np.ndarray) and ids.ndim else 0)
    return {"list of ValueErrors": np.array(refused), "list of messages that show the character": np.array(shown),
            "count of ids": np.array(counts)}


def _text(code_numbers):
    return "".join(chr(number) for number in code_numbers[:MAX_CHARACTERS].tolist())


# ---------------------------------------------------------------------------------------------------- windows


def windows(seen, inputs):
    """The batches' sizes and all their windows."""
    return _windows(seen, "")


def windows_of_each(seen, inputs):
    """The same for several texts."""
    observation = {}
    for i in range(len(inputs["calls"])):
        observation |= _windows(seen, f" of text {i + 1}")
    return observation


def _windows(seen, of):
    inputs, targets = [], []
    while (name := f"batch {len(inputs) + 1}{of}") and f"inputs of {name}" in seen:
        inputs.append(seen[f"inputs of {name}"])
        targets.append(seen[f"targets of {name}"])
    sizes = [part.shape[0] if isinstance(part, np.ndarray) and part.ndim else 0 for part in inputs]
    return {f"number of windows per batch{of}": np.array(sizes, np.int32), f"stack of inputs{of}": _joined(inputs),
            f"stack of targets{of}": _joined(targets)}


def _joined(parts):
    """Batches laid one after another, or a few words when they are no arrays of windows."""
    words = [part for part in parts if isinstance(part, str)]
    if words:
        return words[0]
    if odd := [part for part in parts if part.ndim != 2]:
        return f"made of batches of shape {odd[0].shape}"
    if len({part.shape[1] for part in parts}) > 1:
        return "made of windows of different lengths"
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.int32)


# ---------------------------------------------------------------------------------------------------- cells


def new_cell(seen, inputs):
    """What a cell is like before any training."""
    names = [*(f"shape of {name}" for name in ("kernel", "recurrent_kernel", "bias")), "state_size", "bias at the start"]
    trained = sum(name.startswith("shape of trained weight ") for name in seen)
    return {name: seen[name] for name in names} | {"number of trained weights": np.array(trained)}


# ---------------------------------------------------------------------------------------------------- draws


def _ids(seen, count, number):
    """What was drawn, as ids below `count`; that many of them."""
    odd = seen.get("no number")
    if isinstance(odd, str):
        raise AnswerError("returned {received}; expected one number.", received=odd)
    if odd is not None:
        raise AnswerError("returned an array of shape {shape}; expected one number.", shape=odd.shape)
    ids = seen["ids"]
    if ids.dtype.kind not in "biuf" or not np.all(np.isfinite(ids) & (ids == np.floor(ids)) & (ids >= 0) & (ids < count)):
        raise AnswerError("returned a number that is no id; expected a whole number from 0 to V - 1.")
    if ids.shape != (number,):
        raise AnswerError("did not return one id for each seed.")
    return ids.astype(np.int64)


def draws(seen, inputs, *, times=400):
    """How often each id came up."""
    logits = np.asarray(inputs[0])
    return {"list of shares": np.bincount(_ids(seen, len(logits), times), minlength=len(logits)) / times}


def draws_of_each(seen, inputs, *, times):
    """The same for every row of a table of logits: (rows, ids)."""
    rows, count = np.asarray(inputs[0]).shape
    ids = _ids(seen, count, rows * times).reshape(rows, times)
    return {"list of shares": np.stack([np.bincount(row, minlength=count) for row in ids]) / times}


def repeats(seen, inputs, *, times=12):
    """Whether the ids of one seed agree."""
    first, again = _ids(seen, len(inputs[0]), 2 * times).reshape(times, 2).T
    return {"same id both times, for every seed?": np.array(np.array_equal(first, again))}
