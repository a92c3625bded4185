"""Attachment points, anchors and class weights for objects of any size (scale-aware SSD, §3, §5).

The paper finds them by hand for one data set. Here its rules are a search: anchor sets start at a
low percentile of the objects' sizes and grow by 1.5 or 1.7; heads attach where the receptive fields
are 1.5 to 2.5 times the anchors; of what remains, the set that covers the objects best is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from method.matching import Matching
from method.mobilenet import LAST_BLOCK, encoder_blocks, out_channels
from method.receptive_field import ReceptiveField, receptive_field
from method.scale import A_SCORE_RANGE, REFERENCE_SIZE, a_scores
from method.ssd import extra_layers, head_fields

GROWTH = (1.5, 1.7)
"""From one anchor to the next (§5.1)."""
BASE_PERCENTILES = (5, 15, 25, 35)
"""Percentiles of the sizes at which the smallest anchor is tried."""
RECALL_GIVEN_UP = 0.06
"""So much recall under the best possible is given up for a coarser, and so faster, grid."""
LARGEST_WEIGHT = 10.0
"""Class weights are cut here: a class of a handful of objects must not rule the loss."""


@dataclass(frozen=True)
class Candidate:
    """One choice of attachment points and anchors, and what speaks for it."""

    attach: tuple[int, int]
    anchors: tuple[float, ...]
    """Pixels of a 512×512 input."""
    scores: tuple[float, ...]
    """A-score of each head, in pixels of the input at hand."""
    recall: float
    """Share of objects that some anchor reaches at the matching threshold."""
    mean_iou: float
    """Mean over objects of the overlap with their best anchor."""

    stride: int
    """Of the finest head, input pixels."""

    @property
    def mean_score(self) -> float:
        return sum(self.scores) / len(self.scores)

    @property
    def misfit(self) -> float:
        """Distance of the mean A-score from the wanted range, 0 inside."""
        low, high = A_SCORE_RANGE
        return max(low - self.mean_score, self.mean_score - high, 0.0)

    @property
    def unevenness(self) -> float:
        """Sum over the heads of their own distances from the range."""
        low, high = A_SCORE_RANGE
        return sum(max(low - score, score - high, 0.0) for score in self.scores)


def candidate_anchors(sizes: Tensor) -> list[tuple[float, ...]]:
    """Sets of four anchors for objects of these sizes (N, sides of equal squares at 512×512)."""
    bases = torch.quantile(sizes.double(), torch.tensor(BASE_PERCENTILES).double() / 100)
    sets = {
        tuple(float(round(base * factor**step)) for step in range(4))
        for base in bases.tolist()
        for factor in GROWTH
    }
    return sorted(sets)


@cache
def attachment_points() -> Mapping[tuple[int, int], tuple[ReceptiveField, ...]]:
    """Every pair of blocks whose strides differ by two, and the fields of its four heads."""
    blocks = list(encoder_blocks(LAST_BLOCK))
    strides = [receptive_field(blocks[: block + 1]).stride for block in range(LAST_BLOCK + 1)]
    return {
        (first, second): head_fields(
            nn.Sequential(*blocks[: second + 1]), extra_layers(out_channels(blocks[second])), first
        )
        for first in range(1, LAST_BLOCK)
        for second in range(first + 1, LAST_BLOCK + 1)
        if strides[second] == 2 * strides[first]
    }


def best_overlaps(
    boxes: Tensor, anchors: Sequence[float], strides: Sequence[int], input_size: int
) -> Tensor:
    """Overlap of each object with the best of all anchors.

    Args:
        boxes: N×4, `xyxy`, input pixels.
        anchors: side of each head's square anchor, input pixels.
        strides: of each head, input pixels.
        input_size: side of the input, pixels.

    Returns:
        N values in 0…1. The best anchor of a head is the one whose centre is nearest.
    """
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    best = boxes.new_zeros(len(boxes))
    for anchor, stride in zip(anchors, strides, strict=True):
        cells = -(-input_size // stride)
        nearest = ((centres / stride).floor().clamp(0, cells - 1) + 0.5) * stride
        low = torch.maximum(boxes[:, :2], nearest - anchor / 2)
        high = torch.minimum(boxes[:, 2:], nearest + anchor / 2)
        shared = (high - low).clamp(min=0).prod(dim=1)
        best = torch.maximum(best, shared / (sides.prod(dim=1) + anchor**2 - shared))
    return best


def rank_candidates(
    boxes: Tensor,
    sizes: Tensor,
    input_size: int,
    attach: tuple[int, int] | None = None,
    anchors: tuple[float, ...] | None = None,
) -> list[Candidate]:
    """All choices, best first.

    In order: the mean A-score in the wanted range, or else nearest to it; the recall no more than
    `RECALL_GIVEN_UP` under the best; the coarsest grid; the heads' own A-scores in the range; the
    mean overlap; the shorter encoder. Coarse grids and short encoders make a fast detector.

    Args:
        boxes: N×4, `xyxy`, input pixels.
        sizes: N, sides of the equal squares at 512×512 (`method.scale.equal_square_side`).
        input_size: side of the input, pixels.
        attach: the blocks, where they are given.
        anchors: the anchors, where they are given.

    Raises:
        ValueError: no objects, or `attach` is no pair of `attachment_points`.
    """
    if len(boxes) == 0:
        raise ValueError("there is no object to adapt to")
    points = attachment_points()
    if attach is not None and attach not in points:
        raise ValueError(f"attach: {attach} are no two blocks whose strides differ by two")
    pairs = [attach] if attach else list(points)
    sets = [anchors] if anchors else candidate_anchors(sizes)
    threshold = Matching().positive_iou
    candidates = []
    for chosen in sets:
        sides = [side * input_size / REFERENCE_SIZE for side in chosen]
        overlaps: dict[tuple[int, ...], Tensor] = {}
        for pair in pairs:
            strides = tuple(field.stride for field in points[pair])
            if strides not in overlaps:
                overlaps[strides] = best_overlaps(boxes, sides, strides, input_size)
            reached = overlaps[strides]
            candidates.append(
                Candidate(
                    attach=pair,
                    anchors=chosen,
                    scores=tuple(a_scores([field.size for field in points[pair]], sides)),
                    recall=float((reached >= threshold).double().mean()),
                    mean_iou=float(reached.double().mean()),
                    stride=strides[0],
                )
            )
    least_misfit = min(candidate.misfit for candidate in candidates)
    fitting = [c for c in candidates if c.misfit <= least_misfit + 0.005]
    enough = max(c.recall for c in fitting) - RECALL_GIVEN_UP

    def order(c: Candidate) -> tuple[float, ...]:
        short = max(enough - c.recall, 0)
        misfit = max(c.misfit - least_misfit, 0)
        return (
            round(misfit, 2), round(short, 2), -c.stride, round(c.unevenness, 1), -c.mean_iou,
            c.attach[1],
        )  # fmt: skip

    return sorted(candidates, key=order)


def class_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Weight of each class: the most frequent one's count over its own (§5.2, 1/4/3.7).

    Args:
        counts: objects of each class, 0 or more, not all 0; a class without an object weighs 1.
    """
    most = max(counts)
    return tuple(min(round(most / count, 1), LARGEST_WEIGHT) if count else 1.0 for count in counts)
