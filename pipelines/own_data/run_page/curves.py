"""Precision, recall and F1 of each class against the score, and whether scores can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NEVER = float("inf")
"""The threshold of a class of which nothing true is found."""
LEAST_SCORE = 0.1
"""From which on scores are held against the share of true detections."""
BINS = np.arange(1, 11) / 10
"""Edges of the bins of scores, from LEAST_SCORE to 1."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One class at an overlap of 0.50, at each of its s different scores, the highest first."""

    objects: int
    scores: Values
    """s; at each, the detections with this score or more are kept."""
    precision: Values
    recall: Values
    """NaN without objects."""
    f1: Values

    @property
    def best(self) -> int | None:
        """Where F1 is highest, the first place of several; None where nothing true is found."""
        return int(np.argmax(self.f1)) if len(self.f1) and self.f1.max() > 0 else None

    @property
    def threshold(self) -> float:
        """The score of the best F1; NEVER where nothing true is found."""
        return NEVER if self.best is None else float(self.scores[self.best])


def score_told(score: float) -> str:
    """A threshold in two digits, rounded down so that it keeps what it kept; a dash for NEVER."""
    return f"{math.floor(100 * score) / 100:.2f}" if math.isfinite(score) else "–"


def class_curves(records: pd.DataFrame) -> dict[str, Curve]:
    """The curve of each class.

    Args:
        records: match records.
    """
    return {str(name): _curve(own) for name, own in records.groupby("class", sort=False)}


def _curve(own: pd.DataFrame) -> Curve:
    objects = int(own["objects_all"].sum())
    scores, true = counted(own)
    values, first = np.unique(-scores, return_index=True)
    last = np.append(first[1:], len(scores)) - 1 if len(scores) else first
    hits, kept = np.cumsum(true)[last], last + 1
    recall = hits / objects if objects else np.full(len(values), np.nan)
    return Curve(objects, -values, hits / kept, recall, 2 * hits / (kept + objects))


def counted(records: pd.DataFrame) -> tuple[Values, NDArray[np.bool_]]:
    """Scores of the detections that count, the highest first, and which are true at 0.50."""
    found = records[records["score"].notna()]
    found = found[(found["ignored_all"].astype(int) & 1) == 0]
    found = found.sort_values("score", ascending=False, kind="stable")
    true = found["true_all"].to_numpy(np.int64) & 1 > 0
    return found["score"].to_numpy(float), true


@dataclass(frozen=True)
class Calibration:
    """Scores held against the share of detections that are true, in each bin of scores."""

    counts: NDArray[np.int64]
    """Of detections in each of the bins of `BINS`."""
    scores: Values
    """Mean of each bin; NaN where it is empty."""
    shares: Values
    """Of true detections in each bin, 0 to 1; NaN where it is empty."""

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap, each bin by its count; NaN without any."""
        if not self.counts.sum():
            return float("nan")
        gaps = np.nan_to_num(abs(self.scores - self.shares))
        return float(gaps @ self.counts / self.counts.sum())

    @property
    def bias(self) -> float:
        """Mean score less the share that is true: above 0 where scores promise too much."""
        if not self.counts.sum():
            return float("nan")
        gaps = np.nan_to_num(self.scores - self.shares)
        return float(gaps @ self.counts / self.counts.sum())


def calibration(records: pd.DataFrame) -> Calibration:
    """Of all classes together, from `LEAST_SCORE` on."""
    scores, true = counted(records)
    inside = scores >= LEAST_SCORE
    place = np.clip(np.searchsorted(BINS, scores[inside], side="right") - 1, 0, len(BINS) - 2)
    counts = np.bincount(place, minlength=len(BINS) - 1)
    with np.errstate(invalid="ignore"):
        means = np.bincount(place, scores[inside], len(BINS) - 1) / counts
        shares = np.bincount(place, true[inside], len(BINS) - 1) / counts
    return Calibration(counts, means, shares)
