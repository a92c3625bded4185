"""Matching by hand, and against torchvision's matchers where their rules are the same."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection._utils import Matcher, SSDMatcher
from torchvision.ops import box_convert, box_iou

from method.anchors import anchor_grid
from method.matching import Matching, match

# Three anchors of 20×20, apart from each other.
ANCHORS = torch.tensor([[10.0, 10, 20, 20], [50, 50, 20, 20], [90, 90, 20, 20]])
GRID = torch.cat([anchor_grid((16, 16), 16, side) for side in (25.0, 58.0)])
BOXES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(4, 80), st.integers(4, 80)),
    min_size=1,
    max_size=8,
)


def pairs(boxes, anchors, rule=None):
    """Anchor to the object that it answers for."""
    anchor, owner = match(torch.tensor(boxes), anchors, rule)
    return dict(zip(anchor.tolist(), owner.tolist(), strict=True))


def test_both_thresholds_by_hand():
    boxes = [
        [0.0, 0, 20, 9],  # 180 / 400 = 0.45 of the first anchor: positive
        [40.0, 40, 60, 46],  # 120 / 400 = 0.3 of the second: its fallback
        [80.0, 80, 100, 83],  # 60 / 400 = 0.15 of the third: nothing
    ]
    assert pairs(boxes, ANCHORS) == {0: 0, 1: 1}


# Halves and quarters, so that the overlaps are exact: 200 / 400 and 100 / 400.
@pytest.mark.parametrize(
    ("height", "rule", "found"),
    [
        (10, Matching(positive_iou=0.5, fallback_iou=2), True),
        (9, Matching(positive_iou=0.5, fallback_iou=2), False),
        (5, Matching(positive_iou=0.5, fallback_iou=0.25), True),
        (4, Matching(positive_iou=0.5, fallback_iou=0.25), False),
    ],
)
def test_an_overlap_equal_to_a_threshold_reaches_it(height, rule, found):
    assert pairs([[0.0, 0, 20, height]], ANCHORS, rule) == ({0: 0} if found else {})


def test_an_object_takes_every_anchor_that_it_overlaps_enough():
    # Anchors of 20×20 moved by 0, 4, 12: 1, 320 / 480 = 0.67, 160 / 640 = 0.25.
    anchors = torch.tensor([[10.0, 10, 20, 20], [14, 10, 20, 20], [22, 10, 20, 20]])
    assert pairs([[0.0, 0, 20, 20]], anchors) == {0: 0, 1: 0}


def test_an_object_with_an_anchor_takes_no_fallback():
    # Overlaps of the objects with the anchors: 0.8, 0.33, 1 and 0.625, 0.5, 0.5. The second object
    # would like the first anchor best, but has the second one already.
    anchors = torch.tensor([[10.0, 8, 20, 16], [10, 0, 20, 20], [10, 10, 20, 20]])
    assert pairs([[0.0, 0, 20, 20], [0, 0, 20, 10]], anchors) == {0: 0, 1: 1, 2: 0}


def test_an_anchor_goes_to_the_object_it_overlaps_most():
    # Second anchor, x 8…28: 240 / 560 = 0.43 of the first object, x 0…20, 0.6 of the second, 8…20.
    anchors = torch.tensor([[10.0, 10, 20, 20], [18, 10, 20, 20]])
    assert pairs([[0.0, 0, 20, 20], [8, 0, 28, 12]], anchors) == {0: 0, 1: 1}


def test_of_equal_overlaps_the_first_object_and_the_first_anchor_win():
    # Two objects of half an anchor each, and one object that overlaps two anchors by 100 / 500.
    halves = [[0.0, 0, 20, 10], [0.0, 10, 20, 20]]
    assert pairs(halves, ANCHORS, Matching(fallback_iou=2)) == {0: 0}
    neighbours = torch.tensor([[10.0, 10, 20, 20], [30, 10, 20, 20]])
    assert pairs([[15.0, 0, 25, 20]], neighbours, Matching(fallback_iou=0.15)) == {0: 0}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_objects_that_fall_back_on_one_anchor_the_closer_keeps_it(order):
    boxes = [[0.0, 0, 20, 6], [0.0, 0, 20, 7]]  # 0.3 and 0.35
    assert pairs([boxes[i] for i in order], ANCHORS) == {0: order.index(1)}


def test_an_object_that_overlaps_nothing_gets_no_anchor_whatever_the_thresholds():
    assert pairs([[300.0, 300, 320, 320]], ANCHORS, Matching(0.4, 0)) == {}


def test_an_image_without_objects_has_no_positives():
    anchor, owner = match(torch.empty(0, 4), ANCHORS)
    assert (anchor.shape, owner.shape) == ((0,), (0,))
    assert anchor.dtype == owner.dtype == torch.int64


def test_an_inclusive_overlap_by_hand():
    # A pixel on both sides of the intersection: 21·4 / (400 + 60 − 84) = 0.223, against 0.15.
    boxes = [[80.0, 80, 100, 83]]
    assert pairs(boxes, ANCHORS) == {}
    assert pairs(boxes, ANCHORS, Matching(inclusive_overlap=True)) == {2: 0}
    assert pairs(boxes, ANCHORS, Matching(fallback_iou=0.2235, inclusive_overlap=True)) == {}
    # Five pixels apart there is nothing to add to, in one direction or in both.
    apart = [[105.0, 80, 125, 100], [105, 105, 125, 125]]
    assert pairs(apart, ANCHORS, Matching(fallback_iou=0, inclusive_overlap=True)) == {}


def test_of_two_objects_that_match_one_anchor_the_later_wins_where_asked():
    # Overlaps with the anchors: 400 / 400, 240 / 400 and 200 / 400 of the tall object,
    # 320 / 400, 240 / 320 and 120 / 400 of the low one.
    anchors = torch.tensor([[90.0, 90, 20, 20], [90, 86, 20, 12], [90, 95, 20, 10]])
    tall, low = [80.0, 80, 100, 100], [80.0, 80, 100, 96]
    assert pairs([tall, low], anchors) == {0: 0, 1: 1, 2: 0}
    assert pairs([tall, low], anchors, Matching(later_wins=True)) == {0: 1, 1: 1, 2: 0}
    # The tall one takes all three. The low one overlaps two enough: it does not fall back.
    assert pairs([low, tall], anchors, Matching(later_wins=True)) == {0: 1, 1: 1, 2: 1}
    # Where it overlaps none enough it does, on its best, whoever else overlaps that enough.
    strict = Matching(positive_iou=0.9, later_wins=True)
    assert pairs([low, tall], anchors, strict) == {0: 0}


def test_of_objects_that_fall_back_on_one_anchor_the_later_wins_where_asked_and_ties_win_all():
    boxes = [[0.0, 0, 20, 7], [0.0, 0, 20, 6]]  # 0.35 and 0.3 of the first anchor
    assert pairs(boxes, ANCHORS, Matching(later_wins=True)) == {0: 1}
    # 100 / 500 of either anchor
    neighbours = torch.tensor([[10.0, 10, 20, 20], [30, 10, 20, 20]])
    between = [[15.0, 0, 25, 20]]
    rule = Matching(fallback_iou=0.15, later_wins=True)
    assert pairs(between, neighbours, rule) == {0: 0, 1: 0}
    # What overlaps nothing falls back on nothing
    assert pairs([[300.0, 300, 320, 320]], ANCHORS, Matching(0.4, 0, later_wins=True)) == {}


@given(BOXES)
def test_without_a_fallback_it_is_torchvision_s_matcher(boxes):
    xywh = torch.tensor(boxes, dtype=torch.float32)
    objects = box_convert(xywh, "xywh", "xyxy")
    oracle = Matcher(0.4, 0.4)(box_iou(objects, box_convert(GRID, "cxcywh", "xyxy")))
    anchor, owner = match(objects, GRID, Matching(fallback_iou=2))
    assert torch.equal(anchor, torch.nonzero(oracle >= 0).squeeze(1))
    assert torch.equal(owner, oracle[anchor])


@pytest.mark.parametrize("positive_iou", [0.4, 2])
def test_with_objects_apart_and_a_fallback_of_0_it_is_torchvision_s_ssd_matcher(positive_iou):
    boxes = torch.tensor([[30.0, 30, 60, 58], [100, 110, 162, 170], [200, 40, 207, 66]])
    oracle = SSDMatcher(positive_iou)(box_iou(boxes, box_convert(GRID, "cxcywh", "xyxy")))
    anchor, owner = match(boxes, GRID, Matching(positive_iou, fallback_iou=0))
    assert torch.equal(anchor, torch.nonzero(oracle >= 0).squeeze(1))
    assert torch.equal(owner, oracle[anchor])


@given(BOXES)
def test_positives_are_ascending_and_overlap_at_least_as_the_fallback_asks(boxes):
    objects = box_convert(torch.tensor(boxes, dtype=torch.float32), "xywh", "xyxy")
    anchor, owner = match(objects, GRID)
    assert (anchor.diff() > 0).all()
    iou = box_iou(objects, box_convert(GRID, "cxcywh", "xyxy"))
    assert (iou[owner, anchor] >= 0.2).all()
    assert torch.isin(torch.nonzero(iou.amax(dim=0) >= 0.4).squeeze(1), anchor).all()
