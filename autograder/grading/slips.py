"""Which general slip turns what was expected into what was received? Of any question: no misconception has to be declared.

Each says a relation that holds between the two arrays, up to the case's tolerance, and where to look. What numbers would do by
chance says nothing: too few of them, whole ones, or loosely compared ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from autograder.grading.key import CaseKey
from autograder.inside.protocol import Outcome

MOST_ENTRIES = 100_000  # that a slip is looked for in, beyond those expected
MOST_AXES = 4  # that may have changed places
LARGEST = 1e30  # beyond which nothing is computed with what came
LOOSE = 0.01  # a tolerance within which values coincide
FEWEST = 3  # different numbers of which the same holds
SLIPS = {  # what a slip is, as advice
    "no array": "Does every path end in `return`?",
    "shape": "The values are right: only their shape is not.",
    "transposed": "The values are right but transposed.",
    "places": "The values are right, but they stand in other places: look at the order in which axes or steps are taken.",
    "missing": "The values are right as far as they go: some are missing at one end. Look where your loop or slice "
               "begins and ends.",
    "surplus": "The right values are all there, and more at one end. Look where your loop or slice begins and ends.",
    "exchanged": "Two of the results have changed places.",
    "reduction": "One number is expected: has the last reduction been forgotten?",
    "unreduced": "An axis is there that should not be: has a sum, a mean or a maximum over it been forgotten?",
    "reduced": "An axis is missing: a sum, a mean or a maximum has been taken over it, too.",
    "sign": "The sign is reversed.",
    "sign of some": "The sizes are right, but some signs are not.",
    "factor": "All values are off by one constant factor: look for a missing or an extra one (mean or sum, ½, a rate).",
    "offset": "All values are off by one constant: something is added that should not be, or is missing.",
    "complement": "Every value is 1 minus the right one.",
    "line": "All values are off by one constant factor and one constant summand.",
    "reciprocal": "Every value is 1 divided by the right one: have a numerator and a denominator changed places?",
    "square": "Every value is the square of the right one.",
    "root": "Every value is the square root of the right one.",
    "logarithm": "Every value is the logarithm of the right one.",
    "exponential": "Every value is the exponential function of the right one.",
    "cut off": "Every negative value has become 0; the others are right.",
    "whole numbers": "The values are cut or rounded to whole numbers: look for a whole-number dtype, or for `//` and `int`.",
    "factors of the last axis": "The values are off by a factor that depends on nothing but their place along the last axis: "
                                "look at what is multiplied, or divided by, there.",
    "summands of the last axis": "The values are off by a summand that depends on nothing but their place along the last axis: "
                                 "look at what is added there, such as a bias.",
    "factors of other axes": "The values are off by a factor that is the same all along the last axis: look over which axis you "
                             "sum or average, and by what you divide.",
    "summands of other axes": "The values are off by a summand that is the same all along the last axis: look over which axis "
                              "you sum or average, and what you subtract.",
    "no slope": "It is 0 throughout: nothing flows back. Look for what has no slope, such as `tf.stop_gradient`, a cast to whole "
                "numbers, a comparison, or a computation outside of TensorFlow.",
    "one value": "Every value is the same: does your answer depend on what it is given?",
    "not negative": "The values are wrong only where the argument is not negative.",
    "not positive": "The values are wrong only where the argument is not positive.",
    "first": "Only what comes first along an axis is wrong: look at how your loop or slice begins.",
    "last": "Only what comes last along an axis is wrong: look at how your loop or slice ends.",
    "after the first": "Only what comes first along an axis is right: where steps follow one another, look at what one hands on.",
    "before the last": "Only what comes last along an axis is right: where steps follow one another, look at what one hands on.",
    "border": "Only the values at the border are wrong.",
    "not a number": "NaN comes of 0/0, of ∞ − ∞ or 0 · ∞, and of the logarithm or the root of a negative number.",
    "infinite": "An infinite value comes of a division by 0, of the logarithm of 0, or of `exp` of a large number.",
}


@dataclasses.dataclass(frozen=True)
class _Pair:
    """What was expected and what was received, in float64, compared as the case says."""

    right: np.ndarray
    got: np.ndarray
    rtol: float
    atol: float

    def close(self, right, got=None) -> bool:
        got = self.got if got is None else got
        return np.shape(right) == np.shape(got) and bool(np.allclose(right, got, self.rtol, self.atol))

    @property
    def loose(self) -> bool:
        return max(self.rtol, self.atol) > LOOSE

    def telling(self, values: np.ndarray, fewest: int = FEWEST) -> bool:
        """Are there so many different numbers, 0 and 1 not counted, that no chance makes them all fit?"""
        step = 10 * (self.atol + self.rtol * np.abs(values).max(initial=0.0)) or 1.0
        different = np.unique(np.rint(values / step))
        return not self.loose and int(np.count_nonzero(~np.isin(different, np.rint([0.0, 1.0 / step])))) >= fewest


def slip(case: CaseKey, outcomes: Mapping[str, Outcome], cases: tuple[CaseKey, ...] = ()) -> str | None:
    """A general slip that turns the expected output into the received one, as advice; None when there is none.

    It is one of the first output that is wrong, after which a fact is said of it.

    Args:
        outcomes: by case name.
        cases: the question's. Where a case has one number, those of the others have to be off as well, by the same.
    """
    received = outcomes[case.name].observation
    if received is None:
        return None
    for name, right in case.expected.items():
        got = received.get(name)
        if isinstance(right, str) or got is None or name != "output" and right.dtype.kind == "b":  # a table of answers of ours
            continue
        if isinstance(got, str):
            return SLIPS["no array"] if got == "None" else None  # a list with None in it is no missing `return`
        if (pair := _pair(right, got, case)) is None:
            return None
        if pair.close(right):
            continue
        if _exchanged(name, pair, case, received):
            return SLIPS["exchanged"]
        found = _slip(pair, name.startswith("gradient")) or _where(pair, case.inputs)
        if found is None and right.size == got.size == 1 and (all_cases := _numbers(name, outcomes, cases)):
            found = next(_of_entries(all_cases), None)
        return SLIPS[found] if found else None
    return None


def _pair(right: np.ndarray, got: np.ndarray, case: CaseKey) -> _Pair | None:
    if got.dtype.kind not in "biuf" or got.size > right.size + MOST_ENTRIES:
        return None
    exact = right.dtype.kind in "biu"
    return _Pair(right.astype(np.float64), got.astype(np.float64), 0.0 if exact else case.rtol, 0.0 if exact else case.atol)


def _numbers(name: str, outcomes: Mapping[str, Outcome], cases: tuple[CaseKey, ...]) -> _Pair | None:
    """The one number of each case that has one, as arrays over the cases; None where the answer to one of them is no number."""
    pairs = []
    for case in cases:
        received, right = outcomes[case.name].observation, case.expected.get(name)
        got = received.get(name) if received is not None else None
        if not isinstance(right, np.ndarray) or right.size != 1:
            continue
        if not isinstance(got, np.ndarray) or got.size != 1 or (pair := _pair(right, got, case)) is None:
            return None
        pairs.append(pair)
    if not pairs:
        return None
    stack = lambda part: np.array([getattr(pair, part).item() for pair in pairs])  # noqa: E731
    found = _Pair(stack("right"), stack("got"), max(pair.rtol for pair in pairs), max(pair.atol for pair in pairs))
    return found if np.all(np.abs(found.got) < LARGEST) else None


def _exchanged(name: str, pair: _Pair, case: CaseKey, received: Mapping) -> bool:
    """Has one result the value of another, and that one its value?"""
    for other, expected in case.expected.items():
        got = received.get(other)
        if other != name and isinstance(expected, np.ndarray) and isinstance(got, np.ndarray) and \
                got.dtype.kind in "biuf" and pair.close(expected) and not pair.close(expected, pair.right) \
                and pair.close(pair.right, got):
            return True
    return False


def _slip(pair: _Pair, is_gradient: bool) -> str | None:
    right, got = pair.right, pair.got
    if right.shape == got.shape and not np.all(np.isfinite(got)):
        return "not a number" if np.any(np.isnan(got)) else "infinite"
    if not right.size or not got.size or not np.all(np.abs(got) < LARGEST):
        return None
    if right.shape != got.shape:
        return next(_of_shapes(pair), None)
    if is_gradient and not np.any(got):
        return "no slope"
    for places in _permuted(right):
        if pair.close(places):
            return "transposed" if right.ndim == 2 else "places"
    return next(itertools.chain(_of_entries(pair), _of_places(pair), _of_axes(pair), _of_one_value(pair)), None)


def _permuted(right: np.ndarray) -> Iterator[np.ndarray]:
    if 2 <= right.ndim <= MOST_AXES:
        for axes in itertools.permutations(range(right.ndim)):
            if axes != tuple(range(right.ndim)):
                yield np.transpose(right, axes)


def _of_shapes(pair: _Pair) -> Iterator[str]:
    """Where the shape is another."""
    right, got = pair.right, pair.got
    if right.size == got.size and pair.close(right.ravel(), got.ravel()):
        yield "shape"
    for places in _permuted(right):
        if pair.close(places):
            yield "transposed" if right.ndim == 2 else "places"
    if right.size == got.size and _in_another_order(pair):
        yield "places"
    if right.ndim == got.ndim:
        longer, shorter, found = (right, got, "missing") if got.size < right.size else (got, right, "surplus")
        axes = [axis for axis in range(right.ndim) if right.shape[axis] != got.shape[axis]]
        if len(axes) == 1 and pair.telling(shorter):
            most, least = longer.shape[axes[0]], shorter.shape[axes[0]]
            ends = [np.take(longer, part, axes[0]) for part in (range(least), range(most - least, most))]
            if any(pair.close(end, shorter) for end in ends):
                yield found
    over: tuple[Callable, ...] = (np.mean, np.sum, np.max)
    if right.ndim == 0 and got.size > 1 and any(pair.close(right, reduce(got)) for reduce in over[:2]):
        yield "reduction"
    if right.ndim and pair.telling(right) and any(
            pair.close(right, reduce(got, axis=axis)) for reduce in over for axis in range(got.ndim)):
        yield "unreduced"
    if got.ndim and pair.telling(got, 2 if got.size == 2 else FEWEST) and any(
            pair.close(reduce(right, axis=axis, keepdims=keep)) for reduce in over for axis in range(right.ndim)
            for keep in (False, True)):
        yield "reduced"


def _in_another_order(pair: _Pair) -> bool:
    return pair.telling(pair.right, FEWEST + 1) and pair.close(np.sort(pair.right, axis=None), np.sort(pair.got, axis=None))


def _of_entries(pair: _Pair) -> Iterator[str]:
    """What holds of every entry."""
    right, got = pair.right, pair.got
    if right.size == 1 and float(right.flat[0]).is_integer():
        return  # a count, or -1 for "none": what is near it says little
    if pair.close(-right):
        yield "sign"
    scale = np.abs(right) > 100 * pair.atol
    if np.count_nonzero(scale) >= FEWEST:
        ratio = got[scale] / right[scale]
        if np.ptp(ratio) <= 1e-3 * abs(ratio[0]) and abs(ratio[0]) > 1e-3 and pair.close(right * ratio[0]):
            yield "factor"
    if right.size >= FEWEST and 0 < np.mean(right == 1) < 1 and np.all((right == 0) | (right == 1)) and pair.close(1 - right):
        yield "complement"  # of yes-or-no answers
    offset = got - right
    if len(np.unique(right)) >= FEWEST and np.ptp(offset) <= 1e-4 * max(1.0, abs(offset.flat[0])) and abs(offset.flat[0]) > 1e-3:
        yield "offset"
    if not pair.telling(right) or not pair.telling(got, 1):
        return
    if pair.close(np.trunc(right)) or pair.close(np.rint(right)):
        yield "whole numbers"
    if not pair.telling(got):
        return
    if pair.close(1 - right):
        yield "complement"
    with np.errstate(all="ignore"):
        for name, value in (("reciprocal", 1 / right), ("square", right ** 2), ("root", np.sqrt(right)),
                            ("logarithm", np.log(right)), ("exponential", np.exp(right)), ("cut off", np.maximum(right, 0.0))):
            if np.all(np.isfinite(value)) and pair.close(value):
                yield name
        if pair.close(np.abs(right), np.abs(got)):
            yield "sign of some"
    if pair.telling(right, FEWEST + 2):
        slope, start = np.polyfit(right.ravel(), got.ravel(), 1)
        if abs(slope) > 1e-3 and pair.close(slope * right + start):
            yield "line"


def _of_places(pair: _Pair) -> Iterator[str]:
    if _in_another_order(pair):
        yield "places"


def _of_axes(pair: _Pair) -> Iterator[str]:
    """What holds of every entry in one place along the last axis, or of all along it."""
    right, got = pair.right, pair.got
    if right.ndim < 2:
        return
    last = right.shape[-1]
    right, got = right.reshape(-1, last), got.reshape(-1, last)
    for axis, which in ((0, "the last axis"), (1, "other axes")):
        if right.shape[axis] < FEWEST or right.shape[1 - axis] < 2 or not all(
                pair.telling(line) for line in (right if axis else right.T)):
            continue
        summand = np.mean(got - right, axis=axis, keepdims=True)
        if pair.close(right + summand, got):
            yield f"summands of {which}"
        factor = np.sum(got * right, axis=axis, keepdims=True) / np.sum(right * right, axis=axis, keepdims=True)
        if np.any(factor) and pair.close(right * factor, got):
            yield f"factors of {which}"


def _where(pair: _Pair, inputs) -> str | None:
    """Where the values are wrong, if they are right everywhere else."""
    right, got = pair.right, pair.got
    if right.shape != got.shape or right.ndim == 0 or not np.all(np.isfinite(got)):
        return None
    wrong = ~np.isclose(got, right, pair.rtol, pair.atol)
    if (argument := _argument(inputs, right.shape)) is not None:
        signs = np.sign(argument)
        for sign, name in ((1, "not negative"), (-1, "not positive")):
            if np.any(signs == -sign) and np.count_nonzero(signs == sign) >= 2 and not np.any(wrong[signs == -sign]) \
                    and np.mean(wrong[signs == sign]) > 0.5:
                return name
    # Rows of a truth table have no order, nor have several calls.
    if not pair.telling(right) or isinstance(inputs, dict) and "calls" in inputs:
        return None
    for axis in range(right.ndim):
        places = np.moveaxis(wrong, axis, 0)
        if len(places) >= FEWEST:
            for end, others, only, but in ((places[:1], places[1:], "first", "after the first"),
                                           (places[-1:], places[:-1], "last", "before the last")):
                if np.mean(end) > 0.5 and not np.any(others):
                    return only
                if np.all(np.mean(others, tuple(range(1, right.ndim))) > 0.5) and not np.any(end):
                    return but
    return "border" if _at_the_border(wrong) else None


def _argument(inputs, shape: tuple[int, ...]) -> np.ndarray | None:
    """The first argument of a shape, if there is one."""
    for value in inputs if isinstance(inputs, (tuple, list)) else ():
        with contextlib.suppress(ValueError):  # rows of different lengths
            array = np.asarray(value)
            if array.shape == shape and array.dtype.kind in "iuf":
                return array
    return None


def _at_the_border(wrong: np.ndarray) -> bool:
    """Is an image, of axes (…, height, width, channels) or (…, height, width), wrong at its border and there alone?"""
    for first in range(max(0, wrong.ndim - 3), wrong.ndim - 1):
        height, width = wrong.shape[first:first + 2]
        if height >= FEWEST and width >= FEWEST:
            image = np.moveaxis(wrong, (first, first + 1), (0, 1))
            inside = image[1:-1, 1:-1]
            if not np.any(inside) and 2 * np.count_nonzero(image) > image.size - inside.size:
                return True
    return False


def _of_one_value(pair: _Pair) -> Iterator[str]:
    if pair.telling(pair.right) and np.ptp(pair.got) <= pair.atol:
        yield "one value"
