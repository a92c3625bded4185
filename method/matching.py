"""Which anchor answers for which object (the scale-aware SSD's released code; SSD, §2.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_area, box_convert, box_iou

EQUALLY_GOOD = 1e-5
"""Overlaps nearer to one another are the same to the released code."""


@dataclass(frozen=True)
class Matching:
    """Thresholds on the overlap of an anchor with an object (released code: 0.4 and 0.2)."""

    positive_iou: float = 0.4
    """An anchor with this overlap or more is positive for the object it overlaps most."""
    fallback_iou: float = 0.2
    """An object left without an anchor takes its best one, if that overlaps at least so much."""
    inclusive_overlap: bool = False
    """Add a pixel to the sides of the intersection, as the released code does."""
    later_wins: bool = False
    """An anchor is positive for the last object that claims it, as in the released code, not for
    the one that it overlaps most; and an object falls back on all anchors that are equally good."""


def match(
    boxes: Tensor, anchors: Tensor, matching: Matching | None = None
) -> tuple[Tensor, Tensor]:
    """Positive anchors of one image and the object each answers for.

    Args:
        boxes: N×4 objects, `xyxy`, pixels.
        anchors: A×4, `cxcywh`, pixels.
        matching: thresholds; the released code's unless given.

    Returns:
        Two int64 vectors of one length: indices of anchors, ascending and without repeats, and the
        index of the object of each. The anchor that an object falls back on is taken from whichever
        object had it, as in the released code and in torchvision's SSD; of several objects that
        fall back on one anchor, the one that overlaps it most gets it.
    """
    rule = matching or Matching()
    if len(boxes) == 0:
        nothing = torch.empty(0, dtype=torch.int64, device=anchors.device)
        return nothing, nothing.clone()
    overlap = _inclusive_iou if rule.inclusive_overlap else box_iou
    iou = overlap(boxes, box_convert(anchors, "cxcywh", "xyxy"))
    owner = _last_claim(iou, rule) if rule.later_wins else _closest(iou, rule)
    matched = torch.nonzero(owner >= 0).squeeze(1)
    return matched, owner[matched]


def _closest(iou: Tensor, rule: Matching) -> Tensor:
    """Of each anchor the object that it overlaps most, by N×A overlaps; -1 for none."""
    best_iou, owner = iou.max(dim=0)
    owner[best_iou < rule.positive_iou] = -1
    reached = torch.isin(torch.arange(len(iou), device=iou.device), owner)
    fallback_iou, fallback_anchor = iou.max(dim=1)
    needs_fallback = ~reached & (fallback_iou >= rule.fallback_iou) & (fallback_iou > 0)
    by_overlap = fallback_iou.masked_fill(~needs_fallback, -1).argsort(stable=True)
    for item in by_overlap[len(iou) - int(needs_fallback.sum()) :].tolist():
        owner[fallback_anchor[item]] = item
    return owner


def _last_claim(iou: Tensor, rule: Matching) -> Tensor:
    """Of each anchor the last object that falls back on it, else that overlaps it enough."""
    positive = iou >= rule.positive_iou
    best = iou.amax(dim=1, keepdim=True)
    as_good = (iou > best - EQUALLY_GOOD) & (best >= rule.fallback_iou) & (iou > 0)
    falls_back = as_good & ~positive.any(dim=1, keepdim=True)
    numbers = torch.arange(len(iou), device=iou.device)[:, None]
    by_overlap = torch.where(positive, numbers, -1).amax(dim=0)
    by_default = torch.where(falls_back, numbers, -1).amax(dim=0)
    return torch.where(by_default >= 0, by_default, by_overlap)


def _inclusive_iou(first: Tensor, second: Tensor) -> Tensor:
    corner = torch.maximum(first[:, None, :2], second[None, :, :2])
    sides = (torch.minimum(first[:, None, 2:], second[None, :, 2:]) - corner + 1).clamp(min=0)
    overlap = sides.prod(dim=-1)
    return overlap / (box_area(first)[:, None] + box_area(second)[None] - overlap)
