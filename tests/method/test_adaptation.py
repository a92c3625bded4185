"""Later blocks and larger anchors for larger objects; coverage and weights by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_convert, box_iou

from method.adaptation import (
    RECALL_GIVEN_UP,
    attachment_points,
    best_overlaps,
    candidate_anchors,
    class_weights,
    fields_under_heads,
    rank_candidates,
)
from method.anchors import anchor_grid
from method.scale import equal_square_side
from method.ssd import CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT, SSD, SSDConfig


def anywhere(sides, input_size, generator):
    """Square objects of these sides at random places of the input."""
    corner = torch.rand(len(sides), 2, generator=generator) * (input_size - sides)[:, None]
    return torch.cat([corner, corner + sides[:, None]], dim=1)


def objects(median, count=300, input_size=512, seed=0):
    """Square objects anywhere in the image, their sides spread as TomatOD's around `median`."""
    generator = torch.Generator().manual_seed(seed)
    sides = median * torch.exp(0.3 * torch.randn(count, generator=generator))
    sides = sides.clamp(max=0.9 * input_size)
    return anywhere(sides, input_size, generator), sides


def best(median, seed=0):
    boxes, sides = objects(median, seed=seed)
    return rank_candidates(boxes, sides, 512)[0]


@settings(max_examples=6)
@given(st.integers(0, 10_000))
def test_larger_objects_get_later_blocks_and_larger_anchors(seed):
    small, middle, large = best(14, seed), best(30, seed), best(75, seed)
    assert small.attach < middle.attach < large.attach
    assert small.anchors < middle.anchors < large.anchors
    for choice in (small, middle, large):
        assert choice.fits
        assert choice.recall > 0.9


def test_tomatod_s_sizes_lead_near_the_paper_s_own_choice():
    # Relative sizes of TomatOD's published boxes: 3.6 / 5.1 / 9.5 % at percentiles 5 / 50 / 95.
    percent = torch.from_numpy(
        np.interp(np.linspace(0, 100, 500), [0, 5, 50, 95, 100], [3.0, 3.6, 5.1, 9.5, 16.0])
    )
    sizes = equal_square_side(percent).float()
    boxes = anywhere(sizes, 512, torch.Generator().manual_seed(0))
    choice = rank_candidates(boxes, sizes, 512)[0]
    assert choice.strides[0] == 8  # as under block 5
    assert choice.attach[0] == 5
    assert choice.attach[1] in (7, 8, 9)
    table5 = [(25, 38, 58, 87), (25, 43, 74, 124), (28, 45, 72, 115), (30, 45, 60, 90)]
    assert any(choice.anchors == pytest.approx(row, rel=0.15) for row in table5)


def test_objects_too_small_for_any_block_see_too_much():
    choice = best(2.5)
    assert not choice.fits
    assert choice.mean_score > 2.5
    assert choice.attach == min(attachment_points())


def test_objects_too_large_for_any_block_see_too_little():
    choice = best(400)
    assert not choice.fits
    assert min(choice.scores) < 1
    assert choice.attach[1] == 17


def test_a_head_sees_its_whole_anchor_or_nothing_fits():
    boxes, sides = objects(60)
    (blind,) = rank_candidates(boxes, sides, 512, attach=(3, 8), anchors=(30, 40, 50, 60))
    # 19/30, 107/40, 139/50, 203/60: a mean of 2.37, in the range, but the first head sees 0.63.
    assert blind.mean_score == pytest.approx(2.368, abs=0.001)
    assert blind.misfit == pytest.approx(1 - 19 / 30)


def test_half_the_input_doubles_the_a_scores():
    boxes, sides = objects(30)
    anchors = (25.0, 38.0, 58.0, 87.0)
    (whole,) = rank_candidates(boxes, sides, 512, (5, 8), anchors)
    (half,) = rank_candidates(boxes / 2, sides, 256, (5, 8), anchors)
    assert half.scores == pytest.approx([2 * score for score in whole.scores])


