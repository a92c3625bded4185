"""LapNet: what a row changes."""

import torch

from method.lapnet.choices import Balance, ClassificationLoss, Overlap
from method.lapnet.detector import LapNet, LapNetConfig
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, RunSpec

IMAGES = torch.zeros((1, 3, 64, 64), dtype=torch.uint8)


def test_lapnet_is_what_the_specification_says():
    spec = RunSpec.parse(
        {
            "detector": "lapnet", "input_size": 64, "overlap": "absolute", "ambiguity": False,
            "balance": "ratio", "classification": "focal",
        },
        "test",
    )  # fmt: skip
    detector = build_detector(spec, 3, IMAGES)
    assert isinstance(detector, LapNet)
    assert detector.config == LapNetConfig(
        3, 64, overlap=Overlap.ABSOLUTE, ambiguity=False, balance=Balance.RATIO,
        loss=ClassificationLoss.FOCAL,
    )  # fmt: skip


def test_the_number_of_detections_kept_is_the_specification_s():
    spec = RunSpec(input_size=64, detector=DetectorName.LAPNET, max_detections=7)
    detector = build_detector(spec, 3, IMAGES)
    assert isinstance(detector, LapNet)
    assert detector.config.selection.most == 7
