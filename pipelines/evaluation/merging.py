"""Detections in overlapping tiles, merged into those of the photograph that was cut.

Where tiles overlap, an object is found several times, and cut off where a tile ends. Three steps
leave it once:

1. A detection is left to another tile that sees its box clearly deeper inside. So an object of
   sides up to the overlap is judged where it is whole.
2. What ends at a tile's inner edge is a part, of an object that is larger than the overlap. Parts
   that agree in what both tiles see are one object: the box around them.
3. What overlaps a better detection of its class goes, as in the detector itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from method.detection import Detections
from pipelines.data.prepared import PreparedSplit
from pipelines.data.tiling import Tiling

DEEPER = 0.25
"""Share of a box's side by which another tile must see it deeper inside. Two tiles' boxes of one
object differ a little, and must not each be left to the other."""
EDGE = 0.1
"""Share of a box's side within which it ends at its tile's edge."""
SAME_OBJECT = 0.5
"""IoU from which two detections are one object."""
CHUNK = 64
"""Parts that are held against all detections at once."""


@dataclass(frozen=True)
class _Found:
    """N detections of all tiles of a photograph."""

    boxes: Tensor
    """N×4, `xyxy`, pixels of the photograph."""
    scores: Tensor
    labels: Tensor
    seen: Tensor
    """N×4, `xyxy`: the tile that each is of, cut at the photograph's edge."""

    def __getitem__(self, chosen: Tensor) -> _Found:
        return _Found(*(values[chosen] for values in vars(self).values()))


def merge_tiles(found: Sequence[Detections], tiling: Tiling, width: int, height: int) -> Detections:
    """The detections of a photograph.

    Args:
        found: in each of its tiles, in the order of `tiling.corners`; boxes in the tile's pixels.
        tiling: how it was cut.
        width: of the photograph, pixels.
        height: likewise.

    Returns:
        Boxes in the photograph's pixels, best score first.
    """
    corners = torch.tensor(tiling.corners(width, height))
    corner = corners.repeat_interleave(torch.tensor([len(own.scores) for own in found]), dim=0)
    limits = torch.tensor([width, height])
    seen = torch.cat([corner, torch.minimum(corner + tiling.size, limits)], dim=1)
    boxes = torch.cat([own.boxes.cpu().double() for own in found]) + corner.repeat(1, 2)
    every = _Found(
        torch.minimum(boxes, limits.repeat(2)),
        torch.cat([own.scores.cpu().double() for own in found]),
        torch.cat([own.labels.cpu() for own in found]),
        seen,
    )
    every = every[_sides(every.boxes).amin(dim=1) > 0]  # where a small photograph is padded
    kept = every[~_judged_elsewhere(every, tiling, limits)]
    joined = _join_parts(kept, limits)
    chosen = batched_nms(joined.boxes, joined.scores, joined.labels, SAME_OBJECT)
    return Detections(joined.boxes[chosen], joined.scores[chosen], joined.labels[chosen])


def whole_photographs(
    split: PreparedSplit, detections: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """COCO results in a split's images as COCO results in what is scored.

    Args:
        split: its detections are merged where it holds tiles, and stay as they are elsewhere.
        detections: image_id, category_id, bbox `xywh` in original pixels, score.
    """
    whole = split.photographs
    if whole is None:
        return list(detections)
    by_tile: dict[int, list[dict[str, Any]]] = {image.id: [] for image in split.coco.images}
    for one in detections:
        by_tile[one["image_id"]].append(one)
    tiles = iter(by_tile.values())
    results = []
    for image in whole.coco.images:
        corners = whole.tiling.corners(image.width, image.height)
        found = [_as_detections(next(tiles)) for _ in corners]
        merged = merge_tiles(found, whole.tiling, image.width, image.height)
        results += _as_results(merged, image.id)
    return results


def _as_detections(results: Sequence[dict[str, Any]]) -> Detections:
    boxes = torch.tensor([one["bbox"] for one in results], dtype=torch.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        boxes,
        torch.tensor([one["score"] for one in results], dtype=torch.float64),
        torch.tensor([one["category_id"] for one in results], dtype=torch.int64),
    )


def _as_results(found: Detections, image: int) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image,
            "category_id": label,
            "bbox": [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
            "score": score,
        }
        for (x1, y1, x2, y2), score, label in zip(
            found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        )
    ]


