"""What tells a healthy training from a broken one: of its network, its detections, its history."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.data.prepared import PreparedSplit
from pipelines.training.health.network import Fit, Spread

LADDER = tuple(round(0.05 * step, 2) for step in range(2, 20))
"""IoU thresholds from 0.1 to 0.95."""
LATE = 2 / 3
"""Where the last part of a training begins, as a share of its steps."""


@dataclass(frozen=True)
class Health:
    """All of it, of one run; None where a part is out of reach."""

    start: Spread | None
    """With the first weights, and batch norms that see the batch."""
    end: Spread | None
    training: Fit | None
    test: Fit | None
    images: int
    """Training images behind `training_AP` and `training_AP50`."""
    training_AP: float | None  # noqa: N815
    training_AP50: float | None  # noqa: N815
    test_AP: float | None  # noqa: N815
    test_AP50: float | None  # noqa: N815
    ladder: dict[str, float | None]
    """AP on the test images at each IoU threshold alone, percent."""
    max_detections: int
    """Most that are kept an image."""
    at_cap: float
    """Share of the test images that have so many."""
    lowest_kept: float | None
    """Median over these of the lowest score that was kept."""
    late_gain: float | None
    """Points of validation AP gained over the last third of the steps."""
    late_drop: float | None
    """Share of the training loss's whole fall that came meanwhile."""


def ladder(
    split: PreparedSplit, detections: Sequence[Mapping[str, Any]], most: int = 100
) -> dict[str, float | None]:
    """AP at each IoU threshold of `LADDER` alone, by pycocotools, percent.

    Args:
        split: what is scored; its pixels are not looked at.
        detections: as COCO results.
        most: the best so many of a class in an image count.
    """
    if not detections:
        return {f"{threshold:.2f}": 0.0 for threshold in LADDER}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = split.coco.to_coco()
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes([dict(d) for d in detections]), "bbox")
        evaluation.params.iouThrs = np.array(LADDER)
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
        evaluation.params.maxDets = [most]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    steps = {}
    for threshold, values in zip(LADDER, precision, strict=True):
        known = values[values > -1]
        steps[f"{threshold:.2f}"] = round(100 * float(known.mean()), 3) if known.size else None
    return steps


def average_precision(steps: Mapping[str, float | None]) -> float | None:
    """COCO's AP: the mean of the ladder's steps from 0.50 on."""
    values = [v for threshold, v in steps.items() if float(threshold) >= 0.5 and v is not None]
    return round(float(np.mean(values)), 3) if values else None


def at_cap(
    split: PreparedSplit, detections: Sequence[Mapping[str, Any]], cap: int
) -> tuple[float, float | None]:
    """Share of the images with `cap` detections, and the median of the lowest scores there."""
    found = pd.DataFrame(
        [(d["image_id"], d["score"]) for d in detections], columns=["image", "score"]
    )
    by_image = found.groupby("image")["score"].agg(["size", "min"])
    full = by_image[by_image["size"] >= cap]
    lowest = round(float(full["min"].median()), 4) if len(full) else None
    return round(len(full) / len(split.images), 4), lowest


def late_change(history: Sequence[Mapping[str, float]]) -> tuple[float | None, float | None]:
    """What the last third of a training brought.

    Returns:
        Points of validation AP, and the share of the loss's whole fall that came in it (a third if
        it fell evenly); None where it was not measured.
    """
    rows = pd.DataFrame(history)
    validated = _around_the_last_third(rows, "validation_AP", window=1)
    logged = _around_the_last_third(rows, "loss", window=3)
    gain = round(validated[2] - validated[1], 4) if validated else None
    if logged is None or max(logged[:2]) <= logged[2]:
        return gain, None
    first, before, last = logged
    return gain, round((before - last) / (max(first, before) - last), 4)


def _around_the_last_third(
    rows: pd.DataFrame, name: str, window: int
) -> tuple[float, float, float] | None:
    """The first value logged; means of `window` before the last third, and at the end."""
    if name not in rows:
        return None
    curve = rows.dropna(subset=[name])
    early = curve[curve["step"] <= LATE * curve["step"].max()]
    if early.empty:
        return None
    before, last = early[name].tail(window).mean(), curve[name].tail(window).mean()
    return float(curve[name].iloc[0]), float(before), float(last)
