"""Selection against a plain loop over classes, and its options by hand."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import nms

from method.boxes import whole_pixels
from method.detection import Selection, select

SIZE = 64
EVERYTHING = Selection(score_floor=0, nms_iou=1, most=10_000, candidates=10_000)
# Four boxes apart and their probabilities: background, class 1, class 2.
BOXES = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [0, 20, 10, 30]])
PROBABILITIES = torch.tensor(
    [[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.25, 0.35, 0.4], [0.9, 0.05, 0.05]]
)


def found(rule, boxes=BOXES, probabilities=PROBABILITIES):
    """Score and label of each detection, in order."""
    chosen = select(probabilities, boxes, SIZE, rule)
    return [
        (round(score, 3), label)
        for score, label in zip(chosen.scores.tolist(), chosen.labels.tolist(), strict=True)
    ]


def plainly(probabilities, boxes, rule):
    """The same rule, candidate by candidate: (score, label, box), best first."""
    candidates = []
    for row, box in zip(probabilities, boxes, strict=True):
        for label in range(1, len(row)):
            best = row[label] == row.max()
            if row[label] > rule.score_floor and (best or not rule.best_class_only):
                candidates.append((row[label], label, box.clamp(0, SIZE)))
    if rule.in_order:
        candidates = candidates[: rule.candidates]
    candidates.sort(key=lambda c: -c[0])
    kept = []
    for label in {c[1] for c in candidates[: rule.candidates]}:
        own = [c for c in candidates[: rule.candidates] if c[1] == label]
        left = nms(torch.stack([c[2] for c in own]), torch.stack([c[0] for c in own]), rule.nms_iou)
        kept += [own[i] for i in left]
    kept = sorted(kept, key=lambda c: -c[0])[: rule.most]
    if rule.whole_pixels:
        kept = [(score, label, whole_pixels(box)) for score, label, box in kept]
    return kept


RULES = st.builds(
    Selection,
    score_floor=st.floats(0, 0.6),
    nms_iou=st.sampled_from([0.3, 0.45, 0.7]),
    most=st.integers(1, 30),
    candidates=st.integers(1, 60),
    in_order=st.booleans(),
    best_class_only=st.booleans(),
    whole_pixels=st.booleans(),
)


@given(st.integers(0, 10_000), RULES)
def test_selection_is_the_plain_loop_s(seed, rule):
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.randn(30, 4, generator=generator).mul(2).softmax(dim=-1)
    # Halves of pixels, so that every overlap is exact, and some boxes beyond the image.
    corner = torch.randint(-20, 2 * SIZE, (30, 2), generator=generator) / 2
    sides = torch.randint(2, SIZE, (30, 2), generator=generator) / 2
    boxes = torch.cat([corner, corner + sides], dim=1)
    chosen = select(probabilities, boxes, SIZE, rule)
    expected = plainly(probabilities, boxes, rule)
    assert chosen.labels.tolist() == [label for _, label, _ in expected]
    assert chosen.scores.tolist() == [score for score, _, _ in expected]
    assert chosen.boxes.tolist() == [box.tolist() for _, _, box in expected]


def test_every_class_above_the_floor_is_a_detection_best_first():
    rule = replace(EVERYTHING, score_floor=0.25)
    assert found(rule) == [(0.7, 1), (0.4, 2), (0.35, 1), (0.3, 2)]


def test_a_score_equal_to_the_floor_is_left_out():
    exact = torch.tensor([[0.5, 0.25, 0.25]])
    assert found(replace(EVERYTHING, score_floor=0.25), BOXES[:1], exact) == []
    assert len(found(replace(EVERYTHING, score_floor=0.24), BOXES[:1], exact)) == 2


def test_best_class_only_asks_that_the_class_beats_background_too():
    rule = replace(EVERYTHING, best_class_only=True)
    assert found(rule) == [(0.7, 1), (0.4, 2)]


def test_candidates_and_detections_are_the_best_so_many():
    assert found(replace(EVERYTHING, most=2)) == [(0.7, 1), (0.4, 2)]
    assert found(replace(EVERYTHING, candidates=3)) == [(0.7, 1), (0.4, 2), (0.35, 1)]
    # The second candidate is suppressed by the first, and no third takes its place.
    twice = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [20, 0, 30, 10]])
    scores = torch.tensor([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    one_class = replace(EVERYTHING, nms_iou=0.5)
    assert found(replace(one_class, candidates=2), twice, scores) == [(0.9, 1)]
    assert found(replace(one_class, most=2), twice, scores) == [(0.9, 1), (0.7, 1)]


def test_candidates_may_be_the_first_so_many_above_the_floor():
    rule = Selection(score_floor=0.25, nms_iou=1, candidates=2, best_class_only=True)
    scores = torch.tensor([[0.6, 0.4], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    assert found(rule, probabilities=scores) == [(0.8, 1), (0.7, 1)]
    # The first anchor is background's: no candidate.
    assert found(replace(rule, in_order=True), probabilities=scores) == [(0.7, 1), (0.6, 1)]


@pytest.mark.parametrize(("nms_iou", "left"), [(0.49, 1), (0.51, 2)])
def test_suppression_is_within_a_class_and_at_its_threshold(nms_iou, left):
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5]])  # overlap 0.5
    rule = replace(EVERYTHING, nms_iou=nms_iou, best_class_only=True)
    same = torch.tensor([[0.1, 0.9, 0.0], [0.2, 0.8, 0.0]])
    other = torch.tensor([[0.1, 0.9, 0.0], [0.2, 0.0, 0.8]])
    assert len(found(rule, boxes, same)) == left
    assert found(rule, boxes, other) == [(0.9, 1), (0.8, 2)]


def test_boxes_are_clipped_and_on_demand_cut_to_whole_pixels():
    boxes = torch.tensor([[-5.25, 10.25, 70, 30.75]])
    one = torch.tensor([[0.25, 0.75]])
    assert select(one, boxes, SIZE, EVERYTHING).boxes.tolist() == [[0, 10.25, 64, 30.75]]
    whole = select(one, boxes, SIZE, replace(EVERYTHING, whole_pixels=True))
    assert whole.boxes.tolist() == [[0, 10, 64, 30]]


def test_an_image_of_background_alone_has_no_detections():
    nothing = select(torch.tensor([[1.0, 0, 0]] * 4), BOXES, SIZE, Selection())
    assert (nothing.boxes.shape, nothing.scores.shape) == ((0, 4), (0,))
    assert nothing.labels.dtype == torch.int64
