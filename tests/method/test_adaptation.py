"""Later blocks and larger anchors for larger objects; coverage and weights by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_convert, box_iou

from method.adaptation import (
    attachment_points,
    best_overlaps,
    candidate_anchors,
    class_weights,
    rank_candidates,
)
from method.anchors import anchor_grid
from method.ssd import CUSTOM_ATTACHMENT, SSD, SSDConfig


def objects(median, count=300, input_size=512, seed=0):
    """Square objects anywhere in the image, their sides spread as TomatOD's around `median`."""
    generator = torch.Generator().manual_seed(seed)
    sides = median * torch.exp(0.3 * torch.randn(count, generator=generator))
    sides = sides.clamp(max=0.9 * input_size)
    corner = torch.rand(count, 2, generator=generator) * (input_size - sides)[:, None]
    return torch.cat([corner, corner + sides[:, None]], dim=1), sides


def best(median):
    boxes, sides = objects(median)
    return rank_candidates(boxes, sides, 512)[0]


def test_larger_objects_get_later_blocks_and_larger_anchors():
    small, middle, large = best(14), best(30), best(75)
    assert small.attach < middle.attach < large.attach
    assert small.anchors < middle.anchors < large.anchors
    for choice in (small, middle, large):
        assert choice.misfit == 0
        assert choice.recall > 0.9


def test_tomatod_s_sizes_lead_near_the_paper_s_own_choice():
    choice = best(26)  # median side of TomatOD's published boxes at 512
    assert choice.stride == 8  # as under block 5
    assert choice.attach[1] in (7, 8, 9)
    assert choice.anchors == pytest.approx((25, 38, 58, 87), rel=0.3)


def test_objects_that_no_block_can_reach_leave_a_misfit():
    boxes, sides = objects(2.5)
    choice = rank_candidates(boxes, sides, 512)[0]
    assert choice.misfit > 0
    assert choice.attach == min(attachment_points())


def test_what_is_given_stays():
    boxes, sides = objects(30)
    paper = (25.0, 38.0, 58.0, 87.0)
    (only,) = rank_candidates(boxes, sides, 512, attach=(5, 8), anchors=paper)
    assert (only.attach, only.anchors) == ((5, 8), paper)
    # 43/25, 107/38, 139/58, 203/87: Table 2 with the recursion's own fields
    assert only.scores == pytest.approx((1.72, 2.816, 2.397, 2.333), abs=0.001)
    assert {c.attach for c in rank_candidates(boxes, sides, 512, attach=(4, 9))} == {(4, 9)}


def test_fields_are_those_of_the_built_detector():
    built = SSD(SSDConfig(classes=1, attach=CUSTOM_ATTACHMENT)).fields
    assert attachment_points()[CUSTOM_ATTACHMENT] == built
    assert all(b.stride == 2 * a.stride for a, b, *_ in attachment_points().values())


def test_anchors_start_at_a_size_and_grow_by_the_paper_s_factors():
    sets = candidate_anchors(torch.full((10,), 20.0))
    assert sets == [(20, 30, 45, 68), (20, 34, 58, 98)]


def test_overlap_by_hand():
    # Stride 16, anchor 16: cells tile the image. The first box is a cell; the second lies half a
    # cell to the right of one: 128 / (256 + 256 - 128) = 1/3.
    boxes = torch.tensor([[16.0, 32.0, 32.0, 48.0], [24.0, 32.0, 40.0, 48.0]])
    assert best_overlaps(boxes, [16.0], [16], 64).tolist() == pytest.approx([1, 1 / 3])


@settings(max_examples=30, deadline=None)
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


def test_class_weights_are_the_paper_s():
    assert class_weights([1592, 395, 431]) == (1.0, 4.0, 3.7)
    assert class_weights([1000, 3, 0]) == (1.0, 10.0, 1.0)


def test_no_object_and_no_such_pair_are_refused():
    with pytest.raises(ValueError, match="no object"):
        rank_candidates(torch.empty(0, 4), torch.empty(0), 512)
    boxes, sides = objects(30)
    with pytest.raises(ValueError, match=r"attach: \(14, 17\)"):
        rank_candidates(boxes, sides, 512, attach=(14, 17))
