"""What is concluded from the raw arrays that this lesson's probes return, where many different answers are right."""

import numpy as np

from autograder.inside.probes import AnswerError

# ---------------------------------------------------------------------------------------------------- split

PARTS = ("x_train", "y_train", "x_val", "y_val")
SPLITS = 9  # each with a seed of its own, but the last with that of the first


def split_properties(seen, inputs, *, observe):
    """What is true of every right answer.

    Args:
        observe: which of the properties, a list of the names below.
    """
    x, y = np.asarray(inputs[0]), np.asarray(inputs[1])
    n = len(x)
    *splits, again = [{part: _part(seen[f"{part} of split {i + 1}"], part, n) for part in PARTS} for i in range(SPLITS)]
    numbers = [[_row_numbers(split[name], x) for name in ("x_train", "x_val")] for split in splits]
    held_back = [frozenset(val) for _, val in numbers]
    known = [rows for rows in held_back if rows and -1 not in rows]
    first = splits[0]
    properties = {
        "number of rows in each part": [_number(first[name], x if name[0] == "x" else y) for name in PARTS],
        "are rows lost?": any(set(range(n)) - set(train) - set(val) for train, val in numbers),  # not how many: that is chance
        "are rows in both parts?": any(set(train) & set(val) - {-1} for train, val in numbers),
        "does every row keep its own y?": all(_paired(first[f"x_{name}"], first[f"y_{name}"], x, y) for name in ("train", "val")),
        "are the validation rows chosen by chance?": known == held_back and any(_pieces(rows, n) > 1 for rows in held_back),
        "does one seed always give the same split?": all(np.array_equal(first[name], again[name]) for name in PARTS),
        "do the rows change from seed to seed?": len(set(known)) > 1,
    }
    return {name: np.asarray(properties[name]) for name in observe}


def _part(value, name, n):
    if isinstance(value, str):
        raise AnswerError("returned {received} as {name}; expected an array with one row per example.", received=value, name=name)
    if value.ndim and len(value) > 4 * n:
        raise AnswerError("returned far more rows than there are.")
    return value


def _row_numbers(part, rows):
    """For each row of a part which row of the whole it is, -1 for none."""
    if part.ndim != rows.ndim or part.shape[1:] != rows.shape[1:] or not len(part):
        return [-1] * (len(part) if part.ndim else 0)
    distance = np.abs(part[:, None].astype(np.float64) - rows[None]).reshape(len(part), len(rows), -1).max(axis=2)
    return [int(number) if near < 1e-5 else -1 for number, near in zip(distance.argmin(axis=1), distance.min(axis=1))]


def _pieces(numbers, n):
    """Into how many runs of neighbours, the last row being next to the first, some of n rows fall: one is no chance."""
    return sum((number + 1) % n not in numbers for number in numbers)


def _number(part, rows):
    """How many rows of the whole a part has."""
    return sum(number >= 0 for number in _row_numbers(part, rows))


def _paired(part_x, part_y, x, y):
    numbers = _row_numbers(part_x, x)
    if not numbers or -1 in numbers or part_y.shape != (len(numbers), *y.shape[1:]):
        return False
    return bool(np.allclose(part_y, y[numbers], atol=1e-5))


# ---------------------------------------------------------------------------------------------------- first_overfitting_epoch


def epoch_or_none(seen, inputs):
    """Whether there is an epoch, and which: -1 stands for none."""
    none = _is_none(seen["epoch"])
    return {"is it an epoch, and not None?": np.array(not none), "epoch": np.array(-1) if none else seen["epoch"]}


def epoch_of_each(seen, inputs):
    """The same for each of several pairs of curves."""
    epochs = [seen[f"epoch of pair {i + 1}"] for i in range(len(inputs["curves"]))]
    none = [_is_none(epoch) for epoch in epochs]
    if any(not missing and (isinstance(epoch, str) or epoch.ndim) for epoch, missing in zip(epochs, none)):
        raise AnswerError("returned neither a number nor None.")
    return {"list of which are epochs, and not None": ~np.array(none),
            "list of epochs": np.array([-1 if missing else epoch for epoch, missing in zip(epochs, none)])}


def _is_none(value):
    return isinstance(value, str) and value == "None"


# ---------------------------------------------------------------------------------------------------- penalties


def registration(seen, inputs):
    """Whether Keras knows the class by a registered name."""
    registered = not np.array_equal(seen["registered name"], seen["name of the class"])
    return {"is the class registered with Keras?": np.array(registered)}


# ---------------------------------------------------------------------------------------------------- bump_network


WEIGHTS = ("w1", "b1", "w2", "b2")
EXCESS = "excess of the mean error over L/(2n), which should be 0,"
HALVES = tuple(f"excess of the mean error over L/n on the {which} halves of all pieces, which should be 0,"
               for which in ("first", "second"))


def approximation_error(seen, inputs):
    """By how much the mean error exceeds L/(2n): 0 for every right answer, and so by how much that on half of the places exceeds
    twice as much. Two mistakes with the same mean error differ in where they make it."""
    return dict(zip((EXCESS, *HALVES), map(np.array, _excesses(seen, inputs[0], inputs[1]))))


def approximation_error_of_each(seen, inputs):
    """The same for each of several functions."""
    networks = [{name: seen[f"{name} of function {i + 1}"] for name in WEIGHTS} for i in range(len(inputs[0]))]
    excesses = [_excesses(network, values, inputs[1]) for network, values in zip(networks, inputs[0])]
    return dict(zip((EXCESS, *HALVES), map(np.array, zip(*excesses))))


def _excesses(network, values, n):
    """On all places, on the first and on the second halves of the pieces that bumps stand on."""
    values = np.asarray(values, np.float64)
    w1, b1, w2, b2 = _weights(network, n)
    x = np.linspace(0.5 / n, 1 - 0.5 / n, 1001)  # half a bump away from both ends
    output = 0.5 * (1 + np.tanh((x[:, None] * w1 + b1) / 2)) @ w2 + b2
    errors = np.abs(output - np.interp(x, np.linspace(0, 1, len(values)), values))
    steepest = (len(values) - 1) * np.max(np.abs(np.diff(values)))
    first = (n * x) % 1 < 0.5
    return [np.maximum(np.mean(part) / (steepest / (2 * n)) - 1, 0.0)  # NaN stays NaN
            for part in (errors, np.where(first, errors, 0.0), np.where(first, 0.0, errors))]


def _weights(seen, n):
    """The four weights as float64 vectors, w2 included; biases may have a leading axis of 1, as they broadcast."""
    allowed = {"w1": [(1, 2 * n)], "b1": [(2 * n,), (1, 2 * n)], "w2": [(2 * n, 1)], "b2": [(1,), (1, 1), ()]}
    for name, shapes in allowed.items():
        if isinstance(seen[name], str):
            raise AnswerError("returned {received} as {name}; expected an array.", received=seen[name], name=name)
        if seen[name].shape not in shapes:
            raise AnswerError("returned {name} in a shape that does not fit n bumps; expected (1, 2n) for w1, (2n,) for b1, "
                              "(2n, 1) for w2 and (1,) for b2.", name=name)
    return [seen[name].astype(np.float64).ravel() for name in allowed]
