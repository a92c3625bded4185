"""The whole detector: its settings, its losses, its detections, and that it learns."""

import math

import pytest
import torch
from torchvision.ops import box_convert, box_iou

from method.boxes import BoxCoding, decode
from method.choices import Law, Sampler
from method.detection import Selection
from method.first_weights import draw_weights
from method.matching import Matching
from method.samplers import Sampling
from tests.method.small_ssd import random_images, small

RED, BLUE = (230, 40, 40), (40, 40, 230)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"attach": (8, 5)}, "two blocks in order"),
        ({"attach": (5, 5)}, "two blocks in order"),
        ({"attach": (0, 5)}, "two blocks in order"),
        ({"attach": (5, 18)}, "blocks 1 to 17"),
        ({"anchors": (25.0, 38.0, 58.0)}, "4 heads need as many anchors"),
        ({"class_weights": (1.0, 4.0, 3.7)}, "3 class weights for 2 classes"),
    ],
)
def test_a_wrong_configuration_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        small(**config)


def test_objects_become_the_offsets_that_take_their_anchors_to_them():
    boxes = torch.tensor([[20.0, 20, 34, 32], [100, 60, 128, 90], [200, 200, 240, 250]])
    labels = torch.tensor([2, 1, 2])
    for coding in BoxCoding:
        detector = small(input_size=256, coding=coding)
        found = detector.match(boxes, labels)
        decoded = decode(found.offsets, detector.anchors[found.anchors], coding)
        owner = box_iou(decoded, boxes).argmax(dim=1)
        torch.testing.assert_close(decoded, boxes[owner], rtol=0, atol=1e-3)
        assert torch.equal(found.labels, labels[owner])
        assert set(owner.tolist()) == {0, 1, 2}
    # Its own rule of matching: nothing overlaps by more than the whole.
    assert len(small(input_size=256, matching=Matching(2, 2)).match(boxes, labels).anchors) == 0


# Heads that say the same everywhere: probabilities 1/2, 1/4, 1/4.
SCORES = torch.tensor([0.5, 0.25, 0.25]).log()


def constant(detector, scores, offsets):
    """Every head answers with its bias, whatever the image."""
    for heads, bias in ((detector.class_heads, scores), (detector.box_heads, offsets)):
        for head in heads:
            torch.nn.init.zeros_(head.weight)
            head.bias.data = torch.as_tensor(bias)
    return detector


@pytest.mark.parametrize(
    ("sampler", "twice", "negatives", "expected"),
    [
        # The positive has weight 4 and ln 4, a negative weight 1 and ln 2.
        (Sampler.BASIC, False, 3, (4 * math.log(4) + 3 * math.log(2)) / 7),
        (Sampler.ONE_TO_ONE, False, 1, (4 * math.log(4) + math.log(2)) / 5),
        (Sampler.DNS, False, 0, math.log(4)),
        # The probabilities as scores: ln(e^½ + 2e^¼) − ¼.
        (Sampler.DNS, True, 0, math.log(math.exp(0.5) + 2 * math.exp(0.25)) - 0.25),
    ],
)
def test_the_losses_of_a_batch_by_hand(sampler, twice, negatives, expected):
    detector = small(
        class_weights=(1.0, 4.0),
        sampling=Sampling(sampler),
        softmax_twice=twice,
        matching=Matching(0.99, 0.99),
    )
    constant(detector, SCORES, [1.0, 1.0, 1.0, 3.0])
    # An object that is an anchor: all its offsets are 0, so smooth L1 is 0.5 thrice and 2.5.
    box = box_convert(detector.anchors[70:71], "cxcywh", "xyxy")
    nothing = detector.match(torch.empty(0, 4), torch.empty(0, dtype=torch.int64))
    result = detector.losses(
        random_images(2, 64), [nothing, detector.match(box, torch.tensor([2]))]
    )
    assert {name: int(count) for name, count in result.counts.items()} == {
        "positives": 1,
        "negatives": negatives,
    }
    assert result.terms["classification"].item() == pytest.approx(expected, rel=1e-5)
    assert result.terms["localisation"].item() == pytest.approx(1, rel=1e-5)


