"""LapNet: what a row changes."""

import pytest
import torch
from torchvision.models import mobilenet_v2

from method.lapnet.choices import Backbone, Balance, ClassificationLoss, Overlap
from method.lapnet.detector import LapNet, LapNetConfig
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, RunSpec
from pipelines.system.errors import UserError

IMAGES = torch.zeros((1, 3, 64, 64), dtype=torch.uint8)


def test_lapnet_is_what_the_specification_says():
    spec = RunSpec.parse(
        {
            "detector": "lapnet",
            "input_size": 64,
            "overlap": "absolute",
            "ambiguity": False,
            "balance": "ratio",
            "classification": "focal",
        },
        "test",
    )
    detector = build_detector(spec, 3, IMAGES)
    assert isinstance(detector, LapNet)
    assert detector.config == LapNetConfig(
        3,
        64,
        overlap=Overlap.ABSOLUTE,
        ambiguity=False,
        balance=Balance.RATIO,
        loss=ClassificationLoss.FOCAL,
    )


def test_the_number_of_detections_kept_is_the_specification_s():
    spec = RunSpec(input_size=64, detector=DetectorName.LAPNET, max_detections=7)
    detector = build_detector(spec, 3, IMAGES)
    assert isinstance(detector, LapNet)
    assert detector.config.selection.most == 7


def test_the_anchors_of_a_class_are_as_many_as_the_specification_says():
    spec = RunSpec(input_size=64, detector=DetectorName.LAPNET, anchors_a_class=3)
    detector = build_detector(spec, 2, IMAGES)
    assert isinstance(detector, LapNet)
    detector.fit_to_objects(
        [torch.tensor([[0.0, 0, 9, 9], [5, 5, 30, 25]])], [torch.tensor([1, 2])]
    )
    assert detector.shapes.shape == (2, 3, 2)
    assert detector.eval()(IMAGES)[0].shape[1:] == (2 * 3, 8, 8)


def test_half_the_width_is_mobilenet_s_own_and_half_the_decoder_s_channels():
    spec = RunSpec(input_size=64, detector=DetectorName.LAPNET, width=0.5)
    detector = build_detector(spec, 3, IMAGES)
    assert isinstance(detector, LapNet)
    shapes = {
        name: value.shape
        for name, value in mobilenet_v2(width_mult=0.5).features.named_parameters()
    }
    encoder = dict(detector.network.encoder.named_parameters())
    assert len(encoder) > 100
    for name, value in encoder.items():
        assert value.shape == shapes[name.removeprefix("blocks.")], name
    assert detector.network.joined(torch.zeros(1, 3, 64, 64)).shape == (1, 3 * 24, 8, 8)


def test_other_backbones_have_one_width():
    spec = RunSpec(
        input_size=64, detector=DetectorName.LAPNET, backbone=Backbone.DARKNET53, width=0.5
    )
    with pytest.raises(UserError, match=r"width must be 1 .* darknet53, not 0\.5"):
        build_detector(spec, 3, IMAGES)
