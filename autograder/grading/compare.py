"""Are two observations the same answer? If not, one sentence that says how they differ and gives nothing away.

Total: whatever a student's code returned, `difference` answers. It names shapes and counts, never values.
"""

from __future__ import annotations

import numpy as np

from autograder.inside.protocol import Observation


def difference(expected: Observation, received: Observation, rtol: float, atol: float) -> str | None:
    """None when every named array is the same; otherwise a sentence about the first that is not."""
    if set(expected) != set(received):
        missing = ", ".join(name for name in expected if name not in received)
        return f"Expected {', '.join(expected)}; nothing was received for {missing}." if missing else \
            f"Expected {', '.join(expected)} alone; more was received."
    for name, right in expected.items():
        if name.endswith("?") and _is_flag(right) and _is_flag(received[name]) and bool(right) != bool(received[name]):
            return f"{name[:1].upper()}{name[1:]} {_yes(received[name])}; it should be {_yes(right).lower()}."
        # Reference observations are arrays; a description stands only where a known mistake returned no array.
        if sentence := _array_difference(right, received[name], rtol, atol):
            subject = "It returned" if name == "output" else f"The {name} is"
            return f"{subject} {sentence}."
    return None


def _array_difference(right, got, rtol: float, atol: float) -> str | None:
    if isinstance(right, str) or isinstance(got, str):
        if isinstance(right, str) and isinstance(got, str) and right == got:
            return None
        return f"{_words(got)}; expected {_words(right)}"
    if right.shape != got.shape:
        return f"{_words(got)}; expected {_words(right)}"
    if got.dtype.kind == "c" and right.dtype.kind != "c" and np.any(got.imag != 0):
        return f"complex numbers; expected {_words(right)}"
    if right.dtype.kind in "biu":
        rtol = atol = 0  # what is counted is exact
    right, got = _floats(right), _floats(got)
    wrong = ~np.isclose(got, right, rtol, atol, equal_nan=True)
    count = int(np.count_nonzero(wrong))
    if count == 0:
        return None
    where = "" if got.size == 1 else f" in {count} of {got.size} entries" if count < got.size else " in every entry"
    if np.any(np.isnan(got[wrong])):
        return f"NaN (not a number){where}"
    if np.any(np.isinf(got[wrong])):
        return f"an infinite value{where}"
    return f"{_shape(got)} with the right shape but other values{where}" if got.ndim else "a number other than expected"


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
    return value if isinstance(value, str) else _shape(value)