def test_the_coarser_grid_wins_over_a_little_recall():
    boxes, sides = objects(30)
    ranked = rank_candidates(boxes, sides, 512)
    fitting = [choice for choice in ranked if choice.fits]
    most = max(choice.recall for choice in fitting)
    enough = [choice for choice in fitting if choice.recall >= most - RECALL_GIVEN_UP]
    assert ranked[0] in enough
    assert ranked[0].strides[0] == max(choice.strides[0] for choice in enough)
    assert all(choice.recall <= choice.fallback_recall for choice in ranked)


def test_what_is_given_stays():
    boxes, sides = objects(30)
    paper = (25.0, 38.0, 58.0, 87.0)
    (only,) = rank_candidates(boxes, sides, 512, attach=(5, 8), anchors=paper)
    assert (only.attach, only.anchors) == ((5, 8), paper)
    # 43/25, 107/38, 139/58, 203/87: Table 2 with the recursion's own fields
    assert only.scores == pytest.approx((1.72, 2.816, 2.397, 2.333), abs=0.001)
    for pair in ((4, 9), ORIGINAL_ATTACHMENT):
        assert {c.attach for c in rank_candidates(boxes, sides, 512, attach=pair)} == {pair}


@pytest.mark.parametrize("attach", [CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT])
def test_fields_are_those_of_the_built_detector(attach):
    assert fields_under_heads(attach) == SSD(SSDConfig(classes=1, attach=attach)).fields


def test_the_second_of_two_blocks_has_twice_the_stride():
    for pair in attachment_points():
        first, second, *_ = fields_under_heads(pair)
        assert second.stride == 2 * first.stride


def test_anchors_start_at_a_size_and_grow_by_the_paper_s_factors():
    sets = candidate_anchors(torch.full((10,), 20.0))
    assert sets == [(20, 30, 45, 68), (20, 34, 58, 98)]


def test_overlap_by_hand():
    # Stride 16, anchor 16: cells tile the image. The first box is a cell; the second lies half a
    # cell to the right of one: 128 / (256 + 256 - 128) = 1/3.
    boxes = torch.tensor([[16.0, 32.0, 32.0, 48.0], [24.0, 32.0, 40.0, 48.0]])
    assert best_overlaps(boxes, [16.0], [16], 64).tolist() == pytest.approx([1, 1 / 3])


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(8, 120))
def test_overlap_equals_the_best_of_all_anchors(seed, median):
    boxes, _ = objects(median, count=20, input_size=128, seed=seed)
    sides, strides = [12.0, 40.0], [8, 16]
    grids = [
        anchor_grid((128 // stride,) * 2, stride, side)
        for side, stride in zip(sides, strides, strict=True)
    ]
    anchors = box_convert(torch.cat(grids), "cxcywh", "xyxy")
    expected = box_iou(boxes, anchors).max(dim=1).values
    torch.testing.assert_close(best_overlaps(boxes, sides, strides, 128), expected)


def test_coverage_by_hand():
    # The head of stride 8 has its 16 px anchors centred on 4, 12, 20, 28, …: the second box is one
    # of them, the first lies 4 px off both ways and shares 12 x 12: 144 / (512 - 144) = 0.39, under
    # 0.4 and over 0.2. The larger anchors of the other heads overlap by 0.25 at most.
    boxes = torch.tensor([[16.0, 32.0, 32.0, 48.0], [20.0, 36.0, 36.0, 52.0]])
    sides = torch.full((2,), 16.0)
    (only,) = rank_candidates(boxes, sides, 512, attach=(5, 7), anchors=(16.0, 32.0, 64.0, 128.0))
    assert (only.recall, only.fallback_recall) == (0.5, 1.0)
    assert only.mean_iou == pytest.approx((144 / 368 + 1) / 2)


def test_class_weights_are_the_paper_s():
    assert class_weights([1592, 395, 431]) == (1.0, 4.0, 3.7)
    assert class_weights([1000, 3, 0]) == (1.0, 10.0, 1.0)


def test_no_object_and_no_such_pair_are_refused():
    with pytest.raises(ValueError, match="no object"):
        rank_candidates(torch.empty(0, 4), torch.empty(0), 512)
    boxes, sides = objects(30)
    with pytest.raises(ValueError, match=r"attach: \(8, 5\)"):
        rank_candidates(boxes, sides, 512, attach=(8, 5))
