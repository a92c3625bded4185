"""How sure a figure is: means and differences of rows, with their intervals over images and seeds.

Two rows are compared at the same seeds and over the same replicates of the test images. What they
share, an easy image or a lucky seed, so cancels out of their difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipelines.evaluation.bootstrap import RANDOM_STATE, RunSamples, Samples

NORMAL_95 = 1.96
"""Standard deviations within which 95 % of a normal law lie."""
FEW_SEEDS = 5
"""Below so many a row's own spread is too uncertain: that of all rows together serves."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its central 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """Standard deviation of a figure between seeds, pooled over rows that have several."""

    deviation: float
    freedom: int
    """Runs less rows behind it."""

    @property
    def of_difference(self) -> Spread:
        """Of the difference of two rows, as if their seeds had nothing in common."""
        return Spread(math.sqrt(2) * self.deviation, self.freedom)


def pooled_spread(rows: Sequence[Sequence[float]]) -> Spread | None:
    """The spread within rows of values, those of one value left out; None where all are."""
    several = [np.asarray(values, float) for values in rows if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    if not freedom:
        return None
    squares = sum(float(values.var()) * len(values) for values in several)
    return Spread(math.sqrt(squares / freedom), freedom)


def widened_difference(
    row: Mapping[int, RunSamples],
    reference: Mapping[int, RunSamples],
    metric: str,
    spread: Spread | None = None,
) -> Interval | None:
    """Mean difference of two rows over the seeds that both have; None where they share none.

    The interval is Student's, as percentiles of two or three redrawn seeds know too little of their
    spread and cover less often than they say. Fewer than `FEW_SEEDS` take `spread`, that of a
    figure pooled over all rows with several seeds, for their own; without it one seed's interval
    is the bootstrap's percentiles, which know the test images alone.
    """
    paired = _pair(row, reference, metric)
    if paired is None:
        return None
    bursts = [row[seed].bursts for seed in sorted(row.keys() & reference.keys())]
    return _interval(*paired, bursts, spread.of_difference if spread else None)


def mean_interval(
    row: Mapping[int, RunSamples], metric: str, spread: Spread | None = None
) -> Interval | None:
    """Mean of a row's runs, its interval like that of `widened_difference`; None without runs."""
    if not row:
        return None
    runs = row.values()
    return _interval(
        np.array([run.point[metric] for run in runs]),
        np.stack([run.replicates[metric] for run in runs]),
        [run.bursts for run in runs],
        spread,
    )


def probability_better(
    row: Mapping[int, RunSamples], reference: Mapping[int, RunSamples], metric: str
) -> float | None:
    """Share of the bootstrap's replicates in which the row is ahead; a tie counts half.

    None where the rows share no seed.
    """
    paired = _pair(row, reference, metric)
    if paired is None:
        return None
    means = _replicate_means(paired[1])
    return float((means > 0).mean() + (means == 0).mean() / 2)


def seed_differences(
    row: Mapping[int, RunSamples], reference: Mapping[int, RunSamples], metric: str
) -> Samples:
    """Difference of two rows at each seed that both have, seeds ascending."""
    shared = sorted(row.keys() & reference.keys())
    return np.array([row[seed].point[metric] - reference[seed].point[metric] for seed in shared])


def difference_row(
    row: Mapping[int, RunSamples], reference: Mapping[int, RunSamples]
) -> dict[int, RunSamples]:
    """The difference of two rows at each seed that both have, as a row to be compared itself."""
    found = {}
    for seed in row.keys() & reference.keys():
        ours, theirs = row[seed], reference[seed]
        found[seed] = RunSamples(
            {name: value - theirs.point[name] for name, value in ours.point.items()},
            {name: value - theirs.replicates[name] for name, value in ours.replicates.items()},
            ours.bursts,
        )
    return found


def _pair(
    row: Mapping[int, RunSamples], reference: Mapping[int, RunSamples], metric: str
) -> tuple[Samples, Samples] | None:
    """Differences at the shared seeds and their replicates (seeds×B)."""
    shared = sorted(row.keys() & reference.keys())
    if not shared:
        return None
    pairs = [(row[seed].replicates[metric], reference[seed].replicates[metric]) for seed in shared]
    samples = np.stack([ours - theirs for ours, theirs in pairs])
    return seed_differences(row, reference, metric), samples


def _interval(
    point: Samples,
    samples: Samples,
    bursts: Sequence[frozenset[int] | None],
    spread: Spread | None,
) -> Interval:
    """Interval by Student's t, its degrees of freedom by Welch and Satterthwaite.

    The images' part of the variance is the bootstrap's. Its degrees of freedom are unlimited for
    single images; for bursts, one less than there are in each test set. The seeds' part is that of
    `spread` where seeds are few or have test sets of their own, else the runs' own. One seed
    without `spread` has the bootstrap's percentiles.

    Args:
        point: of each seed.
        samples: seeds×B.
        bursts: of each seed's test set.
        spread: between seeds on one test set.
    """
    n, mean = len(point), float(point.mean())
    folds = {own for own in bursts if own is not None}
    if spread and (n < FEW_SEEDS or len(folds) > 1):
        of_seeds, few = spread.deviation**2 / n, spread.freedom
    elif n == 1:
        low, high = np.percentile(samples[0], [2.5, 97.5])
        return Interval(mean, float(low), float(high))
    elif len(folds) > 1:  # without it the folds' own spread is all there is, images and seeds
        half = float(stats.t.ppf(0.975, n - 1) * point.std(ddof=1) / math.sqrt(n))
        return Interval(mean, mean - half, mean + half)
    else:
        of_seeds, few = float(point.var(ddof=1)) / n, n - 1
    of_images = _unbiased(samples, bursts).mean(axis=0).var(ddof=1)
    many = sum(len(own) - 1 for own in folds) or math.inf
    variance = of_images + of_seeds
    parts = of_seeds**2 / few + of_images**2 / many
    half = float(stats.t.ppf(0.975, variance**2 / parts if parts else math.inf))
    half *= math.sqrt(variance)
    return Interval(mean, mean - half, mean + half)


def _unbiased(samples: Samples, bursts: Sequence[frozenset[int] | None]) -> Samples:
    """The replicates spread by as much as drawing from n bursts, not from all, makes too little."""
    factors = np.array(
        [math.sqrt(len(b) / (len(b) - 1)) if b and len(b) > 1 else 1 for b in bursts]
    )
    means = samples.mean(axis=1, keepdims=True)
    spread: Samples = means + (samples - means) * factors[:, None]
    return spread


def _replicate_means(samples: Samples) -> Samples:
    """Mean over redrawn seeds of each replicate, from seeds×B."""
    seeds, replicates = samples.shape
    generator = np.random.default_rng(RANDOM_STATE + seeds)
    drawn = generator.integers(0, seeds, (seeds, replicates))
    return np.take_along_axis(samples, drawn, axis=0).mean(axis=0)


def describe_difference(difference: Interval | None) -> str:
    """`+4.2 [+1.0, +7.5]`, or `—` where there is nothing to compare."""
    if difference is None:
        return "—"
    return f"{difference.estimate:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}]"


def average_seeds(values: Sequence[float]) -> str:
    """Mean ± standard deviation over seeds; the mean alone where there is one seed."""
    series = np.asarray(values, float)
    if len(series) == 1:
        return f"{series[0]:.1f}"
    return f"{series.mean():.1f} ± {series.std(ddof=1):.1f}"
