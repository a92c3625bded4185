"""Detectron2's detectors on the SSDs' encoder: the same maps, the same weights, the zoo's rest."""

import numpy as np
import pytest
import torch
from detectron2 import model_zoo
from detectron2.config import instantiate
from torch import nn

from baselines.detectron2.detector import configuration
from baselines.detectron2.mobilenet_fpn import MobileNetBackbone, MobileNetDetector, build_fcos
from method.mobilenet import LAST_BLOCK, encoder_blocks
from method.ssd import SSD
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, RunSpec
from pipelines.system.errors import UserError
from tests.baselines.detectron2.zoo import RETINANET_R50, SIZE

RIVALS = (
    DetectorName.FASTER_RCNN_MOBILENET,
    DetectorName.RETINANET_MOBILENET,
    DetectorName.FCOS_MOBILENET,
)
IMAGES = torch.randint(
    0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def rival(name, **changes):
    detector = build_detector(RunSpec(input_size=SIZE, detector=name, **changes), 3, IMAGES)
    assert isinstance(detector, MobileNetDetector)
    return detector


def ssd(**changes):
    spec = RunSpec(input_size=SIZE, detector=DetectorName.SSD_MOBILENET_V2, **changes)
    detector = build_detector(spec, 3, IMAGES)
    assert isinstance(detector, SSD)
    return detector


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    """A file of random weights for every convolution, with its batch norm folded in."""
    layers = {}
    for number, layer in enumerate(
        m for m in encoder_blocks(LAST_BLOCK).modules() if isinstance(m, nn.Conv2d)
    ):
        layers[f"{number:02d}.conv.weight"] = layer.weight.detach().numpy()
        layers[f"{number:02d}.conv.bias"] = np.zeros(layer.out_channels, np.float32)
    path = tmp_path_factory.mktemp("weights") / "folded.npz"
    np.savez(path, **layers)
    return str(path)


def test_the_maps_are_those_at_the_ends_of_the_strides():
    backbone = MobileNetBackbone().eval()
    found = backbone(torch.zeros(1, 3, 128, 128))
    # MobileNet v2 (Sandler et al. 2018), Table 2: channels of the last layer at each stride
    assert {name: tuple(m.shape[1:]) for name, m in found.items()} == {
        "res2": (24, 32, 32),
        "res3": (32, 16, 16),
        "res4": (96, 8, 8),
        "res5": (320, 4, 4),
    }
    for name, shape in backbone.output_shape().items():
        assert found[name].shape[1:] == (shape.channels, 128 // shape.stride, 128 // shape.stride)


@pytest.mark.parametrize("name", RIVALS)
def test_it_starts_from_the_weights_of_the_ssds(name, folded):
    for init in ("none", folded):
        encoder, own = rival(name, init=init).encoder.eval(), ssd(init=init).encoder.eval()
        image = (IMAGES - 127.5) / 127.5
        with torch.no_grad():
            assert torch.equal(encoder(image), own(image))


@pytest.mark.parametrize("name", RIVALS)
def test_its_encoder_sees_the_image_that_the_ssds_see(name, folded):
    seen = []
    detector = rival(name, init=folded).eval()
    detector.encoder.get_submodule("0").register_forward_pre_hook(
        lambda _, given: seen.append(given[0])
    )
    detector.detect(IMAGES)
    assert torch.equal(seen[0], (IMAGES - 127.5) / 127.5)


@pytest.mark.parametrize("name", RIVALS)
def test_all_of_it_is_trained_and_it_keeps_as_many_detections_as_it_is_told(name, folded):
    detector = rival(name, init=folded, max_detections=300)
    assert all(parameter.requires_grad for parameter in detector.parameters())
    assert detector.config.TEST.DETECTIONS_PER_IMAGE == 300
    norms = [m for m in detector.encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 51  # three a block, two in the first, one before it
    assert all(norm.training for norm in norms)


def test_fcos_is_the_zoo_s_but_for_its_width():
    config = configuration(RETINANET_R50, 80, from_scratch=False)
    config.MODEL.RETINANET.SCORE_THRESH_TEST = 0.2
    config.MODEL.PIXEL_STD = [57.375, 57.12, 58.395]
    config.MODEL.FPN.OUT_CHANNELS = 256
    own = build_fcos(config)
    zoo = instantiate(model_zoo.get_config("COCO-Detection/fcos_R_50_FPN_1x.py").model)
    plain = (bool, int, float, str)
    settings = [
        {name: value for name, value in vars(model).items() if isinstance(value, plain)}
        for model in (own, zoo)
    ]
    assert settings[0] == settings[1]
    assert len(settings[0]) >= 9
    assert own.head_in_features == list(zoo.head_in_features)
    assert str(own.head) == str(zoo.head)
    assert str(own.anchor_generator) == str(zoo.anchor_generator)


def test_weights_of_resnet_are_refused():
    with pytest.raises(UserError, match="the zoo has no weights for MobileNet v2"):
        rival(DetectorName.FCOS_MOBILENET, init="zoo")
