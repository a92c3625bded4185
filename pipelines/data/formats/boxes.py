"""Check one box of a COCO annotation against its image."""

import math
import reprlib
from dataclasses import dataclass

from pipelines.data.records import Box, ImageRecord

EDGE_TOLERANCE = 1.0
"""Boxes over the image's edge by up to this many pixels are rounding, and clipped."""

SMALLEST_SIDE = 0.1
"""Boxes with a side shorter than this many pixels have no area worth the name."""


class BrokenBoxError(Exception):
    """What is wrong with a box; `kind` names the sort of fault, for counting."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class CheckedBox:
    """A box (x, y, width, height) inside its image, and whether it had to be clipped for that."""

    bbox: Box
    clipped: bool


def is_number(value: object) -> bool:
    """Whether this is a json number that a float can hold; NaN and infinity count as numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def check_box(value: object, image: ImageRecord) -> CheckedBox:
    """Check a json value meant as (x, y, width, height) in pixels of the image.

    Raises BrokenBoxError unless it is four finite numbers, has area, and lies inside the image but
    for EDGE_TOLERANCE.
    """
    told = f"has the bbox {reprlib.repr(value)}"
    if not isinstance(value, list) or len(value) != 4 or not all(is_number(v) for v in value):
        raise BrokenBoxError("not of four numbers", f"{told}, which is not four numbers")
    x, y, width, height = (float(v) for v in value)
    if not all(math.isfinite(v) for v in (x, y, width, height)):
        raise BrokenBoxError("not finite", f"{told}, which is not finite")
    if min(width, height) < SMALLEST_SIDE:
        raise BrokenBoxError("without area", f"{told}, which has no area")
    over = max(-x, -y, x + width - image.width, y + height - image.height)
    if over > EDGE_TOLERANCE:
        inside = f"image id {image.id} of {image.width}x{image.height} px"
        raise BrokenBoxError("outside the image", f"{told}, which lies outside {inside}")
    if over <= 0:
        return CheckedBox((x, y, width, height), clipped=False)
    left, top = max(x, 0.0), max(y, 0.0)
    width, height = min(x + width, image.width) - left, min(y + height, image.height) - top
    if min(width, height) < SMALLEST_SIDE:
        raise BrokenBoxError("without area", f"{told}, which has no area inside the image")
    return CheckedBox((left, top, width, height), clipped=True)
