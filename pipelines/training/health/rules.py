"""The rules that a healthy training keeps, and what to try where one is broken."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.training.health.measures import Health

LARGE_START = 4.0
"""Standard deviation of first logits or coded offsets from which on a training rarely recovers."""
IOU_GAIN = 0.05
"""What the predicted boxes of positives must gain on the anchors."""
DEAD = 1e-3
"""Standard deviation of a feature map in which nothing happens."""
ACCURACY_GAIN = 0.02
"""What the classes of positives must gain on the commonest one; with few, what luck may give."""
BY_HEART = 35.0
"""Points of AP50 between training and test images."""
CUT_OFF = 0.1
"""Share of the test images at the cap of detections."""
CUT_OFF_SCORE = 0.05
"""A cap that cuts at lower scores cuts little that counts."""
LATE_GAIN = 3.0
"""Points of validation AP gained over the last third of the steps."""
LATE_DROP = 0.15
"""Share of the loss's whole fall that came meanwhile, where nothing was validated."""
NOTHING = 1.0
"""AP50 under which a detector finds next to nothing."""


@dataclass(frozen=True)
class Complaint:
    """A rule that a training breaks."""

    rule: str
    found: str
    """The figures behind it."""
    remedy: str
    """What to try."""

    def __str__(self) -> str:
        return f"{self.rule} ({self.found}): {self.remedy}"


def complaints(health: Health) -> list[Complaint]:
    """The rules that a training breaks; what is out of reach breaks none."""
    found = (check(health) for check in CHECKS)
    return [complaint for complaint in found if complaint]


def _large_start(health: Health) -> Complaint | None:
    if health.start is None or max(health.start.logits, health.start.offsets) < LARGE_START:
        return None
    return Complaint(
        "the heads start too large",
        f"standard deviation of the first logits {health.start.logits:.1f}, of the first coded "
        f"offsets {health.start.offsets:.1f}",
        "head_init small, or a longer warmup",
    )


def _dead(health: Health) -> Complaint | None:
    if health.end is None or min(health.end.features) >= DEAD:
        return None
    dead = [number for number, value in enumerate(health.end.features, 1) if value < DEAD]
    return Complaint(
        "feature maps are dead",
        f"nothing differs under head {', '.join(map(str, dead))} of {len(health.end.features)}",
        "a smaller learning_rate or a longer warmup",
    )


def _boxes(health: Health) -> Complaint | None:
    fit = health.test
    if fit is None or fit.iou >= fit.iou_of_anchors + IOU_GAIN:
        return None
    return Complaint(
        "the boxes are no better than the anchors",
        f"overlap with the objects {fit.iou:.2f}, of the bare anchors {fit.iou_of_anchors:.2f}",
        "head_init small, a larger learning_rate or more iterations",
    )


def _classes(health: Health) -> Complaint | None:
    known, unknown = health.training, health.test
    if known is None or unknown is None or known.commonest == 1:
        return None
    luck = 2 * math.sqrt(unknown.commonest * (1 - unknown.commonest) / unknown.positives)
    learned = known.class_loss < known.class_loss_of_shares
    if learned and unknown.accuracy >= unknown.commonest + max(ACCURACY_GAIN, luck):
        return None
    return Complaint(
        "the classes are no better than always the commonest",
        f"{unknown.accuracy:.0%} of the test objects' classes are right, {unknown.commonest:.0%} "
        f"are the commonest; loss on training objects {known.class_loss:.2f}, of the classes' "
        f"shares {known.class_loss_of_shares:.2f}",
        "look at the labels (python -m pipelines.inspect), set class_weights, or more iterations",
    )


def _by_heart(health: Health) -> Complaint | None:
    if health.training_AP50 is None or health.test_AP50 is None:
        return None
    if health.training_AP50 - health.test_AP50 < BY_HEART:
        return None
    return Complaint(
        "it knows its training images by heart",
        f"AP50 {health.training_AP50:.1f} on {health.images} of them, "
        f"{health.test_AP50:.1f} on the test images",
        "augment, more images or fewer iterations",
    )


def _cut_off(health: Health) -> Complaint | None:
    if health.at_cap < CUT_OFF or (health.lowest_kept or 0) < CUT_OFF_SCORE:
        return None
    return Complaint(
        "detections are cut off",
        f"{health.at_cap:.0%} of the test images have the most that are kept, "
        f"{health.max_detections}, down to a score of {health.lowest_kept:.2f}",
        "a larger max_detections",
    )


def _not_flat(health: Health) -> Complaint | None:
    if health.late_gain is not None:
        late, said = (
            health.late_gain >= LATE_GAIN,
            f"validation AP gained {health.late_gain:.1f} points",
        )
    else:
        drop = health.late_drop or 0.0
        late, said = drop >= LATE_DROP, f"{drop:.0%} of the loss's whole fall came"
    if not late:
        return None
    return Complaint("it has not flattened", f"{said} in the last third", "more iterations")


def _nothing(health: Health) -> Complaint | None:
    if health.test_AP50 is None or health.test_AP50 >= NOTHING:
        return None
    return Complaint(
        "it finds next to nothing",
        f"AP50 {health.test_AP50:.1f} on the test images",
        "more iterations, published first weights (init), or another learning_rate",
    )


CHECKS: tuple[Callable[[Health], Complaint | None], ...] = (
    _large_start,
    _dead,
    _nothing,
    _boxes,
    _classes,
    _by_heart,
    _cut_off,
    _not_flat,
)
