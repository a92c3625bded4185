"""torchvision's detectors behind this project's interface."""

import pytest
import torch

from baselines.torchvision import _build, retinanet, ssdlite
from method.depthwise import StridedDepthwiseConv2d

SIZE = 64
BUILDERS = pytest.mark.parametrize("make", [ssdlite, retinanet])


@BUILDERS
def test_losses_are_torchvision_s_own(make):
    detector = make(3, SIZE, pretrained=False, seed=0).train()
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, SIZE, SIZE), generator=generator).to(torch.uint8)
    boxes, labels = torch.tensor([[8.0, 8, 40, 40]]), torch.tensor([3])
    ours = detector.losses(images, [detector.match(boxes, labels)] * 2).terms
    theirs = detector.model(list(images / 255), [{"boxes": boxes, "labels": labels}] * 2)
    torch.testing.assert_close(ours["classification"], theirs["classification"])
    torch.testing.assert_close(ours["localisation"], theirs["bbox_regression"])


@BUILDERS
def test_scores_and_boxes_of_every_anchor(make):
    detector = make(3, SIZE, pretrained=False, seed=0).eval()
    with torch.no_grad():
        scores, boxes = detector(torch.zeros((2, 3, SIZE, SIZE), dtype=torch.uint8))
    assert scores.shape == (*boxes.shape[:2], 4)
    assert boxes.shape[::2] == (2, 4)


def test_strided_convolutions_are_the_fast_ones():
    detector = ssdlite(3, SIZE, pretrained=False, seed=0)
    assert any(isinstance(module, StridedDepthwiseConv2d) for module in detector.modules())


def test_published_weights_give_all_but_the_class_heads():
    class Published:
        """As torchvision's weights, which are made for 90 classes and lie on the network."""

        def get_state_dict(self, *, progress, check_hash):
            assert progress
            assert check_hash
            return published

    def build(num_classes, **_):
        from torchvision.models.detection import ssdlite320_mobilenet_v3_large

        return ssdlite320_mobilenet_v3_large(weights_backbone=None, num_classes=num_classes)

    torch.manual_seed(1)
    published = build(91).state_dict()
    detector = _build(build, Published(), 3, SIZE, seed=0)
    plain = _build(build, None, 3, SIZE, seed=0)
    for name, value in detector.model.state_dict().items():
        fits = value.shape == published[name].shape
        expected = published if fits else plain.model.state_dict()
        assert torch.equal(value, expected[name]), name
        assert fits or ".classification_head." in name
