"""How sure a figure is: a two-way bootstrap over seeds and test images, from match records alone.

Each replicate draws test images with replacement, the same ones for every run over a test set, and
seeds with replacement, the same ones for both rows of a difference. What two rows share, an easy
image or a lucky seed, so cancels out of their difference. Images that were taken one after the
other are drawn together, as bursts: they are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from pipelines.evaluation.coco import RECALLS, THRESHOLDS
from pipelines.evaluation.voc import ELEVEN_RECALLS

REPLICATES = 1000
RANDOM_STATE = 20_201
METRICS = ("AP", "AP50", "VOC07")
FEW_SEEDS = 5
"""Below so many a row's own spread is too uncertain: that of all rows together serves."""

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate and its central 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class RunSamples:
    """One run's `METRICS` in percent: over the images as they are, and over each replicate."""

    point: dict[str, float]
    replicates: dict[str, Samples]
    """Metric to `REPLICATES` values, in the same order of replicates for every run."""
    bursts: frozenset[int] | None = None
    """Of the test images; None where each image stands for itself."""


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


def image_weights(images: int, replicates: int = REPLICATES) -> NDArray[np.int64]:
    """How often each replicate draws each image: replicates×images, every row adding up to images.

    The same numbers for every run over the same test set.
    """
    return _draws(images, replicates, RANDOM_STATE)


def burst_weights(bursts: NDArray[np.int64], replicates: int = REPLICATES) -> NDArray[np.int64]:
    """How often each replicate draws each image, where whole bursts are drawn: replicates×images.

    The same numbers for every run over the same bursts, and others for other bursts.

    Args:
        bursts: of each image.
        replicates: how many samples.
    """
    names, place = np.unique(bursts, return_inverse=True)
    return _draws(len(names), replicates, [RANDOM_STATE, *names.tolist()])[:, place]


def _draws(count: int, replicates: int, seed: int | list[int]) -> NDArray[np.int64]:
    generator = np.random.default_rng(seed)
    return generator.multinomial(count, np.full(count, 1 / count), size=replicates)


def resample_run(records: pd.DataFrame, replicates: int = REPLICATES) -> RunSamples:
    """`METRICS` of one run under resampled test images.

    Args:
        records: the run's match records.
        replicates: how many samples of the images.
    """
    images, first = np.unique(records["image"].to_numpy(), return_index=True)
    once = np.ones((1, len(images)), np.int64)
    point = weighted_ap(records, images, once)
    bursts = None
    if "burst" in records:
        of_image = records["burst"].to_numpy(np.int64)[first]
        weights, bursts = burst_weights(of_image, replicates), frozenset(of_image.tolist())
    else:
        weights = image_weights(len(images), replicates)
    return RunSamples(
        point={metric: float(values[0]) for metric, values in point.items()},
        replicates=weighted_ap(records, images, weights),
        bursts=bursts,
    )


def weighted_ap(
    records: pd.DataFrame, images: NDArray[np.int64], weights: NDArray[np.int64]
) -> dict[str, Samples]:
    """`METRICS` in percent where image i counts `weights[b, i]` times: B values each.

    Equal to pycocotools' figures, and to VOC's AP by its definition of 2007, on a data set in which
    each image stands that many times. A replicate without any object of a class leaves the class
    out.
    """
    curves = [
        _class_precision(own, images, weights) for _, own in records.groupby("class", sort=False)
    ]
    by_class = np.stack(curves)
    with np.errstate(invalid="ignore"):
        return {
            "AP": 100 * np.nanmean(by_class[:, :, :-1], axis=(0, 2)),
            "AP50": 100 * np.nanmean(by_class[:, :, 0], axis=0),
            "VOC07": 100 * np.nanmean(by_class[:, :, -1], axis=0),
        }


