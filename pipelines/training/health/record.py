"""The health of one run, as `run.json` holds it and as one line tells it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.data.prepared import PreparedSplit
from pipelines.system.errors import note
from pipelines.training.health.measures import (
    Health,
    at_cap,
    average_precision,
    ladder,
    late_change,
)
from pipelines.training.health.network import Fit, NetworkHealth, Spread
from pipelines.training.health.rules import complaints


def measure(
    network: NetworkHealth,
    sample: PreparedSplit,
    sample_detections: Sequence[Mapping[str, Any]],
    test: PreparedSplit,
    detections: Sequence[Mapping[str, Any]],
    max_detections: int,
    history: Sequence[Mapping[str, float]],
) -> Health:
    """The health of a finished training.

    Args:
        network: what was measured on it.
        sample: training images that were looked at again.
        sample_detections: in them, as COCO results.
        test: what it is scored on.
        detections: in the test images, likewise.
        max_detections: most that are kept an image.
        history: of the training.
    """
    seen, judged = ladder(sample, sample_detections), ladder(test, detections)
    full, lowest = at_cap(test, detections, max_detections)
    gain, drop = late_change(history)
    return Health(
        start=network.start,
        end=network.end,
        training=network.training,
        test=network.test,
        images=len(sample.images),
        training_AP=average_precision(seen),
        training_AP50=seen["0.50"],
        test_AP=average_precision(judged),
        test_AP50=judged["0.50"],
        ladder=judged,
        max_detections=max_detections,
        at_cap=full,
        lowest_kept=lowest,
        late_gain=gain,
        late_drop=drop,
    )


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
