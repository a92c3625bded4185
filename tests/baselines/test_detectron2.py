"""What is changed of Detectron2's configurations, and that its trainer can stop at any step."""

import contextlib
import dataclasses
import os
import pickle
import re
from typing import Any

import numpy as np
import pytest
import torch

from baselines.detectron2 import (
    LARGEST_GRADIENT,
    Detectron2Detector,
    Detectron2Steps,
    configuration,
    read_weights,
)
from pipelines.detectors.build import build_detector
from pipelines.runs.registry import ENTRIES
from pipelines.runs.spec import DetectorName, RunSpec
from pipelines.system.errors import UserError

FASTER_RCNN_R101 = ENTRIES[DetectorName.FASTER_RCNN_R101].configuration
RETINANET_R50 = ENTRIES[DetectorName.RETINANET_R50].configuration
SIZE = 64
WEIGHTS = {"model": {"a": np.array([[1.5, 2.5]])}}


def steps_of(detector, **changes):
    settings: dict[str, Any] = {
        "batch_size": 1,
        "learning_rate": 0.01,
        "weight_decay": 1e-4,
        "iterations": 27,
        "warmup": 3,
        "cosine": False,
        "autocast": contextlib.nullcontext(),
        "seed": 0,
    }
    return Detectron2Steps(detector, **settings | changes)


@pytest.fixture(scope="module")
def detector():
    return Detectron2Detector(RETINANET_R50, 3, SIZE, seed=0)


def test_the_zoo_s_configuration_is_trained_whole_from_random_weights():
    config = configuration(FASTER_RCNN_R101, 5, from_scratch=True)
    assert (config.MODEL.RESNETS.DEPTH, config.MODEL.ROI_HEADS.NUM_CLASSES) == (101, 5)
    assert (config.MODEL.WEIGHTS, config.MODEL.RESNETS.NORM) == ("", "BN")
    model = Detectron2Detector(FASTER_RCNN_R101, 5, SIZE, seed=0)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_from_random_weights_a_step_is_no_larger_than_the_clipped_gradient_allows(detector):
    steps = steps_of(detector, warmup=0, weight_decay=0)
    before = {n: p.detach().clone() for n, p in detector.named_parameters()}
    for parameter in detector.parameters():
        parameter.grad = torch.full_like(parameter, 1e6)
    steps.set_learning_rate(0)
    steps.optimizer.step()
    for name, parameter in detector.named_parameters():
        moved = (parameter.detach() - before[name]).norm()
        assert moved == pytest.approx(0.01 * LARGEST_GRADIENT, rel=1e-2), name
    detector.load_state_dict(before, strict=False)


def test_from_other_weights_the_zoo_s_frozen_parts_stay_frozen():
    config = configuration(FASTER_RCNN_R101, 5, from_scratch=False)
    assert (config.MODEL.RESNETS.NORM, config.MODEL.BACKBONE.FREEZE_AT) == ("FrozenBN", 2)
    assert not config.SOLVER.CLIP_GRADIENTS.ENABLED


def test_a_file_of_the_zoo_gives_all_but_the_heads_of_other_classes(tmp_path):
    published = Detectron2Detector(RETINANET_R50, 3, SIZE, seed=1, from_scratch=False)
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
    same, other = (Detectron2Detector(RETINANET_R50, 3, SIZE, seed=seed) for seed in (0, 1))
    pairs = zip(detector.parameters(), same.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(detector.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_the_learning_rate_rises_and_falls_as_in_the_zoo(detector):
    steps = steps_of(detector)
    rates = []
    for number in (0, 3, 20, 21, 24, 25, 26, 1):
        steps.set_learning_rate(number)
        rates.append(steps.optimizer.param_groups[0]["lr"])
    # From a thousandth over three steps; a tenth from 210/270, a hundredth from 250/270 on.
    assert rates[:7] == pytest.approx([1e-5, 0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4])
    assert rates[7] == pytest.approx(1e-5 + (0.01 - 1e-5) / 3)


def test_along_a_cosine_the_half_is_half(detector):
    steps = steps_of(detector, cosine=True, warmup=0, iterations=20)
    steps.set_learning_rate(10)
    assert steps.optimizer.param_groups[0]["lr"] == pytest.approx(0.005)


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


@pytest.mark.slow
def test_stopped_and_gone_on_it_ends_with_the_same_weights():
    images = torch.randint(0, 256, (1, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    images = images.to(torch.uint8)

    def part(numbers, state=None):
        model = Detectron2Detector(FASTER_RCNN_R101, 2, SIZE, seed=0)
        steps = steps_of(model, iterations=4)
        if state:
            model.load_state_dict(state[0])
            steps.optimizer.load_state_dict(state[1])
        match = model.match(torch.tensor([[8.0, 8, 40, 40]]), torch.tensor([2]))
        losses = [float(steps(number, images, [match])["loss"]) for number in numbers]
        return losses, (model.state_dict(), steps.optimizer.state_dict())

    whole, (weights, _) = part(range(4))
    first, state = part(range(2))
    second, (resumed, _) = part(range(2, 4), state)
    assert first + second == whole
    assert all(torch.equal(value, resumed[name]) for name, value in weights.items())
