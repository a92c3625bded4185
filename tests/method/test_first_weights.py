"""First weights: the laws, and that every layer has a generator of its own."""

import math

import pytest
import torch
from torch import nn

from method.choices import ORIGINAL_ATTACHMENT, HeadInit, Law
from method.first_weights import draw_weights
from method.ssd import SSD, SSDConfig


def drawn(seed, law=Law.XAVIER, **config):
    """Every weight of a small SSD, drawn anew."""
    detector = SSD(SSDConfig(3, input_size=64, width=0.25, **config))
    draw_weights(detector, seed, law)
    return detector.state_dict()


def drawn_convolutions(weights):
    return {name: value for name, value in weights.items() if value.dim() == 4}


@pytest.mark.parametrize("law", list(Law))
def test_two_detectors_start_alike_where_name_and_shape_are_the_same(law):
    torch.manual_seed(1)
    custom = drawn(0, law)
    torch.manual_seed(2)
    original = drawn(0, law, attach=ORIGINAL_ATTACHMENT)
    weights = {n for n in custom if n in original and custom[n].shape == original[n].shape}
    shared = [n for n in weights if n.replace(".bias", ".weight") in weights]
    encoder = [name for name in custom if name.startswith("encoder.")]
    assert set(encoder) < set(shared)
    assert len([name for name in shared if name.startswith("extras.")]) > 3
    assert [name for name in shared if not torch.equal(custom[name], original[name])] == []


def test_another_seed_gives_other_weights_and_so_does_another_name():
    first, second = (drawn_convolutions(drawn(seed)) for seed in (0, 1))
    assert [name for name, weight in first.items() if torch.equal(weight, second[name])] == []
    twins = [first[f"encoder.{block}.conv.0.0.weight"] for block in (5, 6)]
    assert twins[0].shape == twins[1].shape
    assert not torch.equal(*twins)


# Of a 3×3 convolution from 64 to 256 channels: 576 incoming and 2304 outgoing connections.
@pytest.mark.parametrize(
    ("law", "deviation", "bound"),
    [
        (Law.HE, math.sqrt(2 / 2304), math.inf),
        (Law.XAVIER, math.sqrt(6 / 2880) / math.sqrt(3), math.sqrt(6 / 2880)),
        (Law.PYTORCH, 1 / 24 / math.sqrt(3), 1 / 24),
        (Law.SMALL, 0.01, math.inf),
    ],
)
def test_each_law_has_its_spread_and_its_bound(law, deviation, bound):
    layer = nn.Conv2d(64, 256, 3)
    draw_weights(layer, 0, law)
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert layer.weight.abs().max() <= bound


def test_pytorch_s_law_is_what_a_new_layer_has():
    torch.manual_seed(0)
    fresh, own = nn.Conv2d(64, 256, 3), nn.Conv2d(64, 256, 3)
    draw_weights(own, 0, Law.PYTORCH)
    for mine, theirs in zip(own.parameters(), fresh.parameters(), strict=True):
        assert mine.std().item() == pytest.approx(theirs.std().item(), rel=0.1)
        assert mine.abs().max().item() == pytest.approx(theirs.abs().max().item(), rel=0.05)


@pytest.mark.parametrize("law", [law for law in Law if law is not Law.PYTORCH])
def test_other_laws_leave_biases_at_0_and_all_set_batch_norms_back(law):
    layer = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    for value in layer.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 2)
    draw_weights(layer, 0, law)
    state = layer.state_dict()
    for name in ("0.bias", "1.bias", "1.running_mean"):
        assert not state[name].any()
    for name in ("1.weight", "1.running_var"):
        assert (state[name] == 1).all()


def test_small_is_of_the_heads_alone_and_xavier_of_both():
    assert (HeadInit.SMALL.of_heads, HeadInit.SMALL.of_extras) == (Law.SMALL, Law.PYTORCH)
    assert (HeadInit.RELEASED.of_heads, HeadInit.RELEASED.of_extras) == (Law.PYTORCH, Law.PYTORCH)
    assert (HeadInit.XAVIER.of_heads, HeadInit.XAVIER.of_extras) == (Law.XAVIER, Law.XAVIER)
