"""Where an SSD's heads look, and that its outputs stand in its anchors' order."""

import pytest
import torch

from method.choices import CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT
from tests.method.small_ssd import random_images, small


@pytest.mark.parametrize(
    ("attach", "fields", "strides"),
    [
        # Table 1, and behind it 107 + 2·16 = 139 and 139 + 2·32 = 203 (the paper prints 141, 207).
        (CUSTOM_ATTACHMENT, [43, 107, 139, 203], [8, 16, 32, 64]),
        # Likewise 491 → 555 → 683, and for the released code's blocks 171 → 203 → 267.
        (ORIGINAL_ATTACHMENT, [299, 491, 555, 683], [32, 32, 64, 128]),
        ((6, 10), [59, 171, 203, 267], [8, 16, 32, 64]),
    ],
)
def test_heads_have_the_fields_and_strides_that_follow_from_table_1(attach, fields, strides):
    detector = small(attach=attach)
    assert [field.size for field in detector.fields] == fields
    assert [field.stride for field in detector.fields] == strides


@pytest.mark.parametrize("size", [256, 300, 512])
@pytest.mark.parametrize("attach", [CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT])
def test_there_is_one_output_an_anchor(size, attach):
    detector = small(classes=3, input_size=size, attach=attach, aspect_ratios=(1.0, 2.0)).eval()
    with torch.no_grad():
        logits, offsets = detector(random_images(1, size))
    assert logits.shape == (1, len(detector.anchors), 4)
    assert offsets.shape == (1, len(detector.anchors), 4)


def test_the_custom_detector_has_5440_anchors_at_512():
    anchors = small(input_size=512).anchors
    assert len(anchors) == 64**2 + 32**2 + 16**2 + 8**2
    sides, counts = anchors[:, 2:].unique_consecutive(dim=0, return_counts=True)
    assert sides.tolist() == [[25, 25], [38, 38], [58, 58], [87, 87]]
    assert counts.tolist() == [4096, 1024, 256, 64]


def test_anchors_shrink_with_the_input():
    sides = small(input_size=256).anchors[:, 2:].unique_consecutive(dim=0)
    assert sides.tolist() == [[12.5, 12.5], [19, 19], [29, 29], [43.5, 43.5]]


@pytest.mark.parametrize("attach", [CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT])
@pytest.mark.parametrize("ratios", [(1.0,), (1.0, 2.0, 0.5)])
def test_a_head_that_writes_where_it_looks_writes_the_anchors(attach, ratios):
    """Each head's map is replaced by the place and shape of its anchors, known by hand."""
    detector = small(input_size=256, attach=attach, aspect_ratios=ratios).eval()
    sides = (12.5, 19.0, 29.0, 43.5)
    heads = zip(detector.fields, sides, detector.box_heads, detector.class_heads, strict=True)
    for number, (field, side, box_head, class_head) in enumerate(heads):

        def places(module, inputs, output, stride=field.stride, side=side):
            rows, columns = torch.meshgrid(*map(torch.arange, output.shape[2:]), indexing="ij")
            maps = []
            for ratio in ratios:
                maps += [(columns + 0.5) * stride, (rows + 0.5) * stride]
                shape = (side * ratio**0.5, side / ratio**0.5)
                maps += [torch.full(rows.shape, length) for length in shape]
            return torch.stack(maps)[None]

        def labels(module, inputs, output, number=number):
            values = [100 * number + 10 * r + c for r in range(len(ratios)) for c in range(3)]
            return torch.tensor(values).view(1, -1, 1, 1).expand(output.shape)

        box_head.register_forward_hook(places)
        class_head.register_forward_hook(labels)
    with torch.no_grad():
        logits, offsets = detector(random_images(1, 256))
    torch.testing.assert_close(offsets[0], detector.anchors)
    # Every anchor of a cell has the scores of background and both classes beside each other.
    first = logits[0, :, 0]
    assert torch.equal(logits[0], first[:, None] + torch.arange(3))
    ratio_of = first % 100 / 10
    assert torch.equal(ratio_of, torch.arange(len(ratios)).repeat(len(first) // len(ratios)))
    by_head = offsets[0, :, 2:].prod(dim=-1)[:, None] - torch.tensor(sides).square()
    assert torch.equal(first // 100, by_head.abs().argmin(dim=1).float())


def test_each_head_sees_its_field_around_its_anchor():
    """Gradients with all weights positive and small activations, so that no path is cut off."""
    detector = small(input_size=512).eval()
    for layer in detector.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    images = torch.full((1, 3, 512, 512), 140.0, requires_grad=True)
    logits, _ = detector(images)
    first = 0
    for field in detector.fields:
        cells = 512 // field.stride
        anchor = first + (cells // 2) * cells + cells // 2 - 1
        (gradient,) = torch.autograd.grad(logits[0, anchor, 1], images, retain_graph=True)
        places = gradient[0].sum(dim=0).nonzero().flip(1)
        low, high = places.amin(dim=0), places.amax(dim=0)
        # The head's own 3×3 convolution sees one step more on each side.
        assert (high - low + 1).tolist() == [field.size + 2 * field.stride] * 2
        off = (low + high) / 2 - detector.anchors[anchor, :2]
        assert (off.abs() <= field.stride / 2).all()
        first += cells**2
