"""Counts of operations, bytes and arithmetic by hand, and the bounds that follow."""

import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from method.mobilenet import encoder_blocks
from pipelines import roofline
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.training.roofline import Counts, count, count_step

ONE, OTHER = torch.ones(10, 20), torch.ones(20, 30)
SMALL = RunSpec(input_size=64, batch_size=2)


@pytest.mark.parametrize(
    ("work", "operations", "numbers", "flops"),
    [
        (lambda: ONE + ONE, 1, 3 * 200, 0),
        (lambda: ONE.clone().add_(1), 2, 2 * 200 + 2 * 200, 0),
        (lambda: ONE.view(-1)[3:].t(), 0, 0, 0),
        (lambda: ONE @ OTHER, 1, 200 + 600 + 300, 2 * 10 * 20 * 30),
        (lambda: (ONE @ OTHER).detach().sum(), 2, 1100 + 300 + 1, 12_000),
    ],
)
def test_counts_by_hand(work, operations, numbers, flops):
    assert count(work) == Counts(operations, 4 * numbers, flops)


@pytest.mark.parametrize("size", [2, 4])
def test_a_step_has_as_many_operations_however_many_images_there_are(size):
    """But for one each, which says where its matches belong; bytes and arithmetic grow along."""
    one, more = count_step(SMALL), count_step(replace(SMALL, batch_size=2 * size))
    assert more.operations - one.operations == 2 * size - 2
    assert more.flops == size * one.flops
    assert one.moved < more.moved < size * one.moved


def test_no_activation_is_copied_for_its_gradient():
    encoder = encoder_blocks(5)
    assert not any(m.inplace for m in encoder.modules() if isinstance(m, nn.ReLU6))
    images = torch.randn(1, 3, 64, 64)
    copied = replace_activations(encoder_blocks(5))
    ours, theirs = (count(partial(net, images)) for net in (encoder, copied))
    assert ours.operations < theirs.operations
    assert ours.moved < theirs.moved
    copied.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder.eval()(images), copied.eval()(images))


def replace_activations(network):
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    return network


def test_the_least_bound_counts(monkeypatch, capsys):
    monkeypatch.setattr(
        "pipelines.training.roofline.count_step", lambda spec: Counts(100, 10**9, 10**12)
    )
    monkeypatch.setattr(
        sys, "argv", ["roofline", "--batch-size", "8", "--tflops", "100", "--bandwidth", "1"]
    )
    roofline.main()
    row = capsys.readouterr().out.splitlines()[2].split("|")[-5:-1]
    # 100 starts of 5 μs, 10⁹ bytes of 10¹² a second, 10¹² operations of 10¹⁴ a second.
    assert [cell.strip() for cell in row] == ["16,000", "8,000", "800", "800"]


def test_nothing_of_a_gpu_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["roofline", "--bandwidth", "0"])
    with pytest.raises(UserError, match="above 0"):
        roofline.main()
