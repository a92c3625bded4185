"""The health of one run, as `run.json` holds it and as one line tells it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from method.detection import Selection
from method.detector import Detector, TrainableDetector
from method.lapnet.detector import LapNet
from method.ssd import SSD
from pipelines.data.prepared import PreparedSplit
from pipelines.errors import note
from pipelines.health.measures import (
    SAMPLE,
    Fit,
    Health,
    Spread,
    at_cap,
    average_precision,
    fit,
    ladder,
    late_change,
    positives_of,
    spread,
)
from pipelines.health.rules import complaints

Detect = Callable[[PreparedSplit], list[dict[str, Any]]]
"""COCO results of every image of a split."""


def measure(
    detector: Detector,
    start: Spread | None,
    training: PreparedSplit,
    test: PreparedSplit,
    detections: Sequence[Mapping[str, Any]],
    history: Sequence[Mapping[str, float]],
    images_seen: int,
    calibration: Tensor,
    detect: Detect,
) -> Health:
    """The health of a finished training.

    Args:
        detector: trained.
        start: of its first weights.
        training: what it was trained on.
        test: what it is scored on.
        detections: in the test images, as COCO results.
        history: of the training.
        images_seen: in training; of a shorter one fewer training images are looked at again.
        calibration: B×3×S×S `uint8` training images, on the detector's device.
        detect: finds objects in a split as the test images' were found.
    """
    sample = training.first(min(SAMPLE, len(test.images), images_seen or SAMPLE))
    known, unknown = _fits(detector, training, test, calibration.device)
    seen, judged = ladder(sample, detect(sample)), ladder(test, detections)
    cap = detector.config.selection.most if isinstance(detector, SSD | LapNet) else Selection.most
    full, lowest = at_cap(test, detections, cap)
    gain, drop = late_change(history)
    return Health(
        start=start,
        end=spread(detector.eval(), calibration, fresh=False),
        training=known,
        test=unknown,
        images=len(sample.images),
        training_AP=average_precision(seen),
        training_AP50=seen["0.50"],
        test_AP=average_precision(judged),
        test_AP50=judged["0.50"],
        ladder=judged,
        max_detections=cap,
        at_cap=full,
        lowest_kept=lowest,
        late_gain=gain,
        late_drop=drop,
    )


def _fits(
    detector: Detector, training: PreparedSplit, test: PreparedSplit, device: torch.device
) -> tuple[Fit | None, Fit | None]:
    """On training and on test positives."""
    if not isinstance(detector, TrainableDetector):
        return None, None
    known, unknown = (positives_of(detector, split, device) for split in (training, test))
    if known is None:
        return None, None
    return fit(known, known), fit(unknown, known) if unknown else None


def read(values: Mapping[str, Any]) -> Health:
    """The inverse of `dataclasses.asdict`, for what `run.json` holds."""
    parts: dict[str, Any] = dict(values)
    for name, kind in (("start", Spread), ("end", Spread), ("training", Fit), ("test", Fit)):
        parts[name] = kind(**parts[name]) if parts[name] else None
    return Health(**parts)


def write(health: Health) -> dict[str, Any]:
    """Plain values for `run.json`."""
    return dataclasses.asdict(health)


def tell(health: Health, name: str) -> None:
    """Say how the training went in one line, and each rule that it breaks in one more."""
    found = complaints(health)
    parts = [f"AP50 {_told(health.test_AP50)}, {_told(health.training_AP50)} on training images"]
    if health.test:
        parts.append(f"boxes {health.test.iou_of_anchors:.2f} -> {health.test.iou:.2f} IoU")
        parts.append(f"classes {health.test.commonest:.0%} -> {health.test.accuracy:.0%} right")
    parts.append(f"{health.at_cap:.0%} of the images at {health.max_detections} detections")
    verdict = "healthy" if not found else "see the warnings"
    print(f"{name}: {'; '.join(parts)}: {verdict}")
    for complaint in found:
        note(f"warning: {name}: {complaint}")


def _told(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.1f}"