def test_a_batch_without_an_object_has_losses_to_learn_from():
    detector = small()
    nothing = detector.match(torch.empty(0, 4), torch.empty(0, dtype=torch.int64))
    result = detector.losses(random_images(2, 64), [nothing, nothing])
    assert result.terms["classification"] > 0
    assert result.terms["localisation"] == 0
    assert result.counts["negatives"] == 2 * len(detector.anchors)


@pytest.mark.parametrize(
    ("coding", "offsets"),
    [
        (BoxCoding.SSD, [1, 0, 0, math.log(2) / 0.2]),
        (BoxCoding.SSD_UNSCALED, [0.1, 0, 0, math.log(2)]),
        (BoxCoding.CORNER, [0.1, -0.5, 1, 2]),
    ],
)
def test_detections_are_the_decoded_anchors_with_softmax_scores(coding, offsets):
    """All offsets move the box by a tenth of its side to the right and double its height."""
    rule = Selection(score_floor=0.3, nms_iou=1, most=2000, candidates=2000)
    detector = small(input_size=256, coding=coding, selection=rule)
    constant(detector.eval(), torch.tensor([0.2, 0.3, 0.5]).log(), offsets)
    detections = detector.detect(random_images(2, 256))
    x, y, side, _ = detector.anchors.unbind(dim=1)
    moved = torch.stack([x + 0.1 * side, y, side, 2 * side], dim=1)
    expected = box_convert(moved, "cxcywh", "xyxy").clamp(0, 256)
    for found in detections:
        assert (found.labels == 2).all()
        assert found.scores.tolist() == pytest.approx([0.5] * len(expected))
        # All scores are equal, so the order says nothing.
        assert in_order(found.boxes) == in_order(expected)


def in_order(boxes):
    return sorted(boxes.mul(1000).round().tolist())


def test_the_encoder_sees_pixels_from_minus_1_to_1_unless_the_weights_say_otherwise():
    detector = small()
    seen = []
    detector.encoder[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 64, 64)
    detector(pixels)
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx([-1, -0.6, 1])
    # Other weights bring their own scale, and it is saved with them.
    detector.load_state_dict(
        {**detector.state_dict(), "mean": torch.full((3, 1, 1), 51.0), "std": torch.ones(3, 1, 1)}
    )
    detector(pixels)
    assert seen[1][0, :, 0, 0].tolist() == [-51, 0, 204]


def test_a_batch_gives_what_single_images_give():
    detector = small(input_size=128).eval()
    images = random_images(3, 128)
    for image, together in zip(images, detector.detect(images), strict=True):
        (alone,) = detector.detect(image[None])
        assert torch.equal(alone.labels, together.labels)
        torch.testing.assert_close(alone.scores, together.scores)
        torch.testing.assert_close(alone.boxes, together.boxes, rtol=0, atol=1e-3)


def scene(objects):
    """A noisy 128×128 image with one plain rectangle an object."""
    image = random_images(1, 128, seed=len(objects))[0] // 4 + 90
    for (left, top, right, bottom), colour in objects:
        image[:, top:bottom, left:right] = torch.tensor(colour, dtype=torch.uint8).view(3, 1, 1)
    return image


def test_it_learns_two_images_by_heart():
    boxes = [
        torch.tensor([[20.0, 24, 30, 34], [70, 60, 90, 82]]),
        torch.tensor([[90.0, 20, 104, 32]]),
    ]
    labels = [torch.tensor([1, 2]), torch.tensor([1])]
    first = scene([((20, 24, 30, 34), RED), ((70, 60, 90, 82), BLUE)])
    images = torch.stack([first, scene([((90, 20, 104, 32), RED)])])
    detector = small(input_size=128, width=0.5)
    draw_weights(detector, seed=0, law=Law.HE)
    for part in (detector.extras, detector.class_heads, detector.box_heads):
        draw_weights(part, seed=0, law=Law.XAVIER)
    matches = [detector.match(*objects) for objects in zip(boxes, labels, strict=True)]
    optimizer = torch.optim.Adam(detector.parameters(), lr=0.01)
    history = []
    for _ in range(60):
        loss = torch.stack(list(detector.losses(images, matches).terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < history[0] / 50
    detections = detector.eval().detect(images)
    for objects, classes, found in zip(boxes, labels, detections, strict=True):
        best = slice(len(objects))
        overlap, which = box_iou(objects, found.boxes[best]).max(dim=1)
        assert (overlap > 0.5).all()
        assert torch.equal(found.labels[best][which], classes)
