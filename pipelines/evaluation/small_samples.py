"""What a handful of values can say, in closed form: intervals, spreads, power, best of n."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from pipelines.evaluation.intervals import Interval


def t_interval(values: Sequence[float] | NDArray[np.float64]) -> Interval:
    """Mean and Student's 95 % interval; without bounds where there is one value."""
    series = np.asarray(values, float)
    mean, n = float(series.mean()), len(series)
    if n == 1:
        return Interval(mean, -math.inf, math.inf)
    half = float(stats.t.ppf(0.975, n - 1) * series.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def median_interval(values: Sequence[float] | NDArray[np.float64]) -> Interval:
    """Median and a 95 % interval, whatever the values' distribution; no bounds below six values.

    From the k-th smallest to the k-th largest of n, which miss the median as often as a fair coin
    falls on one side fewer than k times of n; k is the largest that keeps this to 5 %.
    """
    ordered = np.sort(np.asarray(values, float))
    k = int(stats.binom.ppf(0.025, len(ordered), 0.5))
    low, high = (ordered[k - 1], ordered[-k]) if k else (-math.inf, math.inf)
    return Interval(float(np.median(ordered)), float(low), float(high))


def spread_ratio(values: Sequence[float], reference: Sequence[float]) -> Interval:
    """How many times the reference's standard deviation, with its 95 % interval.

    Raises:
        ValueError: one of them has fewer than two values, or the reference no spread.
    """
    if min(len(values), len(reference)) < 2 or np.ptp(reference) == 0:
        raise ValueError("a ratio of spreads needs two values on each side, and some spread")
    ratio = float(np.std(values, ddof=1) / np.std(reference, ddof=1))
    return ratio_interval(ratio, len(values), len(reference))


def ratio_interval(ratio: float, n: int, reference_n: int) -> Interval:
    """A ratio of two standard deviations with the F distribution's 95 % interval."""
    low, high = stats.f.ppf([0.975, 0.025], n - 1, reference_n - 1)
    return Interval(ratio, ratio / math.sqrt(low), ratio / math.sqrt(high))


def welch_interval(
    mean: float, deviation: float, n: int, other: float, other_deviation: float, other_n: int
) -> Interval:
    """Difference of two means, from what a paper prints, with Welch's 95 % interval."""
    error = math.hypot(deviation / math.sqrt(n), other_deviation / math.sqrt(other_n))
    parts = ((deviation**2 / n) ** 2 / (n - 1), (other_deviation**2 / other_n) ** 2 / (other_n - 1))
    half = float(stats.t.ppf(0.975, error**4 / sum(parts))) * error
    return Interval(mean - other, mean - other - half, mean - other + half)


def smallest_difference(n: int, deviation: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Least true difference that n paired seeds show, by a two-sided t-test, with that power.

    Args:
        n: seeds that both rows have.
        deviation: standard deviation of the difference between seeds.
        power: chance that the test shows the difference, and on its right side.
        alpha: chance that it shows one where there is none.

    Returns:
        Infinity for a single seed, which shows none.
    """
    if n < 2:
        return math.inf
    bound = stats.t.ppf(1 - alpha / 2, n - 1)

    def lacking(shift: float) -> float:
        return float(stats.nct.sf(bound, n - 1, shift)) - power

    return float(brentq(lacking, 0, 4 * bound + 10)) * deviation / math.sqrt(n)


def seeds_needed(
    difference: float, deviation: float, power: float = 0.8, alpha: float = 0.05
) -> int:
    """Fewest seeds, two or more, whose `smallest_difference` is no larger than `difference`.

    Raises:
        ValueError: the difference is zero.
    """
    if difference == 0:
        raise ValueError("no number of seeds shows a difference of zero")
    few, enough = 1, 2
    while smallest_difference(enough, deviation, power, alpha) > abs(difference):
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        if smallest_difference(middle, deviation, power, alpha) > abs(difference):
            few = middle
        else:
            enough = middle
    return enough


def best_of(values: Sequence[float], n: int) -> float:
    """Expected largest of n draws, with replacement, from the values.

    Never above their own largest: too low where n is more than there are values.
    """
    ordered = np.sort(np.asarray(values, float))
    below = np.arange(len(ordered) + 1) / len(ordered)
    return float(ordered @ np.diff(below**n))
