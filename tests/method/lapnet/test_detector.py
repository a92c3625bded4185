"""LapNet whole: its shapes, its switches, and that it tells touching objects apart."""

import numpy as np
import pytest
import torch

from method.lapnet.choices import Backbone, Balance, Overlap
from method.lapnet.clustering import cluster_sides
from method.lapnet.detector import LapNet, LapNetConfig

SIZE = 64
BOXES = torch.tensor([[8.0, 8, 24, 24], [24, 8, 40, 24], [30, 30, 62, 62]])
LABELS = torch.tensor([1, 1, 2])


def make(**changes):
    detector = LapNet(LapNetConfig(2, SIZE, anchors_a_class=3, **changes), seed=0)
    detector.fit_to_objects([BOXES], [LABELS])
    return detector


def test_anchors_are_each_class_s_own():
    shapes = make().shapes
    sides = (BOXES[:2, 2:] - BOXES[:2, :2]).double().numpy()
    np.testing.assert_allclose(shapes[0], cluster_sides(sides, 3, 0).sides)
    assert shapes[1].tolist() == [[32, 32]] * 3


def test_a_class_without_objects_keeps_plain_squares():
    detector = LapNet(LapNetConfig(3, SIZE, anchors_a_class=2), seed=0)
    detector.fit_to_objects([BOXES], [LABELS])
    assert detector.shapes[2].tolist() == [[8, 8], [16, 16]]


@pytest.mark.parametrize("overlap", Overlap)
def test_assigned_anchors_pass_the_threshold_and_name_their_object(overlap):
    found = make(overlap=overlap).match(BOXES, LABELS)
    assert (found.overlap > 0.5).all()
    assert (found.overlap <= 1).all()
    of_second_class = found.anchors >= 3 * 8 * 8
    assert (found.boxes[of_second_class] == BOXES[2]).all()
    assert (found.boxes[~of_second_class] != BOXES[2]).any(dim=1).all()
    if overlap is Overlap.PONO:
        for box in BOXES:
            assert found.overlap[(found.boxes == box).all(dim=1)].max() == 1


def test_an_object_that_no_anchor_overlaps_enough_is_missed_by_iou_alone():
    tiny = torch.tensor([[11.0, 11, 13, 13]])
    label = torch.tensor([2])
    assert len(make(overlap=Overlap.ABSOLUTE).match(tiny, label).anchors) == 0
    assert len(make(overlap=Overlap.PONO).match(tiny, label).anchors) > 0


def test_offsets_of_nought_predict_the_anchors_themselves():
    detector = make()
    numbers = torch.tensor([0, 3 * 64 + 9])
    boxes = detector._decoded(
        torch.zeros((1, 24, 8, 8)), torch.zeros(2, dtype=torch.int64), numbers
    )
    # The first cell's centre is (4, 4); the second class's first shape on row 1, column 1.
    assert boxes.tolist() == [[-4, -4, 12, 12], [-4, -4, 28, 28]]


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_sure_logits_of_the_assigned_anchors_alone_cost_nothing(order):
    detector = make(ambiguity=False, balance=Balance.ONE)
    match = detector.match(BOXES, LABELS)
    logits = torch.full((2, 6, 8, 8), -30.0)
    logits.view(2, -1)[1, match.anchors] = 30
    nothing = detector.match(BOXES[:0], LABELS[:0])
    offsets = torch.zeros((2, 24, 8, 8)).contiguous(memory_format=order)
    maps = logits.contiguous(memory_format=order), offsets
    assert float(detector.losses_of(*maps, [nothing, match]).terms["classification"]) < 1e-9
    assert float(detector.losses_of(*maps, [match, nothing]).terms["classification"]) > 1


@pytest.mark.slow
@pytest.mark.parametrize("backbone", Backbone)
@pytest.mark.parametrize("size", [128, 160])  # even and odd multiples of 32, as 512 and 608 are
def test_every_backbone_builds_steps_and_detects(backbone, size):
    detector = LapNet(LapNetConfig(2, size, backbone=backbone, anchors_a_class=3), seed=0)
    detector.fit_to_objects([BOXES], [LABELS])
    images = torch.randint(0, 256, (1, 3, size, size), dtype=torch.uint8)
    cells = size // 8
    logits, offsets = detector.eval()(images)
    assert logits.shape == (1, 6, cells, cells)
    assert offsets.shape == (1, 24, cells, cells)
    terms = detector.losses(images, [detector.match(BOXES, LABELS)]).terms
    torch.stack(list(terms.values())).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in detector.parameters() if p.grad is not None)
    assert len(detector.detect(images)[0].scores) <= 100


@pytest.mark.slow
def test_touching_objects_are_told_apart():
    torch.manual_seed(0)
    pixels = torch.randint(90, 110, (1, 3, SIZE, SIZE), dtype=torch.uint8)
    for box, channel in zip(BOXES.int().tolist(), (0, 0, 2), strict=True):
        pixels[0, channel, box[1] : box[3], box[0] : box[2]] = 220
    detector = make(balance=Balance.RATIO).train()
    match = detector.match(BOXES, LABELS)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=2e-3)
    for _ in range(80):
        terms = detector.losses(pixels, [match]).terms
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    for norm in (m for m in detector.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.train()  # one image: its own statistics
    detector.training = False
    with torch.no_grad():
        found = detector.detect(pixels)[0]
    sure = found.scores > 0.5
    assert sorted(found.labels[sure].tolist()) == [1, 1, 2]
    boxes = found.boxes[sure][found.boxes[sure][:, 0].argsort()]
    torch.testing.assert_close(boxes, BOXES, atol=3, rtol=0)
