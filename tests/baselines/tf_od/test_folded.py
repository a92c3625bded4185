"""ImageNet weights reach TensorFlow's encoder, and compute there what they compute in PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v2

from baselines.tf_od.detector import TensorFlowDetector
from baselines.tf_od.environment import PYTHON
from baselines.tf_od.folded import padded_encoder
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, Precision, RunSpec

SIZE = 64
IMAGES = torch.randint(
    0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


@pytest.fixture(scope="module")
def layers():
    """Random weights and biases for every convolution."""
    found = {}
    network = mobilenet_v2().features
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 52
    for number, layer in enumerate(convolutions):
        bias = np.random.default_rng(number).standard_normal(layer.out_channels) / 10
        found[f"{number:02d}.conv.weight"] = layer.weight.detach().numpy()
        found[f"{number:02d}.conv.bias"] = bias.astype(np.float32)
    return found


def without_norms(network, layers):
    """The network of the folded layers alone: convolutions, biases and activations."""
    number = 0
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = torch.from_numpy(layers[f"{number:02d}.conv.weight"])
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.eps = 0
            module.bias.data = torch.from_numpy(layers[f"{number:02d}.conv.bias"])
            number += 1
    return network


@pytest.mark.parametrize(("side", "padded"), [(8, (0, 1)), (7, (1, 1))])
def test_strides_of_two_are_padded_as_tensorflow_pads(side, padded):
    """By its rule for `SAME`: ceil(side / 2) outputs, the odd pixel of padding behind."""
    first = padded_encoder().get_submodule("0.0")
    assert isinstance(first, nn.Conv2d)
    nn.init.zeros_(first.weight)
    first.weight.data[0, 0, 1, 1] = 1  # passes on the pixel in the middle of the kernel
    image = torch.arange(float(side**2)).reshape(1, 1, side, side).repeat(1, 3, 1, 1)
    found = first(image)[0, 0]
    assert found.shape == (-(-side // 2),) * 2
    start = 1 - padded[0]
    assert torch.equal(found, image[0, 0, start::2, start::2])


@pytest.mark.skipif(not PYTHON.exists(), reason="no TensorFlow here: make setup-tf")
@pytest.mark.slow
def test_features_are_equal_on_one_image(layers, tmp_path):
    path = tmp_path / "folded.npz"
    np.savez(path, **layers)
    spec = RunSpec(
        input_size=SIZE,
        detector=DetectorName.SSD_MOBILENET_V2_TF,
        precision=Precision.FP32,
        init=str(path),
    )
    detector = build_detector(spec, 3, IMAGES)
    assert isinstance(detector, TensorFlowDetector)
    middle, last, *_ = detector.feature_maps(IMAGES[:1])

    encoder = without_norms(padded_encoder().eval(), layers)
    seen = []
    # The API's first head is on the expansion of block 14 (its block 13), of stride 16.
    encoder.get_submodule("14.conv.0").register_forward_hook(lambda *given: seen.append(given[2]))
    with torch.no_grad():
        expected_last = encoder(IMAGES[:1] / 127.5 - 1)
    for found, expected in ((middle, seen[0]), (last, expected_last)):
        assert found.shape == expected.shape
        assert expected.std() > 0.05
        assert (found - expected).abs().max() < 1e-4