def _judged_elsewhere(found: _Found, tiling: Tiling, limits: Tensor) -> Tensor:
    """N: whether another column, or another row, of tiles sees a box clearly deeper inside."""
    best = []
    for axis in (0, 1):
        length = limits[axis : axis + 1]
        first = torch.tensor(tiling.starts(int(length)))
        spans = torch.stack([first, torch.minimum(first + tiling.size, length)], dim=1)
        inside = _depth(found.boxes[:, None, axis::2], spans[None], length)
        best.append(inside.amax(dim=(1, 2)))
    own = _depth(found.boxes, found.seen, limits)
    return (own < torch.stack(best, dim=1) - DEEPER).any(dim=1)


def _depth(boxes: Tensor, seen: Tensor, limits: Tensor) -> Tensor:
    """…×k: along each axis, how far inside what is seen a box lies, in sides of the box.

    Infinite where both edges are the photograph's own, below 0 where the box reaches out.

    Args:
        boxes: …×2k, starts before ends, along k axes.
        seen: likewise.
        limits: k, where the photograph ends.
    """
    (low, high), (first, last) = boxes.chunk(2, dim=-1), seen.chunk(2, dim=-1)
    start = (low - first).masked_fill(first == 0, torch.inf)
    end = (last - high).masked_fill(last == limits, torch.inf)
    return torch.minimum(start, end) / (high - low)


def _join_parts(found: _Found, limits: Tensor) -> _Found:
    """The detections, where parts of one object have become the box around them."""
    part = _depth(found.boxes, found.seen, limits).amin(dim=1) <= EDGE
    order = torch.argsort(2 * part - found.scores)  # the whole take in parts, then the best parts
    found, part = found[order], part[order]
    parts = part.nonzero().flatten()
    agree = torch.cat([_agree(found, found[some]) for some in parts.split(CHUNK)], dim=1)
    boxes, scores = found.boxes.clone(), found.scores.clone()
    free = torch.ones(len(order), dtype=torch.bool)
    for host in agree.any(dim=1).nonzero().flatten().tolist():
        members = parts[agree[host] & free[parts] & (parts > host)]
        if free[host] and len(members):
            free[members] = False
            boxes[host, :2] = torch.minimum(boxes[host, :2], found.boxes[members, :2].amin(dim=0))
            boxes[host, 2:] = torch.maximum(boxes[host, 2:], found.boxes[members, 2:].amax(dim=0))
            scores[host] = torch.maximum(scores[host], found.scores[members].max())
    return _Found(boxes, scores, found.labels, found.seen)[free]


def _agree(found: _Found, parts: _Found) -> Tensor:
    """N×P: whether detections are of one class, of two tiles, and alike where both tiles see."""
    seen = _intersection(found.seen[:, None], parts.seen[None])
    one, other = (_intersection(boxes, seen) for boxes in (found.boxes[:, None], parts.boxes[None]))
    shared = _area(_intersection(one, other))
    iou = shared / (_area(one) + _area(other) - shared)
    elsewhere = (found.seen[:, None] != parts.seen[None]).any(dim=-1)
    return elsewhere & (found.labels[:, None] == parts.labels[None]) & (iou >= SAME_OBJECT)


def _intersection(one: Tensor, other: Tensor) -> Tensor:
    """…×4 `xyxy`; a start behind its end where they do not meet."""
    start = torch.maximum(one[..., :2], other[..., :2])
    return torch.cat([start, torch.minimum(one[..., 2:], other[..., 2:])], dim=-1)


def _area(boxes: Tensor) -> Tensor:
    return _sides(boxes).clamp(min=0).prod(dim=-1)


def _sides(boxes: Tensor) -> Tensor:
    return boxes[..., 2:] - boxes[..., :2]
