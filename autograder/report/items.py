"""What a class's points say of each question and case: how hard it was, and whether it tells strong from weak.

Classical test theory: R. L. Ebel and D. A. Frisbie, Essentials of Educational Measurement; alpha is L. J. Cronbach's (1951).
Of few submissions nothing is concluded: below `ENOUGH` there are counts and shares alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import scipy.stats

ENOUGH = 30  # submissions from which on discrimination, alpha and flags are given
RESAMPLES = 499  # of the bootstrap
AT_ONCE = 10**6  # numbers in memory
LEVEL = 0.95  # of its intervals
GROUPS = 5  # quintiles of the class
FALSE_SHARE = 0.05  # of the pairs that are shown, at most, that chance alone would show


def facility(won: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The share of an item's points that the class won.

    Args:
        won: float (students, items).
        points: int (items,).
    Returns:
        float (items,), 0 to 1; NaN of an empty class.
    """
    return won.mean(axis=0) / points if len(won) else np.full(len(points), np.nan)


def discrimination(won: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How the points of each item go with all other points: the corrected item-rest correlation, with a bootstrap interval.

    Args:
        won: float (students, items).
        total: float (students,), the points of the whole assignment.
    Returns:
        The correlations, and the lower and upper ends of their intervals, each float (items,). NaN where everybody has the same.
    """
    if len(won) < ENOUGH:
        unknown = np.full(won.shape[1], np.nan)
        return unknown, unknown, unknown
    item = won.T  # (items, students)
    rest = total - item
    found, low, high = _correlation(item, rest), *np.full((2, len(item)), np.nan)
    known, tails = np.isfinite(found), (1 - LEVEL) / 2
    if known.any():
        with warnings.catch_warnings(action="ignore", category=scipy.stats.DegenerateDataWarning):
            # The same resamples for all items: one class is drawn, not one for each item. Few at a time where the class is large.
            drawn = scipy.stats.bootstrap((item[known], rest[known]), _correlation, paired=True, vectorized=True, axis=-1,
                                          batch=int(np.clip(AT_ONCE // item[known].size, 1, 50)),
                                          n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(0))
        # A resample in which everybody has the same has no correlation, and no say.
        low[known], high[known] = np.nanquantile(drawn.bootstrap_distribution, [tails, 1 - tails], axis=-1)
    return found, low, high


def share_interval(count: int, of: int) -> tuple[float, float]:
    """Where a share lies in 95 of 100 samples: Wilson's interval, as if each were drawn by itself."""
    found = scipy.stats.binomtest(count, of).proportion_ci(LEVEL, method="wilson")
    return found.low, found.high


def _correlation(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    """Pearson's, along an axis; NaN where one of them does not vary."""
    a, b = a - a.mean(axis, keepdims=True), b - b.mean(axis, keepdims=True)
    scale = np.sqrt((a * a).sum(axis) * (b * b).sum(axis))
    return np.where(scale > 1e-9, (a * b).sum(axis) / np.where(scale > 1e-9, scale, 1.0), np.nan)


def alpha(won: np.ndarray) -> float:
    """Cronbach's alpha of items, float (students, items); NaN of too few students or items, or where nobody differs."""
    students, items = won.shape
    spread = won.sum(axis=1).var(ddof=1) if students >= ENOUGH else 0.0
    if items < 2 or spread == 0.0:
        return float("nan")
    return float(items / (items - 1) * (1 - won.var(axis=0, ddof=1).sum() / spread))


def quintiles(won: np.ndarray, points: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Facility by fifths of the class, from those with the fewest points in all other items to those with the most.

    Returns:
        float (items, GROUPS); NaN of too few students.
    """
    lines = np.full((won.shape[1], GROUPS), np.nan)
    if len(won) >= ENOUGH:
        for item in range(won.shape[1]):
            order = np.argsort(total - won[:, item], kind="stable")
            lines[item] = [won[part, item].mean() / points[item] for part in np.array_split(order, GROUPS)]
    return lines


def together(made: np.ndarray, apart: Sequence[object]) -> list[tuple[int, int, float]]:
    """Mistakes that the same students make more often than chance lets them: one-sided Fisher tests of all pairs.

    Args:
        made: bool (students, mistakes).
        apart: of each mistake; two that have the same exclude each other, as the mistakes of one question do.
    Returns:
        (mistake, mistake, how many students chance would give both), the surest first, such that at most `FALSE_SHARE` of
        them are expected to be chance's (Benjamini and Hochberg 1995).
    """
    students, count = len(made), made.sum(axis=0)
    pairs = [(a, b) for b in range(len(count)) for a in range(b) if apart[a] != apart[b] and min(count[a], count[b]) >= 3]
    if students < ENOUGH or not pairs:
        return []
    first, second = np.array(pairs).T
    both = (made.T.astype(int) @ made.astype(int))[first, second]
    chance = scipy.stats.hypergeom.sf(both - 1, students, count[first], count[second])
    sure = scipy.stats.false_discovery_control(chance)
    order = np.lexsort((chance, sure))
    return [(*pairs[i], float(count[first[i]] * count[second[i]] / students)) for i in order
            if sure[i] <= FALSE_SHARE and both[i] >= 3]
