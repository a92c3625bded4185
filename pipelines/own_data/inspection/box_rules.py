"""Rules on single boxes, each within one split."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from pipelines.data.formats.boxes import EDGE_TOLERANCE
from pipelines.data.tiling import Tiling
from pipelines.own_data.inspection.kinds import Kind, Suspicion
from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.wording import counts_listed, percent

SAME_PLACE = 0.95
"""IoU above which two boxes are one."""
COVERING = 0.95
"""Share of its image above which a box covers nearly all of it."""
HARD_TO_LEARN = 4.0
"""Pixels of the input: a side below this is less than one cell of any detector here."""
ELONGATED = 10.0
"""One side over the other."""


def repeated_boxes(objects: Objects) -> list[Suspicion]:
    """Boxes that lie on another box of the same class: IoU above SAME_PLACE.

    Training counts such an object twice, and evaluation misses one of the two for certain.
    """
    pairs = coinciding_pairs(objects)
    same = objects.label[pairs[:, 0]] == objects.label[pairs[:, 1]]
    found = np.unique(pairs[same, 1])
    return objects.suspect_boxes(
        Kind.REPEATED_BOX,
        found,
        f"on another box of the same class (IoU above {SAME_PLACE:g})",
    )


def contradictory_labels(objects: Objects) -> list[Suspicion]:
    """Boxes that lie on a box of another class: IoU above SAME_PLACE. One of the two is wrong."""
    pairs = coinciding_pairs(objects)
    pairs = pairs[objects.label[pairs[:, 0]] != objects.label[pairs[:, 1]]]
    found = np.unique(pairs[:, 1])
    names = objects.class_names
    classes = Counter(
        " / ".join(names[k] for k in sorted(labels)) for labels in objects.label[pairs].tolist()
    )
    return objects.suspect_boxes(
        Kind.CONTRADICTORY_LABELS,
        found,
        f"on a box of another class (IoU above {SAME_PLACE:g}): "
        f"{counts_listed(dict(classes.most_common()))}",
    )


def covering_boxes(objects: Objects) -> list[Suspicion]:
    """Boxes over more than COVERING of their image that leave an edge free.

    Often a label of the whole image. Those that touch all four edges are `framing_boxes`.
    """
    area = objects.boxes[:, 2:].prod(axis=1) / objects.sides[objects.image].prod(axis=1)
    found = _worst_first(np.where(_framing(objects), 0.0, area), COVERING)
    return objects.suspect_boxes(
        Kind.COVERING_BOX,
        found,
        f"over more than {percent(COVERING)} of their image",
    )


def framing_boxes(objects: Objects) -> list[Suspicion]:
    """Boxes within EDGE_TOLERANCE pixels of all four edges: a label of the image, of no place."""
    found = np.flatnonzero(_framing(objects))
    return objects.suspect_boxes(
        Kind.FRAMING_BOX,
        found,
        "touch all four edges of their image",
    )


def tiny_boxes(objects: Objects, input_size: int, tiling: Tiling | None = None) -> list[Suspicion]:
    """Boxes with a side below HARD_TO_LEARN pixels as the network sees them.

    Images, or the tiles that they are cut into, are stretched to the input.
    """
    stretched = tiling.size if tiling else objects.sides[objects.image]
    sides = objects.boxes[:, 2:] * input_size / stretched
    found = _worst_first(-sides.min(axis=1), -HARD_TO_LEARN)
    return objects.suspect_boxes(
        Kind.TINY_BOX,
        found,
        f"a side below {HARD_TO_LEARN:g} px at input size {input_size}, which is hard to learn",
    )


def elongated_boxes(objects: Objects) -> list[Suspicion]:
    """Boxes with one side more than ELONGATED times the other, in the image's own pixels."""
    width, height = objects.boxes[:, 2:].T
    found = _worst_first(np.maximum(width / height, height / width), ELONGATED)
    return objects.suspect_boxes(
        Kind.ELONGATED_BOX,
        found,
        f"one side more than {ELONGATED:g} times the other",
    )


def coinciding_pairs(objects: Objects) -> NDArray[np.int64]:
    """P×2 positions of objects of one image whose IoU is above SAME_PLACE, the earlier first.

    The union is at least as large as the left box, and the intersection no wider than what is
    right of the other's left edge. So an IoU above t needs left edges closer than 1 - t of the
    left box's width: along boxes sorted by left edge, a few neighbours of each are looked at.
    """
    x, y, width, height = objects.boxes.T
    order = np.lexsort((x, objects.image))
    found = [np.empty((0, 2), np.int64)]
    left = np.arange(len(order))
    step = 1
    while len(left := left[left + step < len(order)]):
        a, b = order[left], order[left + step]
        near = (objects.image[a] == objects.image[b]) & (x[b] - x[a] <= (1 - SAME_PLACE) * width[a])
        left, a, b = left[near], a[near], b[near]
        across = np.minimum(x[a] + width[a], x[b] + width[b]) - x[b]
        down = np.minimum(y[a] + height[a], y[b] + height[b]) - np.maximum(y[a], y[b])
        shared = across * np.maximum(down, 0)
        iou = shared / (width[a] * height[a] + width[b] * height[b] - shared)
        found.append(np.sort(np.stack([a, b], axis=1)[iou > SAME_PLACE], axis=1))
        step += 1
    return np.concatenate(found)


def _framing(objects: Objects) -> NDArray[np.bool_]:
    start, end = objects.boxes[:, :2], objects.boxes[:, :2] + objects.boxes[:, 2:]
    free = np.maximum(start, objects.sides[objects.image] - end)
    return (free <= EDGE_TOLERANCE).all(axis=1)


def _worst_first(values: NDArray[np.float64], limit: float) -> NDArray[np.int64]:
    """Positions of the values above the limit, the largest first."""
    order = np.argsort(-values, kind="stable")
    return order[values[order] > limit]
