"""What is changed of Detectron2's configurations, and whose weights its detectors take."""

import dataclasses
import os
import pickle
import re

import numpy as np
import pytest
import torch

from baselines.detectron2.detector import Detectron2Detector, configuration, read_weights
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, RunSpec
from pipelines.system.errors import UserError
from tests.baselines.detectron2.zoo import FASTER_RCNN_R101, RETINANET_R50, SIZE, built

WEIGHTS = {"model": {"a": np.array([[1.5, 2.5]])}}


def test_the_zoo_s_configuration_is_trained_whole_from_random_weights():
    config = configuration(FASTER_RCNN_R101, 5, from_scratch=True)
    assert (config.MODEL.RESNETS.DEPTH, config.MODEL.ROI_HEADS.NUM_CLASSES) == (101, 5)
    assert (config.MODEL.WEIGHTS, config.MODEL.RESNETS.NORM) == ("", "BN")
    model = built(FASTER_RCNN_R101, 5)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_from_other_weights_the_zoo_s_frozen_parts_stay_frozen():
    config = configuration(FASTER_RCNN_R101, 5, from_scratch=False)
    assert (config.MODEL.RESNETS.NORM, config.MODEL.BACKBONE.FREEZE_AT) == ("FrozenBN", 2)
    assert not config.SOLVER.CLIP_GRADIENTS.ENABLED


def test_a_file_of_the_zoo_gives_all_but_the_heads_of_other_classes(tmp_path):
    published = built(RETINANET_R50, 3, 1, from_scratch=False)
    arrays = {name: value.numpy() for name, value in published.model.state_dict().items()}
    path = tmp_path / "model_final.pkl"
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "Detectron2 Model Zoo"}))
    spec = RunSpec(input_size=SIZE, detector=DetectorName.RETINANET_R50, init=str(path))
    detector = build_detector(spec, 5, torch.zeros((1, 3, SIZE, SIZE)))
    assert isinstance(detector, Detectron2Detector)
    state = detector.model.state_dict()
    taken = {name for name, value in state.items() if np.array_equal(value.numpy(), arrays[name])}
    assert set(state) - taken == {"head.cls_score.weight", "head.cls_score.bias"}
    rival = dataclasses.replace(spec, detector=DetectorName.FASTER_RCNN_R101)
    with pytest.raises(UserError, match=r"the file has no backbone\.bottom_up\.res4\.10"):
        build_detector(rival, 5, torch.zeros((1, 3, SIZE, SIZE)))


@pytest.mark.parametrize("home", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_arrays_are_read_whichever_numpy_wrote_them(tmp_path, home):
    path = tmp_path / "weights.pkl"
    stated = re.sub(rb"numpy\._?core\.multiarray", home, pickle.dumps(WEIGHTS, protocol=2))
    assert stated.count(home) == 1
    path.write_bytes(stated)
    assert read_weights(path)["a"].tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"model": {"a": os.getcwd}}), "getcwd is no array"),
        (pickle.dumps({"weights": {}}), "'model'"),
        (b"\x80\x04", "Ran out of input"),
    ],
)
def test_a_pickle_that_is_more_than_arrays_is_refused(tmp_path, content, message):
    path = tmp_path / "weights.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_weights(path)


def test_the_first_weights_follow_the_seed(detector):
    same, other = (built(RETINANET_R50, 3, seed) for seed in (0, 1))
    pairs = zip(detector.parameters(), same.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(detector.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_images_go_in_as_blue_green_red(detector):
    seen = []
    hook = detector.model.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    red = torch.zeros((1, 3, SIZE, SIZE), dtype=torch.uint8)
    red[:, 0] = 255
    detector.eval().detect(red)
    hook.remove()
    mean = torch.tensor(detector.config.MODEL.PIXEL_MEAN)
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx(
        (torch.tensor([0, 0, 255]) - mean).tolist()
    )
