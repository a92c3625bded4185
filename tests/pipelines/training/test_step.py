"""Learning rate, optimiser and batches, against values worked out by hand."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from method.detector import TrainableDetector
from method.lapnet.choices import Balance
from method.lapnet.losses import Weights
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import Optimiser, Precision, RunSpec, Schedule, Switch
from pipelines.training.step import OwnSteps, learning_rate, make_optimizer, to_batch

SPEC = RunSpec(iterations=24, batch_size=4, warmup=0, input_size=64)
CPU = torch.device("cpu")


def test_learning_rate_by_hand():
    step = dataclasses.replace(SPEC, iterations=100, schedule=Schedule.STEP, learning_rate=1.0)
    rates = [learning_rate(step, s, 1.0) for s in (0, 49, 50, 89, 90)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    cosine = dataclasses.replace(step, schedule=Schedule.COSINE, warmup=4)
    assert [learning_rate(cosine, s, 1.0) for s in (0, 3)] == pytest.approx([0.2, 0.8])
    assert learning_rate(cosine, 50, 1.0) == pytest.approx(0.5)
    assert learning_rate(cosine, 75, 1.0) == pytest.approx(0.5 * (1 + math.cos(0.75 * math.pi)))
    polynomial = dataclasses.replace(step, schedule=Schedule.POLYNOMIAL)
    assert learning_rate(polynomial, 75, 1.0) == pytest.approx(0.25**0.9)


def test_adam_adds_its_decay_to_the_gradient_and_adamw_takes_it_off_the_weight():
    # A first step of Adam is the sign of what it is given, times the rate; of nothing it is 0.
    moved = {}
    for optimiser in (Optimiser.ADAM, Optimiser.ADAMW):
        layer = torch.nn.Linear(1, 1, bias=False)
        layer.weight.data.fill_(2.0)
        layer.weight.grad = torch.zeros(1, 1)
        spec = dataclasses.replace(SPEC, optimiser=optimiser, learning_rate=0.1, weight_decay=0.5)
        make_optimizer(layer, spec).step()
        moved[optimiser] = float(layer.weight.detach()) - 2
    assert moved == pytest.approx({Optimiser.ADAM: -0.1, Optimiser.ADAMW: -2 * 0.1 * 0.5})


@pytest.mark.parametrize(
    ("optimiser", "decayed"),
    # A step takes 5 % off; SGD's second takes 0.9 of the first one's once more.
    [(Optimiser.ADAMW, 0.95**2), (Optimiser.SGD, 0.95**2 - 0.9 * 0.05)],
)
def test_lapnet_s_learned_weights_stay_without_a_gradient(optimiser, decayed):
    weights, layer = Weights(2, Balance.LEARNED), torch.nn.Linear(1, 1)
    detector = torch.nn.Sequential(weights, layer)
    spec = dataclasses.replace(SPEC, optimiser=optimiser, learning_rate=0.1, weight_decay=0.5)
    optimizer = make_optimizer(detector, spec)
    grids, before = weights.grid_localisation, float(layer.weight.detach())
    for gradient in ([1.0, 0.0], [0.0, 0.0]):
        for parameter in detector.parameters():
            parameter.grad = torch.zeros_like(parameter)
        grids.grad = torch.tensor(gradient)
        optimizer.step()
    # Moved by 0.1 in the one step that had a gradient, in neither optimiser by what came before.
    assert grids.tolist() == pytest.approx([0.9, 1])
    assert float(layer.weight.detach()) == pytest.approx(before * decayed)


def test_lapnet_s_learned_weights_go_by_their_own_rate():
    detector = torch.nn.Sequential(Weights(2, Balance.LEARNED), torch.nn.Linear(1, 1))
    spec = dataclasses.replace(
        SPEC, iterations=10, warmup=0, learning_rate=0.1, weights_learning_rate=0.3
    )
    assert [group["lr"] for group in make_optimizer(detector, spec).param_groups] == [0.1, 0.3]
    alike = dataclasses.replace(spec, weights_learning_rate=None)
    assert [group["lr"] for group in make_optimizer(detector, alike).param_groups] == [0.1, 0.1]


def test_batches_are_channels_last_views():
    pixels = np.random.default_rng(0).integers(0, 256, (10, 64, 64, 3), dtype=np.uint8)
    batch = to_batch(pixels, CPU)
    assert batch.shape == (10, 3, 64, 64)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert batch.data_ptr() == pixels.ctypes.data


@pytest.mark.slow
def test_a_compiled_step_is_the_same_step():
    """To rounding, though the network's operations are fused."""
    torch.manual_seed(0)
    spec = dataclasses.replace(
        SPEC, attach=(1, 2), width=0.25, precision=Precision.FP32, optimiser=Optimiser.SGD
    )
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    boxes, labels = torch.tensor([[4.0, 4, 30, 30], [20, 30, 50, 60]]), torch.tensor([1, 3])
    found = {}
    for compiled in Switch:
        detector = build_detector(spec, 3, images).train()
        assert isinstance(detector, TrainableDetector)
        steps: OwnSteps[Any] = OwnSteps(detector, dataclasses.replace(spec, compile=compiled))
        matches = [detector.match(boxes, labels)] * 2
        compiled_before = counters["stats"]["unique_graphs"]
        values = steps(0, images, matches)
        assert counters["stats"]["unique_graphs"] - compiled_before == (compiled is Switch.ON)
        gradients = {name: p.grad for name, p in detector.named_parameters()}
        found[compiled] = values, gradients, detector.state_dict()
    torch.testing.assert_close(found[Switch.ON], found[Switch.OFF], rtol=1e-3, atol=1e-5)
