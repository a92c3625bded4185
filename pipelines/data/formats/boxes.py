"""Check one box of a COCO annotation against its image."""

import math
import reprlib
from dataclasses import dataclass

from pipelines.data.records import Box, ImageRecord

EDGE_TOLERANCE = 1.0
"""Boxes over the image's edge by up to this many pixels are rounding, and clipped."""

LARGEST_OVERHANG = 0.5
"""Boxes that are outside the image by less than this share of their area are clipped as well."""

SMALLEST_SIDE = 0.1
"""Boxes with a side shorter than this many pixels have no area worth the name."""


class BrokenBoxError(Exception):
    """What is wrong with a box; `kind` names the sort of fault, for counting."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class CheckedBox:
    """A box (x, y, width, height) inside its image, and by how many pixels it was over the edge."""

    bbox: Box
    over: float = 0.0

    @property
    def clipped(self) -> bool:
        """Whether it was over the edge."""
        return self.over > 0


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
    for EDGE_TOLERANCE or LARGEST_OVERHANG.
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
    if over <= 0:
        return CheckedBox((x, y, width, height))
    left, top = max(x, 0.0), max(y, 0.0)
    inner_width, inner_height = (
        min(x + width, image.width) - left,
        min(y + height, image.height) - top,
    )
    share = max(inner_width, 0.0) / width * (max(inner_height, 0.0) / height)
    if over > EDGE_TOLERANCE and 1 - share >= LARGEST_OVERHANG:
        inside = f"image id {image.id} of {image.width}x{image.height} px"
        how = "" if share == 0 else " by half of itself or more"
        raise BrokenBoxError("outside the image", f"{told}, which lies outside {inside}{how}")
    if min(inner_width, inner_height) < SMALLEST_SIDE:
        raise BrokenBoxError("without area", f"{told}, which has no area inside the image")
    return CheckedBox((left, top, inner_width, inner_height), over)


def told_clipped(count: int, most: float) -> str:
    """What is said of `count` boxes that were over the image's edge by `most` pixels at most."""
    return (
        f"clipped {count} boxes that were over the image's edge by up to "
        f"{max(most, EDGE_TOLERANCE):.4g} px"
    )
