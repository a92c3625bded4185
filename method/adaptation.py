"""Attachment points, anchors and class weights for objects of any size (scale-aware SSD, §3, §5).

The paper finds them by hand for one data set. Here its rules are a search: anchor sets start at a
low percentile of the objects' sizes and grow by 1.5 or 1.7; heads attach where the receptive fields
are 1.5 to 2.5 times the anchors; of what remains, the set that covers the objects best is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

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
"""So much recall under the best possible is given up for a coarser, and so faster, grid.

Set by hand, with no AP behind it. It decides for Laboro's mosaics alone of the four data sets of
this project: up to 0.05 they get blocks 3 and 5 (stride 4), from 0.06 on blocks 5 and 7 (stride 8,
as in the paper). The other three choose alike from 0.02 to 0.10.
"""
LARGEST_WEIGHT = 10.0
"""Class weights are cut here: a class of a handful of objects must not rule the loss."""


@dataclass(frozen=True)
class Candidate:
    """One choice of attachment points and anchors, and what speaks for it."""

    attach: tuple[int, int]
    anchors: tuple[float, ...]
    """Pixels of a 512×512 input."""
    strides: tuple[int, ...]
    """Of each head, input pixels."""
    scores: tuple[float, ...]
    """A-score of each head, in pixels of the input at hand."""
    recall: float
    """Share of objects that some anchor reaches at the matching threshold."""
    fallback_recall: float
    """Share of objects that some anchor reaches at the threshold of the fallback."""
    mean_iou: float
    """Mean over objects of the overlap with their best anchor."""

    @property
    def mean_score(self) -> float:
        return sum(self.scores) / len(self.scores)

    @property
    def misfit(self) -> float:
        """How far the mean A-score is from its range, or a head from seeing its whole anchor."""
        return max(_outside(self.mean_score), 1 - min(self.scores))

    @property
    def fits(self) -> bool:
        return self.misfit <= 0

    @property
    def unevenness(self) -> float:
        """Sum over the heads of their own distances from the range."""
        return sum(_outside(score) for score in self.scores)


def candidate_anchors(sizes: Tensor) -> list[tuple[float, ...]]:
    """Sets of four anchors for objects of these sizes (N, sides of equal squares at 512×512)."""
    bases = torch.quantile(sizes.double(), torch.tensor(BASE_PERCENTILES).double() / 100)
    sets = {
        tuple(float(round(base * factor**step)) for step in range(4))
        for base in bases.tolist()
        for factor in GROWTH
    }
    return sorted(sets)


def attachment_points() -> list[tuple[int, int]]:
    """Every pair of blocks of which the second has twice the stride, as the paper's two have."""
    blocks = range(1, LAST_BLOCK + 1)
    stride = {block: receptive_field(_encoder()[: block + 1]).stride for block in blocks}
    return [pair for pair in combinations(blocks, 2) if stride[pair[1]] == 2 * stride[pair[0]]]


@cache
def fields_under_heads(attach: tuple[int, int]) -> tuple[ReceptiveField, ...]:
    """Fields of the four heads of an SSD with these attachment points."""
    first, second = attach
    blocks = nn.Sequential(*list(_encoder())[: second + 1])
    return head_fields(blocks, extra_layers(out_channels(blocks[second])), first)


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

    In order: the mean A-score in the wanted range and no head that sees less than its anchor
    (§3.2), or else nearest to it; the recall no more than `RECALL_GIVEN_UP` under the best of
    these; the coarsest grid; the heads' own A-scores in the range; the mean overlap; the shorter
    encoder. Coarse grids and short encoders make a fast detector.

    Args:
        boxes: N×4, `xyxy`, input pixels.
        sizes: N, sides of the equal squares at 512×512 (`method.scale.equal_square_side`).
        input_size: side of the input, pixels.
        attach: the blocks, where they are given: any two in order.
        anchors: the anchors, where they are given.

    Raises:
        ValueError: no objects, or `attach` is no two blocks in order.
    """
    if len(boxes) == 0:
        raise ValueError("there is no object to adapt to")
    if attach is not None and not 0 < attach[0] < attach[1] <= LAST_BLOCK:
        raise ValueError(f"attach: {attach} are no two blocks of 1 to {LAST_BLOCK} in order")
    pairs = [attach] if attach else attachment_points()
    sets = [anchors] if anchors else candidate_anchors(sizes)
    candidates = [
        candidate for chosen in sets for candidate in _candidates(boxes, chosen, pairs, input_size)
    ]
    least_misfit = min(candidate.misfit for candidate in candidates)
    enough = max(c.recall for c in candidates if c.misfit <= least_misfit) - RECALL_GIVEN_UP

    def order(c: Candidate) -> tuple[float, ...]:
        short = round(max(enough - c.recall, 0), 2)
        return (c.misfit, short, -c.strides[0], round(c.unevenness, 1), -c.mean_iou, c.attach[1])

    return sorted(candidates, key=order)


def class_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Weight of each class: the most frequent one's count over its own (§5.2, 1/4/3.7).

    Args:
        counts: objects of each class, 0 or more, not all 0; a class without an object weighs 1.
    """
    most = max(counts)
    return tuple(min(round(most / count, 1), LARGEST_WEIGHT) if count else 1.0 for count in counts)


@cache
def _encoder() -> nn.Sequential:
    return encoder_blocks(LAST_BLOCK)


def _candidates(
    boxes: Tensor,
    anchors: tuple[float, ...],
    pairs: Sequence[tuple[int, int]],
    input_size: int,
) -> Iterator[Candidate]:
    """One set of anchors on each pair of blocks; overlaps depend on the strides alone."""
    rule = Matching()
    sides = [side * input_size / REFERENCE_SIZE for side in anchors]
    overlaps: dict[tuple[int, ...], Tensor] = {}
    for pair in pairs:
        fields = fields_under_heads(pair)
        strides = tuple(field.stride for field in fields)
        if strides not in overlaps:
            overlaps[strides] = best_overlaps(boxes, sides, strides, input_size)
        reached = overlaps[strides]
        yield Candidate(
            attach=pair,
            anchors=anchors,
            strides=strides,
            scores=tuple(a_scores([field.size for field in fields], sides)),
            recall=float((reached >= rule.positive_iou).double().mean()),
            fallback_recall=float((reached >= rule.fallback_iou).double().mean()),
            mean_iou=float(reached.double().mean()),
        )


def _outside(score: float) -> float:
    """Distance of an A-score from the wanted range, 0 inside."""
    low, high = A_SCORE_RANGE
    return max(low - score, score - high, 0.0)
