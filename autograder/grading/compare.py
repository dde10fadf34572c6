"""Are two observations the same answer? If not, one sentence that says how they differ and gives nothing away.

Total: whatever a student's code returned, `difference` answers. It never says a value; of a hidden case's answer it says no
number either that student code could choose, but one of the `differences` that the key alone makes possible.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from autograder.inside.protocol import NO_ARRAY, WORDS, Observation

MOST_AXES = 4  # whose sizes are looked at one by one
MOST_NUMBER = 8  # of axes that are counted
OTHER_VALUES, OTHER_NUMBER = "with the right shape but other values", "a number other than expected"
SHARES = ("", " in one entry", " in some entries", " in most entries", " in every entry")


def difference(expected: Observation, received: Observation, rtol: float, atol: float, visible: bool = False) -> str | None:
    """None when every named array is the same; otherwise a sentence about the first that is not.

    Args:
        visible: say the received shape and how many entries are wrong, which student code can choose.
    """
    if set(expected) != set(received):
        missing = [name for name in expected if name not in received]
        return _missing(expected, missing[0]) if missing else _additional(expected)
    for name, right in expected.items():
        if name.endswith("?") and _is_flag(right) and _is_flag(received[name]) and bool(right) != bool(received[name]):
            return _flag(name, right)
        # Reference observations are arrays; a description stands only where a known mistake returned no array.
        if words := _array_difference(right, received[name], rtol, atol, visible):
            return _subject(name, words)
    return None


def differences(expected: Observation) -> Iterator[str]:
    """Every sentence that `difference` has for a hidden case."""
    yield _additional(expected)
    for name, right in expected.items():
        yield _missing(expected, name)
        if name.endswith("?") and _is_flag(right):
            yield _flag(name, right)
        yield from (_subject(name, words) for words in dict.fromkeys(_all_words(right)))


def says_little(sentence: str) -> bool:
    """Does a sentence of `difference` say no more than that values are others than expected?"""
    return OTHER_VALUES in sentence or OTHER_NUMBER in sentence


def _missing(expected: Observation, name: str) -> str:
    return f"Expected {', '.join(expected)}; nothing was received for {name}."


def _additional(expected: Observation) -> str:
    return f"Expected {', '.join(expected)} alone; more was received."


def _flag(name: str, right) -> str:
    return f"{name[:1].upper()}{name[1:]} {_yes(not right)}; it should be {_yes(right).lower()}."


def _subject(name: str, words: str) -> str:
    return f"{'It returned' if name == 'output' else f'The {name} is'} {words}."


def _array_difference(right, got, rtol: float, atol: float, visible: bool) -> str | None:
    if isinstance(right, str) or isinstance(got, str):
        if isinstance(right, str) and isinstance(got, str) and right == got:
            return None
        return _instead(_words(got) if isinstance(got, str) or visible else _axes(got.ndim), right)
    if right.shape != got.shape:
        return _instead(_words(got) if visible else _axes(got.ndim) if right.ndim != got.ndim else
                        _sizes([axis for axis in range(right.ndim) if right.shape[axis] != got.shape[axis]]), right)
    if got.dtype.kind == "c" and right.dtype.kind != "c" and np.any(got.imag != 0):
        return _instead("complex numbers", right)
    if right.dtype.kind in "biu":
        rtol = atol = 0  # what is counted is exact
    right, got = _floats(right), _floats(got)
    wrong = ~np.isclose(got, right, rtol, atol, equal_nan=True)
    count = int(np.count_nonzero(wrong))
    if count == 0:
        return None
    where = SHARES[0] if got.size == 1 else SHARES[4] if count == got.size else f" in {count} of {got.size} entries" if visible \
        else SHARES[1] if count == 1 else SHARES[2] if 2 * count <= got.size else SHARES[3]
    return _values("nan" if np.any(np.isnan(got[wrong])) else "infinite" if np.any(np.isinf(got[wrong])) else "", right, where)


def _all_words(right) -> Iterator[str]:
    """Every end of the sentence on one array of a hidden case."""
    numbers = map(_axes, range(MOST_NUMBER + 2))
    yield from (_instead(words, right) for words in (*sorted(WORDS), *numbers, "complex numbers"))
    if isinstance(right, str):
        return
    axes = range(min(right.ndim, MOST_AXES))
    further = ([], [MOST_AXES]) if right.ndim > MOST_AXES else ([],)
    for number in range(len(axes) + 1):
        for some, more in itertools.product(itertools.combinations(axes, number), further):
            if some or more:
                yield _instead(_sizes([*some, *more]), right)
    yield from (_values(kind, right, share) for kind in ("nan", "infinite", "") for share in SHARES)


def _instead(words: str, right) -> str:
    return f"{words}; expected {_words(right)}"


def _axes(number: int) -> str:
    """An array by how many axes it has."""
    return "a number" if number == 0 else "an array of 1 axis" if number == 1 else \
        f"an array of {number if number <= MOST_NUMBER else f'more than {MOST_NUMBER}'} axes"


def _sizes(axes: list[int]) -> str:
    """An array by the axes along which it has another size."""
    named = [str(axis) for axis in axes if axis < MOST_AXES] + ["later ones"] * any(axis >= MOST_AXES for axis in axes)
    listed = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    return f"an array with another size along {'axis' if len(named) == 1 and axes[0] < MOST_AXES else 'axes'} {listed}"


def _values(kind: str, right: np.ndarray, where: str) -> str:
    if kind:
        return f"{'NaN (not a number)' if kind == 'nan' else 'an infinite value'}{where}"
    return f"{_shape(right)} {OTHER_VALUES}{where}" if right.ndim else OTHER_NUMBER


def _is_flag(value) -> bool:
    """Is this the answer to a yes-or-no question, after which a probe has named it?"""
    return isinstance(value, np.ndarray) and value.dtype.kind == "b" and value.ndim == 0


def _yes(flag) -> str:
    return "Yes" if flag else "No"


def _floats(value: np.ndarray) -> np.ndarray:
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)


def _shape(value: np.ndarray) -> str:
    return f"an array of shape {tuple(value.shape)}" if value.ndim else "a number"


def _words(value) -> str:
    if isinstance(value, str):
        return value if value in WORDS else NO_ARRAY
    return _shape(value)
