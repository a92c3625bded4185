"""An SSD with several anchors a cell: each shape answers for its own objects, and learns."""

import math

import pytest
import torch
from torchvision.ops import box_convert, box_iou

from method.choices import Law
from method.first_weights import draw_weights
from method.ssd import SSD, SSDConfig

RATIOS = (0.5, 1.0, 2.0)


def detector_of_shapes(**config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SSD(SSDConfig(classes=2, input_size=128, aspect_ratios=RATIOS, **config))


def test_an_object_that_is_an_anchor_of_a_shape_is_its_own_and_needs_no_offset():
    detector = detector_of_shapes(width=0.25)
    first = 3 * (8 * 16 + 8)  # of three in a cell in the middle of the first head's 16×16
    for shape, ratio in enumerate(RATIOS):
        anchor = detector.anchors[first + shape]
        # A quarter of 25 px at 512.
        assert torch.allclose(anchor[2:], 6.25 * torch.tensor([ratio**0.5, ratio**-0.5]))
        found = detector.match(
            box_convert(anchor[None], "cxcywh", "xyxy"), torch.tensor([1 + shape % 2])
        )
        place = (found.anchors == first + shape).nonzero().item()
        torch.testing.assert_close(found.offsets[place], torch.zeros(4), rtol=0, atol=1e-4)


def test_the_losses_count_every_anchor_of_a_cell():
    """Heads that say 1/3 for each class and a place 1 off, whatever the image."""
    detector = detector_of_shapes(width=0.25)
    for heads, value in ((detector.class_heads, 0.0), (detector.box_heads, 1.0)):
        for head in heads:
            torch.nn.init.zeros_(head.weight)
            torch.nn.init.constant_(head.bias, value)
    images = torch.zeros(1, 3, 128, 128, dtype=torch.uint8)
    nothing = detector.match(torch.empty(0, 4), torch.empty(0, dtype=torch.int64))
    empty = detector.losses(images, [nothing])
    assert empty.counts["negatives"] == len(detector.anchors) == 3 * (16**2 + 8**2 + 4**2 + 2**2)
    box = box_convert(detector.anchors[405:406], "cxcywh", "xyxy")
    found = detector.match(box, torch.tensor([2]))
    losses = detector.losses(images, [found])
    assert losses.counts["positives"] == len(found.anchors)
    assert losses.terms["classification"].item() == pytest.approx(math.log(3), rel=1e-5)
    off = (1 - found.offsets).abs()
    expected = torch.where(off < 1, off**2 / 2, off - 0.5).sum() / (4 * len(found.anchors))
    torch.testing.assert_close(losses.terms["localisation"], expected)


def test_it_learns_a_wide_and_a_high_object_by_heart():
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(90, 150, (3, 128, 128), dtype=torch.uint8, generator=generator)
    boxes = torch.tensor([[20.0, 24, 42, 34], [70, 60, 79, 80]])
    for left, top, right, bottom in boxes.int().tolist():
        image[:, top:bottom, left:right] = torch.tensor([230, 40, 40]).byte().view(3, 1, 1)
    detector = detector_of_shapes(width=0.5)
    draw_weights(detector, seed=0, law=Law.HE)
    for part in (detector.extras, detector.class_heads, detector.box_heads):
        draw_weights(part, seed=0, law=Law.XAVIER)
    labels = torch.tensor([1, 2])
    matches = [detector.match(boxes, labels)]
    optimizer = torch.optim.Adam(detector.parameters(), lr=0.01)
    for _ in range(60):
        loss = torch.stack(list(detector.losses(image[None], matches).terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    (found,) = detector.eval().detect(image[None])
    overlap, which = box_iou(boxes, found.boxes[:2]).max(dim=1)
    assert (overlap > 0.5).all()
    assert torch.equal(found.labels[:2][which], labels)
