"""Assignment and PONO: against torchvision, by hand, and over random crowds."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import box_convert, box_iou

from method.anchors import cell_centres
from method.lapnet.choices import Overlap
from method.lapnet.overlap import NORMALISERS, clusters, grid_overlap, normalised_overlap

CELLS, STRIDE = (5, 6), 8.0
SHAPES = torch.tensor([[[6.0, 9], [16, 16]], [[30, 12], [20, 40]]])
"""Two classes with two anchors each."""


def object_strategy():
    corner, side = st.floats(0, 40), st.floats(0.25, 30)
    box = st.tuples(corner, corner, side, side).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    )
    return st.lists(st.tuples(box, st.integers(0, 1)), min_size=1, max_size=12)


def clusters_of(overlap, labels):
    """Where nearness decides nothing."""
    return clusters(overlap, labels, torch.zeros_like(overlap))


def distance_of(objects):
    boxes = torch.tensor([box for box, _ in objects])
    centres = cell_centres(*CELLS, STRIDE)
    return torch.cdist((boxes[:, :2] + boxes[:, 2:]) / 2, centres)


def overlap_of(objects):
    boxes = torch.tensor([box for box, _ in objects])
    labels = torch.tensor([label for _, label in objects])
    return grid_overlap(boxes, SHAPES[labels], CELLS, STRIDE), labels


@given(object_strategy())
def test_the_overlap_is_torchvision_s_iou(objects):
    found, _ = overlap_of(objects)
    centres = cell_centres(*CELLS, STRIDE)
    for n, (box, label) in enumerate(objects):
        for a, shape in enumerate(SHAPES[label]):
            anchors = box_convert(
                torch.cat([centres, shape.expand(len(centres), 2)], dim=1), "cxcywh", "xyxy"
            )
            expected = box_iou(torch.tensor([box]), anchors).view(CELLS)
            torch.testing.assert_close(found[n, a], expected, atol=1e-6, rtol=1e-5)


def test_anchors_go_to_the_object_they_overlap_most_and_are_normalised():
    # Two objects of class 0 and one of class 1, four anchors a class.
    overlap = torch.tensor([[0.6, 0.3, 0.0, 0.2], [0.5, 0.4, 0.0, 0.2], [0.1, 0.0, 0.0, 0.05]])
    mask = clusters_of(overlap, torch.tensor([0, 0, 1]))
    assert mask.tolist() == [
        [True, False, False, True],  # the tie at 0.2 goes to the first
        [False, True, False, False],
        [True, False, False, True],
    ]
    pono = normalised_overlap(overlap, mask)
    expected = torch.tensor([[1, 0, 0, 1 / 3], [0, 1, 0, 0], [1, 0, 0, 0.5]])
    torch.testing.assert_close(pono, expected)


def test_an_object_that_is_nobody_s_best_gets_its_best_free_anchor():
    # The second overlaps every anchor less than the first; anchor 0 is the first one's peak.
    overlap = torch.tensor([[0.9, 0.8, 0.3], [0.7, 0.5, 0.2]])
    mask = clusters_of(overlap, torch.tensor([4, 4]))
    assert mask.tolist() == [[True, False, True], [False, True, False]]
    assert normalised_overlap(overlap, mask)[1].tolist() == [0, 1, 0]


def test_equal_boxes_share_the_anchors_out():
    overlap = torch.tensor([[0.9, 0.8, 0.3]]).repeat(3, 1)
    mask = clusters_of(overlap, torch.zeros(3, dtype=torch.int64))
    assert mask.tolist() == [[True, False, False], [False, True, False], [False, False, True]]


def test_more_objects_than_anchors_leave_the_last_without():
    mask = clusters_of(torch.tensor([[0.5], [0.5]]), torch.zeros(2, dtype=torch.int64))
    assert mask.tolist() == [[True], [False]]


def test_no_objects_have_no_clusters():
    mask = clusters_of(torch.zeros((0, 7)), torch.zeros(0, dtype=torch.int64))
    assert mask.shape == (0, 7)
    assert normalised_overlap(torch.zeros((0, 7)), mask).shape == (0, 7)


@given(object_strategy())
def test_every_object_has_a_pono_of_one_and_every_anchor_one_object_a_class(objects):
    overlap, labels = overlap_of(objects)
    overlap = overlap.flatten(1)
    mask = clusters(overlap, labels, distance_of(objects))
    pono = normalised_overlap(overlap, mask)
    assert (pono >= 0).all()
    assert (pono <= 1).all()
    for label in (0, 1):
        assert (mask[labels == label].sum(dim=0) <= 1).all()
    assert (pono.amax(dim=1) == 1).all()


def test_an_object_that_overlaps_no_anchor_gets_the_nearest():
    overlap = torch.tensor([[0.9, 0.0, 0.0], [0.0, 0.0, 0.0]])
    distance = torch.tensor([[1.0, 5.0, 9.0], [2.0, 6.0, 3.0]])
    mask = clusters(overlap, torch.zeros(2, dtype=torch.int64), distance)
    assert mask.tolist() == [[True, False, False], [False, False, True]]
    assert normalised_overlap(overlap, mask).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_a_distance_to_the_cells_is_that_to_the_anchors_of_every_shape():
    # Two shapes on two cells; the second object overlaps nothing, the first has its best on cell 0.
    overlap = torch.tensor([[0.9, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    mask = clusters(overlap, torch.zeros(2, dtype=torch.int64), torch.tensor([[1.0, 9], [2, 6]]))
    assert mask.tolist() == [[True, True, False, False], [False, False, True, False]]


def test_every_choice_has_its_normaliser():
    assert list(NORMALISERS) == list(Overlap)
    overlap = torch.tensor([[0.6, 0.3]])
    mask = torch.tensor([[True, False]])
    made = {choice: make(overlap, mask) for choice, make in NORMALISERS.items()}
    assert made[Overlap.ABSOLUTE] is overlap
    assert made[Overlap.PONO].tolist() == [[1, 0]]
