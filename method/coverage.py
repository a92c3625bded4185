"""How well anchors of given sides, strides and shapes cover objects; no anchor is built for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from method.aspect_ratios import SQUARE

Overlaps = Callable[[float, int, float], Tensor]
"""Overlap of each object with the anchors of a side, a stride and an aspect ratio."""


def best_overlaps(
    boxes: Tensor,
    anchors: Sequence[float],
    strides: Sequence[int],
    input_size: int,
    aspect_ratios: Sequence[float] = SQUARE,
) -> Tensor:
    """Overlap of each object with the best of all anchors.

    Args:
        boxes: N×4, `xyxy`, input pixels.
        anchors: side of each head's square anchor, input pixels; other ratios keep its area.
        strides: of each head, input pixels.
        input_size: side of the input, pixels.
        aspect_ratios: width over height of each anchor of a cell.

    Returns:
        N values in 0…1. The best anchor of a head and a shape is the one whose centre is nearest.
    """
    return best_of(partial(shape_overlaps, boxes, input_size), anchors, strides, aspect_ratios)


def best_of(
    overlaps: Overlaps,
    anchors: Sequence[float],
    strides: Sequence[int],
    ratios: Sequence[float],
) -> Tensor:
    """N, overlap of each object with the best of the anchors of all heads and shapes."""
    heads = zip(anchors, strides, strict=True)
    return torch.stack([overlaps(*head, ratio) for head in heads for ratio in ratios]).amax(dim=0)


def shape_overlaps(
    boxes: Tensor, input_size: int, anchor: float, stride: int, ratio: float
) -> Tensor:
    """N, overlap of each object with the nearest anchor of one head and one shape."""
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    shape = boxes.new_tensor([anchor * math.sqrt(ratio), anchor / math.sqrt(ratio)])
    cells = -(-input_size // stride)
    nearest = ((centres / stride).floor().clamp(0, cells - 1) + 0.5) * stride
    low = torch.maximum(boxes[:, :2], nearest - shape / 2)
    high = torch.minimum(boxes[:, 2:], nearest + shape / 2)
    shared = (high - low).clamp(min=0).prod(dim=1)
    return shared / (sides.prod(dim=1) + anchor**2 - shared)