def _class_precision(
    own: pd.DataFrame, images: NDArray[np.int64], weights: NDArray[np.int64]
) -> Samples:
    """Mean interpolated precision of one class: B×11, at COCO's ten thresholds and by VOC's rule.

    NaN without objects.
    """
    counts = own[own["score"].isna()]
    objects = np.zeros(len(images))
    objects[np.searchsorted(images, counts["image"])] = counts["objects_all"].to_numpy(float)
    total = weights @ objects
    found = own[own["score"].notna()]
    found = found.iloc[np.argsort(-found["score"].to_numpy(float), kind="mergesort")]
    place = np.searchsorted(images, found["image"])
    bits = np.arange(len(THRESHOLDS))[:, None]
    true, ignored = (
        np.vstack([found[f"{kind}_all"].to_numpy(np.int64) >> bits & 1, found[f"{kind}_voc"]]) > 0
        for kind in ("true", "ignored")
    )
    recalls = [RECALLS] * len(THRESHOLDS) + [ELEVEN_RECALLS]
    result = np.full((len(weights), len(recalls)), np.nan)
    present = total > 0
    drawn, total = weights[present].astype(float), total[present]
    for rule, (hit, skipped) in enumerate(zip(true, ignored, strict=True)):
        result[present, rule] = _mean_precision(drawn, place, hit, ~skipped, total, recalls[rule])
    return result


def _mean_precision(
    weights: Samples,
    place: NDArray[np.intp],
    true: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    total: Samples,
    recalls: Samples,
) -> Samples:
    """Mean over `recalls` of the interpolated precision of N detections, best first: B.

    Precision and recall rise at true detections alone: no other can be on the envelope.

    Args:
        weights: B×images.
        place: N, the detections' columns of `weights`.
        true: N.
        counted: N, false for what counts neither as true nor as false.
        total: B, the objects to be found.
        recalls: ascending from 0.
    """
    hits = np.cumsum(weights[:, place[true]], axis=1)
    next_true: NDArray[np.int64] = np.cumsum(true) - true
    shown = counted & (next_true < hits.shape[1])
    newly_shown = np.zeros((weights.shape[1], hits.shape[1]))
    np.add.at(newly_shown, (place[shown], next_true[shown]), 1)
    precision = hits / (np.cumsum(weights @ newly_shown, axis=1) + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(recalls, hits / total[:, None], side="right")
    mean: Samples = (envelope * np.diff(reached, axis=1, prepend=0)).sum(axis=1) / len(recalls)
    return mean


def paired_difference(
    row: Mapping[int, RunSamples], reference: Mapping[int, RunSamples], metric: str
) -> Interval | None:
    """Mean difference of two rows over the seeds that both have; None where they share none."""
    paired = _pair(row, reference, metric)
    return _interval(*paired) if paired else None


def widened_difference(
    row: Mapping[int, RunSamples],
    reference: Mapping[int, RunSamples],
    metric: str,
    spread: Spread | None = None,
) -> Interval | None:
    """`paired_difference` with Student's t for few seeds.

    Percentiles of two or three redrawn seeds know too little of their spread: the bootstrap's
    interval then covers less often than it says, this one about as often. Fewer than `FEW_SEEDS`
    take `spread`, that of a figure pooled over all rows with several seeds, for their own; without
    it one seed's interval knows the test images alone.
    """
    paired = _pair(row, reference, metric)
    if paired is None:
        return None
    bursts = [row[seed].bursts for seed in sorted(row.keys() & reference.keys())]
    return _widened(*paired, bursts, spread.of_difference if spread else None)


def mean_interval(
    row: Mapping[int, RunSamples], metric: str, spread: Spread | None = None
) -> Interval | None:
    """Mean of a row's runs, its interval like that of `widened_difference`; None without runs."""
    if not row:
        return None
    runs = row.values()
    return _widened(
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


def _interval(point: Samples, samples: Samples) -> Interval:
    """Interval of the mean over seeds, from values (seeds) and their replicates (seeds×B)."""
    low, high = np.percentile(_replicate_means(samples), [2.5, 97.5])
    return Interval(float(point.mean()), float(low), float(high))


def _widened(
    point: Samples,
    samples: Samples,
    bursts: Sequence[frozenset[int] | None],
    spread: Spread | None,
) -> Interval:
    """Interval by Student's t, its degrees of freedom by Welch and Satterthwaite.

    The images' part of the variance is the bootstrap's; single images have as good as endless
    degrees of freedom, bursts one less than there are in each test set. The seeds' part is that of
    `spread` where seeds are few or have test sets of their own, else the runs' own.

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
        return _interval(point, samples)
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
    drawn = _seed_draws(len(samples), samples.shape[1])
    return np.take_along_axis(samples, drawn, axis=0).mean(axis=0)


def _seed_draws(seeds: int, replicates: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(RANDOM_STATE + seeds)
    return generator.integers(0, seeds, (seeds, replicates))


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
