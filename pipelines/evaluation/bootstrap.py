"""A run's figures under resampled test images, from its match records alone.

Each replicate draws test images with replacement, the same ones for every run over a test set.
Images that were taken one after the other are drawn together, as bursts: they are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.evaluation.coco import RECALLS, THRESHOLDS
from pipelines.evaluation.voc import ELEVEN_RECALLS

REPLICATES = 1000
RANDOM_STATE = 20_201
METRICS = ("AP", "AP50", "VOC07")

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class RunSamples:
    """One run's `METRICS` in percent: over the images as they are, and over each replicate."""

    point: dict[str, float]
    replicates: dict[str, Samples]
    """Metric to `REPLICATES` values, in the same order of replicates for every run."""
    bursts: frozenset[int] | None = None
    """Of the test images; None where each image stands for itself."""


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
