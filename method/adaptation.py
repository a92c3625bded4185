"""Attachment points, anchors and class weights for objects of any size (scale-aware SSD, §3, §5).

The paper finds them by hand for one data set. Here its rules are a search: anchor sets start at a
low percentile of the objects' sizes and grow by 1.5 or 1.7; heads attach where the receptive fields
are 1.5 to 2.5 times the anchors; of what remains, the set that covers the objects best is taken.
The search is repeated for other shapes of anchors, and the square stays unless they reach more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import combinations

import torch
from torch import Tensor, nn

from method.aspect_ratios import SQUARE, candidate_ratios
from method.coverage import Overlaps, best_of, shape_overlaps
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
RATIO_TOLERANCE = 0.02
"""So much recall under the best set of aspect ratios is given up for fewer anchors a cell."""
SQUARE_BONUS = 0.05
"""Of as many anchors a cell others must overlap the objects by so much more than square ones."""
LARGEST_WEIGHT = 10.0
"""Class weights are cut here: a class of a handful of objects must not rule the loss."""


@dataclass(frozen=True)
class Candidate:
    """One choice of attachment points, anchors and their shapes, and what speaks for it."""

    attach: tuple[int, int]
    anchors: tuple[float, ...]
    """Side of each head's square anchor, pixels of a 512×512 input; other shapes keep its area."""
    aspect_ratios: tuple[float, ...]
    """Anchors of each cell, width over height."""
    strides: tuple[int, ...]
    """Of each head, input pixels."""
    scores: tuple[float, ...]
    """A-score of each head, in pixels of the input at hand.

    Receptive field over the side of the square of the anchors' area, whatever their shapes: the
    paper has square anchors alone.
    """
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


def rank_candidates(
    boxes: Tensor,
    sizes: Tensor,
    input_size: int,
    attach: tuple[int, int] | None = None,
    anchors: tuple[float, ...] | None = None,
    aspect_ratios: tuple[float, ...] | None = None,
) -> list[Candidate]:
    """All choices, best first, those of one set of aspect ratios together.

    Of one set of ratios, in order: the mean A-score in the wanted range and no head that sees less
    than its anchor (§3.2), or else nearest to it; the recall no more than `RECALL_GIVEN_UP` under
    the best of these; the coarsest grid; the heads' own A-scores in the range; the mean overlap;
    the shorter encoder. Coarse grids and short encoders make a fast detector.

    The sets of ratios are compared by the first choice of each: the recall no more than
    `RATIO_TOLERANCE` under the best of these; the fewest anchors a cell; the coarsest grid; the
    mean overlap, where square anchors have a `SQUARE_BONUS`. What cannot win is left out: where one
    anchor a cell reaches all objects but the tolerance, sets of several; and of all but the first
    set, blocks and anchors of A-scores that are not the best, since those have no shape.

    Args:
        boxes: N×4, `xyxy`, input pixels.
        sizes: N, sides of the equal squares at 512×512 (`method.scale.equal_square_side`).
        input_size: side of the input, pixels.
        attach: the blocks, where they are given: any two in order.
        anchors: the anchors, where they are given.
        aspect_ratios: the ratios, where they are given.

    Raises:
        ValueError: no objects, or `attach` is no two blocks in order.
    """
    if len(boxes) == 0:
        raise ValueError("there is no object to adapt to")
    if attach is not None and not 0 < attach[0] < attach[1] <= LAST_BLOCK:
        raise ValueError(f"attach: {attach} are no two blocks of 1 to {LAST_BLOCK} in order")
    pairs = [attach] if attach else attachment_points()
    sets = [anchors] if anchors else candidate_anchors(sizes)
    overlaps = cache(partial(shape_overlaps, boxes, input_size))
    first, *others = [aspect_ratios] if aspect_ratios else candidate_ratios(boxes)
    ranked = _best_first(_candidates(overlaps, sets, pairs, input_size, first))
    by_ratios = [ranked]
    alike = [c for c in ranked if c.misfit <= ranked[0].misfit]
    for ratios in others:
        single = [group[0].recall for group in by_ratios if len(group[0].aspect_ratios) == 1]
        if len(ratios) == 1 or max(single) < 1 - RATIO_TOLERANCE:
            by_ratios.append(_best_first(_reshaped(overlaps, alike, input_size, ratios)))
    return [c for group in _simplest_first(by_ratios) for c in group]


def _best_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Choices of one set of aspect ratios."""
    least_misfit = min(candidate.misfit for candidate in candidates)
    enough = max(c.recall for c in candidates if c.misfit <= least_misfit) - RECALL_GIVEN_UP

    def order(c: Candidate) -> tuple[float, ...]:
        short = round(max(enough - c.recall, 0), 2)
        return (c.misfit, short, -c.strides[0], round(c.unevenness, 1), -c.mean_iou, c.attach[1])

    return sorted(candidates, key=order)


def _simplest_first(by_ratios: Sequence[list[Candidate]]) -> list[list[Candidate]]:
    """Sets of aspect ratios, each a list of its choices, best first."""
    enough = max(group[0].recall for group in by_ratios) - RATIO_TOLERANCE

    def order(group: list[Candidate]) -> tuple[float, ...]:
        best = group[0]
        bonus = SQUARE_BONUS if best.aspect_ratios == SQUARE else 0.0
        a_cell = len(best.aspect_ratios)
        return (best.recall < enough, a_cell, -best.strides[0], -best.mean_iou - bonus)

    return sorted(by_ratios, key=order)


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
    overlaps: Overlaps,
    sets: Sequence[tuple[float, ...]],
    pairs: Sequence[tuple[int, int]],
    input_size: int,
    ratios: tuple[float, ...],
) -> list[Candidate]:
    """Every set of anchors on every pair of blocks."""
    unmeasured = (0.0, 0.0, 0.0)
    places = []
    for anchors in sets:
        sides = _sides(anchors, input_size)
        for pair in pairs:
            fields = fields_under_heads(pair)
            strides = tuple(field.stride for field in fields)
            scores = tuple(a_scores([field.size for field in fields], sides))
            places.append(Candidate(pair, anchors, ratios, strides, scores, *unmeasured))
    return _reshaped(overlaps, places, input_size, ratios)


def _reshaped(
    overlaps: Overlaps,
    places: Sequence[Candidate],
    input_size: int,
    ratios: tuple[float, ...],
) -> list[Candidate]:
    """The same blocks and anchors with these aspect ratios; overlaps depend on strides alone."""
    rule = Matching()

    @cache
    def coverage(anchors: tuple[float, ...], strides: tuple[int, ...]) -> tuple[float, ...]:
        reached = best_of(overlaps, _sides(anchors, input_size), strides, ratios)
        shares = (reached >= rule.positive_iou, reached >= rule.fallback_iou, reached)
        return tuple(float(share.double().mean()) for share in shares)

    reshaped = []
    for place in places:
        recall, fallback_recall, mean_iou = coverage(place.anchors, place.strides)
        reshaped.append(
            replace(
                place,
                aspect_ratios=ratios,
                recall=recall,
                fallback_recall=fallback_recall,
                mean_iou=mean_iou,
            )
        )
    return reshaped


def _sides(anchors: Sequence[float], input_size: int) -> list[float]:
    """Sides of square anchors in input pixels."""
    return [side * input_size / REFERENCE_SIZE for side in anchors]


def _outside(score: float) -> float:
    """Distance of an A-score from the wanted range, 0 inside."""
    low, high = A_SCORE_RANGE
    return max(low - score, score - high, 0.0)
