"""Which anchors belong to which object, and how well they overlap it (LapNet, §3.2).

Anchors of a class form a grid of A×H×W: A shapes on every cell. An object meets the anchors of its
class alone; K = A·H·W of them.
"""

from __future__ import annotations

import torch
from torch import Tensor


def grid_overlap(boxes: Tensor, shapes: Tensor, cells: tuple[int, int], stride: float) -> Tensor:
    """IoU of each object with every anchor of its class.

    Args:
        boxes: N×4, `xyxy`, pixels.
        shapes: N×A×2, widths and heights of the anchors of each object's class, pixels.
        cells: rows H and columns W of the grid.
        stride: pixels from one cell to the next.

    Returns:
        N×A×H×W, in [0, 1].
    """
    across = _shared(boxes[:, 0::2], shapes[..., 0], cells[1], stride)
    down = _shared(boxes[:, 1::2], shapes[..., 1], cells[0], stride)
    common = down[..., :, None] * across[..., None, :]
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    together = area[:, None] + shapes.prod(dim=2)
    return common / (together[..., None, None] - common)


def _shared(sides: Tensor, lengths: Tensor, cells: int, stride: float) -> Tensor:
    """N×A×cells: how much of its length each anchor shares with each object, along one axis."""
    centres = (torch.arange(cells, device=sides.device) + 0.5) * stride
    half = lengths[..., None] / 2
    end = torch.minimum(centres + half, sides[:, None, 1:])
    return (end - torch.maximum(centres - half, sides[:, None, :1])).clamp(min=0)


def clusters(overlap: Tensor, labels: Tensor, distance: Tensor) -> Tensor:
    """Assign every anchor to the object of its class with which its overlap is highest.

    An object that is nobody's best match is given the anchor it overlaps most, or else the nearest,
    of those that are not another object's best: none is missed, which is the paper's promise. The
    paper leaves the case open.

    Args:
        overlap: N×K, of each object with the anchors of its class.
        labels: N int64, the objects' classes.
        distance: N×K, between the centres of objects and anchors, pixels.

    Returns:
        N×K mask; an anchor has at most one object of each class.
    """
    if not len(overlap):
        return torch.zeros_like(overlap, dtype=torch.bool)
    objects = torch.arange(len(overlap), device=overlap.device)[:, None].expand_as(overlap)
    groups = labels.unique(return_inverse=True)[1][:, None].expand_as(overlap)
    shape = (int(groups.max()) + 1, overlap.shape[1])
    best = overlap.new_zeros(shape).scatter_reduce(0, groups, overlap, "amax")
    ties = torch.where((overlap == best.gather(0, groups)) & (overlap > 0), objects, len(overlap))
    first = objects.new_full(shape, len(overlap)).scatter_reduce(0, groups, ties, "amin")
    wish = torch.where(overlap > 0, overlap, -distance / (1 + distance.max()))
    return _adopt_orphans(wish, labels, objects == first.gather(0, groups))


def _adopt_orphans(wish: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Give objects without an anchor their best that is free, the first of rivals first.

    `wish` (N×K) is above -1, and the higher the better.
    """
    while len(orphans := torch.nonzero(~mask.any(dim=1)).flatten()):
        peak = torch.where(mask, wish, -1.0).argmax(dim=1)
        rows = torch.nonzero(mask.any(dim=1)).flatten()
        taken = torch.zeros_like(mask)
        taken[rows, peak[rows]] = True
        same_class = labels[orphans][:, None] == labels[None]
        free = ~(same_class.float() @ taken.float()).bool()
        wanted = torch.where(free, wish[orphans], -1.0)
        value, anchor = wanted.max(dim=1)
        # One orphan an anchor and class: the others look again in the next round.
        pairs = torch.stack([labels[orphans], anchor], dim=1)
        rivals = (pairs[:, None] == pairs[None]).all(dim=2)
        first = ~rivals.tril(diagonal=-1).any(dim=1)
        served = first & (value > -1)
        if not served.any():
            break
        for_whom, which = orphans[served], anchor[served]
        place, owner = torch.nonzero(labels[for_whom][:, None] == labels[None], as_tuple=True)
        mask[owner, which[place]] = False
        mask[for_whom, which] = True
    return mask


def normalised_overlap(overlap: Tensor, mask: Tensor) -> Tensor:
    """Per-object normalised overlap, PONO (eq. 1): of each cluster over its highest.

    Args:
        overlap: N×K.
        mask: N×K clusters.

    Returns:
        N×K in [0, 1], 0 outside the clusters; every object with a cluster has a 1.
    """
    within = torch.where(mask, overlap, 0)
    highest = within.amax(dim=1, keepdim=True)
    return torch.where(highest > 0, within / highest, mask.to(overlap.dtype))
