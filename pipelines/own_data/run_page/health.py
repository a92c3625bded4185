"""How a run's training went: the rules it breaks, and its figures beside a trivial predictor's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.training.health.measures import Health
from pipelines.training.health.network import Fit
from pipelines.training.health.rules import Complaint, complaints


@dataclass(frozen=True)
class Row:
    """One figure of a training."""

    what: str
    here: str
    beside: str
    """What a trivial predictor scores, or what it is compared with."""


@dataclass(frozen=True)
class HealthView:
    """The section."""

    complaints: Sequence[Complaint]
    rows: Sequence[Row]


def view(health: Health) -> HealthView:
    """What a run's record says of its training."""
    rows = [
        Row(
            "AP50 on the run's own test photographs",
            _points(health.test_AP50),
            f"{_points(health.training_AP50)} on {health.images} of its training photographs",
        ),
        *(_fit_rows(health.test) if health.test else ()),
        Row(
            "photographs with as many detections as are kept",
            f"{health.at_cap:.0%}",
            f"{health.max_detections} are kept",
        ),
    ]
    return HealthView(complaints(health), rows)


def _fit_rows(fit: Fit) -> list[Row]:
    return [
        Row(
            "overlap of the predicted boxes with their objects",
            f"{fit.iou:.2f}",
            f"{fit.iou_of_anchors:.2f} by the anchors as they are",
        ),
        Row(
            "classes that are right",
            f"{fit.accuracy:.0%}",
            f"{fit.commonest:.0%} by always the commonest",
        ),
        Row(
            "loss of the classes",
            f"{fit.class_loss:.2f}",
            f"{fit.class_loss_of_shares:.2f} by the classes' shares",
        ),
    ]


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
