"""Which anchors belong to which object, and how well they overlap it (LapNet, §3.2).

Anchors of a class form a grid of A×H×W: A shapes on every cell. An object meets the anchors of its
class alone; K = A·H·W of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from method.lapnet.choices import Overlap


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
        distance: N×D, between the centres of objects and anchors, pixels; D divides K, and every D
            anchors in turn lie on the same points.

    Returns:
        N×K mask; an anchor has at most one object of each class.
    """
    if not len(overlap):
        return torch.zeros_like(overlap, dtype=torch.bool)
    groups = labels.unique(return_inverse=True)[1]
    # Something above 0, so that an anchor that overlaps no object is nobody's.
    shape, least = (int(groups.max()) + 1, overlap.shape[1]), torch.finfo(overlap.dtype).tiny
    best = overlap.new_full(shape, least).scatter_reduce(
        0, groups[:, None].expand_as(overlap), overlap, "amax"
    )
    mask = overlap == best[groups]
    objects, places = torch.nonzero(mask, as_tuple=True)
    first = groups.new_full(shape, len(mask)).view(-1)
    anchors = groups[objects] * overlap.shape[1] + places
    late = objects > first.scatter_reduce(0, anchors, objects, "amin")[anchors]
    mask[objects[late], places[late]] = False
    if not mask.any(dim=1).all():
        _adopt_orphans(mask, overlap, labels, distance)
    return mask


def _adopt_orphans(mask: Tensor, overlap: Tensor, labels: Tensor, distance: Tensor) -> None:
    """Give objects without an anchor their best that is free, the first of rivals first.

    Free are the anchors that are not the best of an object of the class that has one.
    """
    best = torch.where(mask, overlap, 0).argmax(dim=1)
    served = mask.any(dim=1)
    nearness = -distance / (1 + distance.max())
    while not served.all():
        orphans = torch.nonzero(~served).flatten()
        wish = nearness[orphans].repeat(1, overlap.shape[1] // distance.shape[1])
        wish = torch.where(overlap[orphans] > 0, overlap[orphans], wish)
        rows, owners = torch.nonzero((labels[orphans][:, None] == labels) & served, as_tuple=True)
        wish[rows, best[owners]] = -1
        value, anchor = wish.max(dim=1)
        # One orphan an anchor and class: the others look again in the next round.
        pairs = torch.stack([labels[orphans], anchor], dim=1)
        rivals = (pairs[:, None] == pairs[None]).all(dim=2)
        lucky = ~rivals.tril(diagonal=-1).any(dim=1) & (value > -1)
        if not lucky.any():
            break
        for_whom, which = orphans[lucky], anchor[lucky]
        rows, owners = torch.nonzero(labels[for_whom][:, None] == labels, as_tuple=True)
        mask[owners, which[rows]] = False
        mask[for_whom, which] = True
        best[for_whom], served[for_whom] = which, True


def normalised_overlap(overlap: Tensor, mask: Tensor) -> Tensor:
    """Per-object normalised overlap, PONO (eq. 1): of each cluster over its highest.

    Args:
        overlap: N×K.
        mask: N×K clusters.

    Returns:
        N×K in [0, 1], 0 outside the clusters; every object with a cluster has a 1.
    """
    within = torch.where(mask, overlap, 0)
    highest = within.amax(dim=1)
    missed = highest == 0
    within[missed] = mask[missed].to(overlap.dtype)
    return within / torch.where(missed, 1, highest)[:, None]


NORMALISERS: Mapping[Overlap, Callable[[Tensor, Tensor], Tensor]] = {
    Overlap.ABSOLUTE: lambda overlap, mask: overlap,
    Overlap.PONO: normalised_overlap,
}
"""What each choice makes of N×K overlaps and clusters, as `normalised_overlap` does."""
