"""The box around a COCO segmentation: of polygons, or of a mask in runs."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np

from pipelines.data.formats.boxes import BrokenBoxError, is_number
from pipelines.data.records import ImageRecord

LARGEST_MASK = 10**9
"""Pixels."""


def extent(segmentation: object, image: ImageRecord) -> list[float]:
    """The box (x, y, width, height) in pixels around a segmentation.

    Args:
        segmentation: polygons, each x1 y1 x2 y2 …, or {"size": [height, width], "counts": …} with
            runs of pixels down the columns, outside and inside in turn, as numbers or packed.
        image: the image of the annotation; a mask must have its size.

    Raises:
        BrokenBoxError: it is neither, or empty.
    """
    if isinstance(segmentation, dict):
        return _extent_of_runs(_runs(segmentation, image), image.height)
    if isinstance(segmentation, list) and segmentation:
        flat = segmentation if is_number(segmentation[0]) else None
        return _extent_of_polygons([flat] if flat else segmentation)
    raise BrokenBoxError("not of four numbers", "has neither bbox nor segmentation")


def _extent_of_polygons(polygons: list[Any]) -> list[float]:
    for polygon in polygons:
        numbers = isinstance(polygon, list) and all(is_number(value) for value in polygon)
        if not numbers or len(polygon) < 6 or len(polygon) % 2:
            raise BrokenBoxError(
                "of an odd polygon",
                f"has the polygon {reprlib.repr(polygon)}, which is not x1 y1 x2 y2 x3 y3 …",
            )
    xs = [float(x) for polygon in polygons for x in polygon[0::2]]
    ys = [float(y) for polygon in polygons for y in polygon[1::2]]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def _runs(mask: dict[Any, Any], image: ImageRecord) -> list[int]:
    told = f"has a mask of size {reprlib.repr(mask.get('size'))}"
    if mask.get("size") != [image.height, image.width]:
        size = f"[{image.height}, {image.width}]"
        raise BrokenBoxError("of another size", f"{told}, not the image's {size}")
    counts = mask.get("counts")
    runs = _unpacked(counts) if isinstance(counts, str) else counts
    whole = isinstance(runs, list) and all(type(run) is int and run >= 0 for run in runs)
    if not isinstance(runs, list) or not whole or sum(runs) != image.height * image.width:
        raise BrokenBoxError(
            "of an odd mask", f"{told} whose counts do not cover its pixels once each"
        )
    if image.height * image.width > LARGEST_MASK:
        raise BrokenBoxError("of an odd mask", f"{told}, which is larger than {LARGEST_MASK}")
    return runs


def _unpacked(text: str) -> list[int] | None:
    """COCO's packing: groups of five bits from the lowest, the sixth says that more follow.

    From the fourth run on, the difference to the run before the last is packed.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return None if shift else runs


def _extent_of_runs(runs: list[int], height: int) -> list[float]:
    """Over whole pixels: a single one has a box of side 1."""
    ends = np.cumsum(np.array(runs, np.int64))
    first, last = ends[0::2][: len(runs) // 2], ends[1::2] - 1
    filled = last >= first
    if not filled.any():
        raise BrokenBoxError("without area", "has an empty mask, which has no area")
    first, last = first[filled], last[filled]
    left, right = first // height, last // height
    within = left == right
    top = np.where(within, first % height, 0).min()
    bottom = np.where(within, last % height, height - 1).max()
    x, y = int(left.min()), int(top)
    return [x, y, int(right.max()) - x + 1, int(bottom) - y + 1]
