"""The method's parts against hand calculation and torchvision as an outside oracle."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.models.detection._utils import BoxCoder, SSDMatcher
from torchvision.ops import box_convert, box_iou

from method.anchors import anchor_grid
from method.boxes import BoxCoding, decode, encode
from method.losses import classification_loss, localisation_loss
from method.matching import Matching, match
from method.samplers import Sampler, Sampling, hardest_negatives, sample_negatives
from method.ssd import ORIGINAL_ATTACHMENT, SSD, SSDConfig


def boxes_and_anchors(count=200):
    generator = torch.Generator().manual_seed(1)
    sides = torch.rand(2, count, 2, generator=generator) * 90 + 10
    centres = torch.rand(2, count, 2, generator=generator) * 512
    boxes = box_convert(torch.cat([centres[0], sides[0]], dim=1), "cxcywh", "xyxy")
    return boxes, torch.cat([centres[1], sides[1]], dim=1)


def test_ssd_coding_equals_torchvision():
    boxes, anchors = boxes_and_anchors()
    oracle = BoxCoder((10, 10, 5, 5)).encode_single(boxes, box_convert(anchors, "cxcywh", "xyxy"))
    assert torch.allclose(encode(boxes, anchors), oracle, rtol=1e-4, atol=1e-4)


def test_corner_coding_by_hand():
    # Anchor 20×20 at (10, 10): corner (0, 0). Box corner (5, 10), sides 30×10.
    offsets = encode(
        torch.tensor([[5.0, 10, 35, 20]]), torch.tensor([[10.0, 10, 20, 20]]), BoxCoding.CORNER
    )
    assert offsets.tolist() == [[0.25, 0.5, 1.5, 0.5]]


@pytest.mark.parametrize("coding", list(BoxCoding))
def test_decoding_undoes_encoding(coding):
    boxes, anchors = boxes_and_anchors()
    again = decode(encode(boxes, anchors, coding), anchors, coding)
    assert torch.allclose(again, boxes, atol=1e-2)


def test_anchors_of_a_2_by_3_map_by_hand():
    grid = anchor_grid((2, 3), 16, 20)
    assert grid.shape == (6, 4)
    assert grid[0].tolist() == [8, 8, 20, 20]
    assert grid[1].tolist() == [24, 8, 20, 20]
    assert grid[3].tolist() == [8, 24, 20, 20]


def test_matching_by_hand():
    anchors = torch.tensor([[10.0, 10, 20, 20], [50.0, 50, 20, 20], [90.0, 90, 20, 20]])
    boxes = torch.tensor(
        [
            [0.0, 0, 20, 10],  # half of the first anchor: 200 / 400 = 0.5, positive
            [40.0, 40, 60, 46],  # 120 / 400 = 0.3 of the second: its fallback
            [80.0, 80, 100, 83],  # 60 / 400 = 0.15 of the third: nothing
        ]
    )
    anchor, owner = match(boxes, anchors)
    assert (anchor.tolist(), owner.tolist()) == ([0, 1], [0, 1])
    assert [len(part) for part in match(torch.empty(0, 4), anchors)] == [0, 0]
    # With a pixel added to each side: 21·4 / (400 + 60 − 84) = 0.223, over the fallback's 0.2.
    inclusive = match(boxes, anchors, Matching(inclusive_overlap=True))
    assert inclusive[0].tolist() == [0, 1, 2]


def test_of_two_objects_that_want_one_anchor_the_closer_keeps_it():
    anchors = torch.tensor([[10.0, 10, 20, 20]])
    boxes = torch.tensor([[0.0, 0, 20, 6], [0.0, 0, 20, 7]])
    assert match(boxes, anchors)[1].tolist() == [1]


def test_matching_equals_torchvision_for_objects_apart():
    anchors = torch.cat([anchor_grid((32, 32), 16, side) for side in (25.0, 58.0)])
    boxes = torch.tensor([[30.0, 30, 60, 58], [200, 210, 262, 270], [400, 40, 424, 66]])
    oracle = SSDMatcher(0.4)(box_iou(boxes, box_convert(anchors, "cxcywh", "xyxy")))
    anchor, owner = match(boxes, anchors, Matching(fallback_iou=0))
    assert anchor.tolist() == torch.nonzero(oracle >= 0).squeeze(1).tolist()
    assert torch.equal(owner, oracle[anchor])


def torchvision_hard_negatives(loss, positive, ratio):
    """The double sort of torchvision's SSD, which counts and ranks image by image."""
    negative = loss.clone()
    negative[positive] = -float("inf")
    rank = negative.sort(1, descending=True)[1].sort(1)[1]
    return rank < ratio * positive.sum(1, keepdim=True)


