"""ImageNet weights with folded batch norms for the API's encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from baselines.tf_od.config import EPSILON
from method.mobilenet import load_folded


def folded_encoder(
    layers: Mapping[str, NDArray[np.float32]], images: Tensor, names: Sequence[str]
) -> dict[str, Tensor]:
    """The encoder's variables, which compute what the folded weights do in TensorFlow's padding.

    Args:
        layers: as of `load_folded`, of all 52 layers.
        images: B×3×S×S `uint8`, whose statistics the batch norms get.
        names: of the network's variables, in its order.

    Raises:
        ValueError: a layer is missing or has another shape.
    """
    encoder = padded_encoder()
    load_folded(encoder, layers, images / 127.5 - 1)
    own = [name for name in names if not name.startswith("BoxPredictor/") and "Maps/" not in name]
    found = {}
    kernels = [name for name in own if name.endswith("kernel:0")]
    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    for name, convolution in zip(kernels, convolutions, strict=True):
        depthwise = convolution.groups > 1
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        found[name] = convolution.weight.detach().permute(order)
    scales = [name for name in own if name.endswith("/gamma:0")]
    norms = [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    for name, norm in zip(scales, norms, strict=True):
        layer = name.removesuffix("gamma:0")
        found[name], found[f"{layer}beta:0"] = norm.weight.detach(), norm.bias.detach()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        found[f"{layer}moving_mean:0"] = norm.running_mean
        found[f"{layer}moving_variance:0"] = norm.running_var
    return found


def padded_encoder() -> nn.Sequential:
    """All 52 layers of MobileNet v2, padded at strides of 2 as TensorFlow pads, with its epsilon.

    TensorFlow pads an image of even side at its right and lower edge alone.
    """
    encoder: nn.Sequential = mobilenet_v2().features
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = EPSILON
        elif isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
            layer.padding = (0, 0)
            layer.register_forward_pre_hook(_pad)
    return encoder


def _pad(_: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    height, width = (side % 2 for side in inputs[0].shape[2:])
    return F.pad(inputs[0], (width, 1, height, 1))
