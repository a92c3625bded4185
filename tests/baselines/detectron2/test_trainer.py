"""Detectron2's trainer keeps the zoo's schedule, and can stop at any step."""

import contextlib
from typing import Any

import pytest
import torch

from baselines.detectron2.detector import LARGEST_GRADIENT
from baselines.detectron2.trainer import Detectron2Steps
from tests.baselines.detectron2.zoo import FASTER_RCNN_R101, RETINANET_R50, SIZE, built


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


@pytest.mark.slow
@pytest.mark.parametrize("path", [FASTER_RCNN_R101, RETINANET_R50])
def test_stopped_and_gone_on_it_ends_with_the_same_weights(path):
    images = torch.randint(0, 256, (1, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    images = images.to(torch.uint8)

    def part(numbers, state=None):
        model = built(path, 2)
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