@pytest.mark.parametrize("ratio", [1, 3])
def test_hard_negatives_equal_torchvision(ratio):
    generator = torch.Generator().manual_seed(ratio)
    loss = torch.rand(4, 300, generator=generator)
    positive = torch.rand(4, 300, generator=generator) < 0.05
    chosen = hardest_negatives(loss, positive, ratio)
    assert torch.equal(chosen, torchvision_hard_negatives(loss, positive, ratio))
    over_batch = hardest_negatives(loss, positive, ratio, over_batch=True)
    assert over_batch.sum() == ratio * positive.sum()
    floor = loss[over_batch].min()
    assert (loss[~over_batch & ~positive] <= floor).all()


def test_dns_by_hand():
    labels = torch.tensor([[1, 0, 0, 0]])
    logits = torch.tensor([[[0.0, 9], [0, 1], [1, 0], [0.5, 0.6]]])
    dns = Sampling(Sampler.DNS)
    assert sample_negatives(logits, labels, dns).tolist() == [[False, True, False, True]]
    limited = Sampling(Sampler.DNS, limit=2)
    assert sample_negatives(logits, labels, limited).tolist() == [[False, True, False, False]]
    sure = torch.tensor([[[1.0, 0], [1, 0], [1, 0], [1, 0]]])
    assert not sample_negatives(sure, labels, dns).any()
    assert sample_negatives(sure, torch.zeros_like(labels), dns).all()


def test_losses_equal_torch_on_the_sampled_subset():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 50, 4, generator=generator)
    labels = torch.randint(0, 4, (2, 50), generator=generator)
    sampled = torch.rand(2, 50, generator=generator) < 0.4
    weights = torch.tensor([1.0, 1, 4, 3.7])
    loss = classification_loss(logits, labels, sampled, weights)
    expected = F.cross_entropy(logits[sampled], labels[sampled], weight=weights)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    twice = classification_loss(logits, labels, sampled, weights, softmax_twice=True)
    soft = F.cross_entropy(logits.softmax(-1)[sampled], labels[sampled], weight=weights)
    assert twice.item() == pytest.approx(soft.item(), rel=1e-5)
    offsets = torch.randn(2, 50, 4, generator=generator, requires_grad=True)
    targets = torch.randn(2, 50, 4, generator=generator)
    boxes = localisation_loss(offsets, targets, labels > 0)
    smooth = F.smooth_l1_loss(offsets[labels > 0], targets[labels > 0])
    assert boxes.item() == pytest.approx(smooth.item(), rel=1e-5)
    nothing = localisation_loss(offsets, targets, torch.zeros_like(sampled))
    nothing.backward()
    assert nothing.item() == 0
    assert offsets.grad is not None
    assert offsets.grad.abs().max() == 0


def test_heads_see_what_the_recursion_says():
    custom, original = SSD(SSDConfig(3)), SSD(SSDConfig(3, attach=ORIGINAL_ATTACHMENT))
    assert [(f.size, f.stride) for f in custom.fields] == [(43, 8), (107, 16), (139, 32), (203, 64)]
    assert [f.size for f in original.fields] == [299, 491, 555, 683]
    assert len(custom.anchors) == 64**2 + 32**2 + 16**2 + 8**2


def test_a_batch_gives_what_single_images_give():
    detector = SSD(SSDConfig(3, input_size=128, width=0.5)).eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 128, 128), dtype=torch.uint8, generator=generator)
    together = detector.detect(images)
    for image, found in zip(images, together, strict=True):
        alone = detector.detect(image[None])[0]
        assert torch.allclose(alone.scores, found.scores, atol=1e-4)
    empty = detector.match(torch.empty(0, 4), torch.empty(0, dtype=torch.int64))
    assert all(t.isfinite() for t in detector.losses(images[:1], [empty]).terms.values())
