"""The encoder's cut and its three sources of weights."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from method.mobilenet import (
    LAST_BLOCK,
    encoder_blocks,
    load_folded,
    load_torchvision,
    out_channels,
)

# MobileNet v2 up to block 3 (Sandler et al. 2018, Table 2), layer by layer: input and output
# channels, side of the kernel, stride, and whether a ReLU6 follows. As many input channels as
# groups where the kernel is 3×3, but for the first layer.
LAYERS = [
    (3, 32, 3, 2, True),
    (32, 32, 3, 1, True),  # block 1
    (32, 16, 1, 1, False),
    (16, 96, 1, 1, True),  # block 2
    (96, 96, 3, 2, True),
    (96, 24, 1, 1, False),
    (24, 144, 1, 1, True),  # block 3, around which its input is added
    (144, 144, 3, 1, True),
    (144, 24, 1, 1, False),
]


def folded_layers():
    """Random weights and biases of `LAYERS`, named as in a file of folded weights."""
    generator = np.random.default_rng(0)
    layers = {}
    for number, (wide_in, wide_out, side, _, _) in enumerate(LAYERS):
        inputs = 1 if number and side == 3 else wide_in
        scale = math.sqrt(2 / (inputs * side**2))
        weight = scale * generator.standard_normal((wide_out, inputs, side, side))
        layers[f"{number:02d}.conv.weight"] = weight.astype(np.float32)
        layers[f"{number:02d}.conv.bias"] = generator.standard_normal(wide_out, dtype=np.float32)
    return layers


def plain_forward(layers, images):
    x = images
    for number, (_, _, side, stride, activated) in enumerate(LAYERS):
        if number == 6:
            before_block_3 = x
        x = F.conv2d(
            x,
            torch.from_numpy(layers[f"{number:02d}.conv.weight"]),
            torch.from_numpy(layers[f"{number:02d}.conv.bias"]),
            stride,
            padding=side // 2,
            groups=x.shape[1] if number and side == 3 else 1,
        )
        x = F.relu6(x) if activated else x
    return x + before_block_3


def random_images(seed):
    return torch.randn(4, 3, 48, 48, generator=torch.Generator().manual_seed(seed))


def scrambled(encoder):
    """Batch norms unlike fresh ones, so that loading has to set all of them."""
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in layer.state_dict().values():
                if tensor.is_floating_point():
                    tensor.uniform_(0.5, 2)
    return encoder


@pytest.mark.parametrize("training", [True, False])
def test_folded_weights_compute_what_they_compute_without_batch_norm(training):
    layers, images = folded_layers(), random_images(1)
    encoder = scrambled(encoder_blocks(3)).train(training)
    load_folded(encoder, layers, images)
    assert encoder.training is training
    encoder.eval()
    for batch in (images, random_images(2)):
        expected = plain_forward(layers, batch)
        torch.testing.assert_close(encoder(batch), expected, rtol=1e-4, atol=1e-4)
    # In training the norms take the statistics of the batch: here, those that they were set to.
    expected = plain_forward(layers, images)
    torch.testing.assert_close(encoder.train()(images), expected, rtol=1e-4, atol=1e-4)


def test_a_forward_pass_after_loading_folded_weights_changes_nothing():
    encoder = encoder_blocks(3).eval()
    load_folded(encoder, folded_layers(), random_images(1))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with torch.no_grad():
        encoder(random_images(2))
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_folded_weights_of_a_longer_network_are_read_as_far_as_the_cut():
    layers, images = folded_layers(), random_images(1)
    encoder = encoder_blocks(2).eval()
    load_folded(encoder, layers, images)
    assert encoder(images).shape == (4, 24, 12, 12)
    shorter = {name: value for name, value in layers.items() if name < "06"}
    assert len(shorter) == 12
    load_folded(again := encoder_blocks(2).eval(), shorter, images)
    assert torch.equal(again(images), encoder(images))


@pytest.mark.parametrize(
    ("name", "message"),
    [("04.conv.weight", r"layer 04 needs \(96, 1, 3, 3\)"), ("08.conv.bias", "layer 08 needs")],
)
def test_folded_weights_without_a_layer_are_refused(name, message):
    layers = folded_layers()
    del layers[name]
    with pytest.raises(ValueError, match=message):
        load_folded(encoder_blocks(3), layers, random_images(1))


def test_folded_weights_of_another_shape_are_refused():
    layers = folded_layers()
    layers["03.conv.weight"] = layers["03.conv.weight"][:, :8]
    with pytest.raises(ValueError, match=r"layer 03 needs \(96, 16, 1, 1\).*\(96, 8, 1, 1\)"):
        load_folded(encoder_blocks(3), layers, random_images(1))
    with pytest.raises(ValueError, match="layer 00 needs"):
        load_folded(encoder_blocks(3, width=0.5), folded_layers(), random_images(1))


def test_torchvision_s_weights_compute_what_torchvision_s_network_computes(monkeypatch):
    network = mobilenet_v2()
    scrambled(network).eval()
    monkeypatch.setattr(
        MobileNet_V2_Weights, "get_state_dict", lambda self, **options: network.state_dict()
    )
    encoder = encoder_blocks(4).eval()
    load_torchvision(encoder)
    with torch.no_grad():
        assert torch.equal(encoder(random_images(1)), network.features[:5](random_images(1)))


def test_torchvision_s_weights_are_of_width_1_alone():
    with pytest.raises(ValueError, match="width must be 1 for torchvision's weights"):
        load_torchvision(encoder_blocks(4, width=0.5))


# Published widths of MobileNet v2's blocks 0 to 17.
WIDTHS = [32, 16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320]


def test_blocks_have_the_published_widths():
    assert [out_channels(block) for block in encoder_blocks(LAST_BLOCK)] == WIDTHS
    assert [out_channels(block) for block in encoder_blocks(5, 0.5)] == [16, 8, 16, 16, 16, 16]


@pytest.mark.parametrize("last", [0, 18])
def test_there_are_blocks_1_to_17(last):
    with pytest.raises(ValueError, match="blocks 1 to 17"):
        encoder_blocks(last)
