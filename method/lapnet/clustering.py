"""Per-class anchors: k-means on the objects' sides with 1 − IoU as distance (LapNet, §3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_ROUNDS = 300


@dataclass(frozen=True)
class Clustering:
    """Anchors of one class."""

    sides: NDArray[np.float64]
    """K×2 widths and heights, pixels, by area."""
    mean_iou: float
    """Of every object with its best anchor, both centred on one point."""


def centred_iou(sides: NDArray[np.float64], anchors: NDArray[np.float64]) -> NDArray[np.float64]:
    """N×K IoU of boxes that share their centre, from N×2 and K×2 widths and heights."""
    common = np.minimum(sides[:, None], anchors[None]).prod(axis=2)
    return common / (sides.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - common)


def cluster_sides(sides: NDArray[np.float64], count: int, seed: int) -> Clustering:
    """K-means of widths and heights, seeded with k-means++, deterministic.

    Args:
        sides: N×2, pixels, above 0.
        count: K, anchors wanted. Where fewer sides differ, some anchors come twice.
        seed: fixes which objects the clusters begin from.

    Raises:
        ValueError: there is no object.
    """
    if not len(sides):
        raise ValueError("a class without objects has no anchors")
    anchors = _first_anchors(sides, count, np.random.default_rng(seed))
    nearest = np.full(len(sides), -1)
    for _ in range(MOST_ROUNDS):
        before, nearest = nearest, centred_iou(sides, anchors).argmax(axis=1)
        if np.array_equal(before, nearest):
            break
        members = nearest[:, None] == np.arange(count)
        sizes = members.sum(axis=0)
        means = (members.T @ sides) / np.maximum(sizes, 1)[:, None]
        anchors = np.where(sizes[:, None] > 0, means, anchors)
    anchors = anchors[np.argsort(anchors.prod(axis=1), kind="stable")]
    return Clustering(anchors, float(centred_iou(sides, anchors).max(axis=1).mean()))


def _first_anchors(
    sides: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Objects far from one another: each drawn with the square of its distance to those drawn."""
    chosen = [int(rng.integers(len(sides)))]
    while len(chosen) < count:
        distance = 1 - centred_iou(sides, sides[chosen]).max(axis=1)
        odds = np.maximum(distance, 0) ** 2
        total = odds.sum()
        chosen.append(int(rng.choice(len(sides), p=odds / total if total > 0 else None)))
    return sides[chosen].copy()
