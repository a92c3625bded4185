"""Coding of boxes against anchors: SSD's, and the one in the scale-aware SSD's released code.

Formats, areas, intersections and non-maximum suppression are torchvision's (`torchvision.ops`).
"""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor
from torchvision.ops import box_convert

SSD_VARIANCES = (0.1, 0.2)
"""Scale of the two offsets of the centre and of the two of the sides in SSD (Liu et al. 2016,
released code)."""

_LARGEST_LOG_RATIO = 4.135
"""exp of it is 62.5: a decoded side is at most that many anchors long, as in torchvision."""


class BoxCoding(StrEnum):
    """How a box is written relative to its anchor."""

    SSD = "ssd"
    """Centre's offset over the anchor's side, logarithm of the sides' ratio; over the variances."""
    SSD_UNSCALED = "ssd-unscaled"
    """The same without the variances."""
    CORNER = "corner"
    """Offset of the top-left corner over the anchor's side, plain ratio of the sides."""


def encode(boxes: Tensor, anchors: Tensor, coding: BoxCoding = BoxCoding.SSD) -> Tensor:
    """Offsets that take each anchor to its box.

    Args:
        boxes: …×4, `xyxy`, pixels, with positive sides.
        anchors: …×4, `cxcywh`, pixels.
        coding: how the offsets are written.

    Returns:
        …×4 offsets without a unit.
    """
    anchor_sides = anchors[..., 2:]
    if coding is BoxCoding.CORNER:
        corner = (boxes[..., :2] - (anchors[..., :2] - anchor_sides / 2)) / anchor_sides
        return torch.cat([corner, (boxes[..., 2:] - boxes[..., :2]) / anchor_sides], dim=-1)
    box = box_convert(boxes, "xyxy", "cxcywh")
    of_centre = (box[..., :2] - anchors[..., :2]) / anchor_sides
    of_sides = torch.log(box[..., 2:] / anchor_sides)
    if coding is BoxCoding.SSD:
        of_centre, of_sides = of_centre / SSD_VARIANCES[0], of_sides / SSD_VARIANCES[1]
    return torch.cat([of_centre, of_sides], dim=-1)


def decode(offsets: Tensor, anchors: Tensor, coding: BoxCoding = BoxCoding.SSD) -> Tensor:
    """Inverse of `encode`: …×4 boxes, `xyxy`, pixels, of the same coding; no side below 0."""
    anchor_sides = anchors[..., 2:]
    if coding is BoxCoding.CORNER:
        corner = anchors[..., :2] - anchor_sides / 2 + offsets[..., :2] * anchor_sides
        return torch.cat([corner, corner + offsets[..., 2:].clamp(min=0) * anchor_sides], dim=-1)
    of_centre, of_sides = offsets[..., :2], offsets[..., 2:]
    if coding is BoxCoding.SSD:
        of_centre, of_sides = of_centre * SSD_VARIANCES[0], of_sides * SSD_VARIANCES[1]
    centre = anchors[..., :2] + of_centre * anchor_sides
    half = anchor_sides * of_sides.clamp(max=_LARGEST_LOG_RATIO).exp() / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def whole_pixels(boxes: Tensor) -> Tensor:
    """Boxes (…×4, `xyxy`, pixels) with corner and sides cut down to whole pixels.

    No side falls below 1, so that it has a logarithm. The released code keeps objects and
    detections as integers: corner, width and height.
    """
    corner, sides = boxes[..., :2].floor(), boxes[..., 2:] - boxes[..., :2]
    return torch.cat([corner, corner + sides.floor().clamp(min=1)], dim=-1)


def paired_iou(one: Tensor, other: Tensor) -> Tensor:
    """IoU of boxes pair by pair: P×4 and P×4, `xyxy`, to P."""
    corners = torch.minimum(one[:, 2:], other[:, 2:]) - torch.maximum(one[:, :2], other[:, :2])
    common = corners.clamp(min=0).prod(dim=1)
    area = (one[:, 2:] - one[:, :2]).prod(dim=1) + (other[:, 2:] - other[:, :2]).prod(dim=1)
    return common / (area - common)
