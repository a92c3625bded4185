"""The encoder: torchvision's MobileNet v2 cut after a block, and where its weights come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from method.depthwise import replace_strided_depthwise

LAST_BLOCK = 17
"""Table 1 of the scale-aware SSD numbers the blocks 1…16 and calls the 17th "output"."""
_FIRST_CHANNELS = 32
"""Of the initial convolution of width 1 (MobileNet v2, Table 2)."""


def encoder_blocks(last: int, width: float = 1.0) -> nn.Sequential:
    """Initial convolution and blocks 1…`last`; item i of the chain is the paper's block-i.

    Args:
        last: last block kept, 1…17.
        width: multiplier of every layer's channels.
    """
    if not 1 <= last <= LAST_BLOCK:
        raise ValueError(f"MobileNet v2 has blocks 1 to {LAST_BLOCK}, not {last}")
    blocks: nn.Sequential = mobilenet_v2(width_mult=width).features[: last + 1]
    replace_strided_depthwise(blocks)
    for module in blocks.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = False  # its gradient needs its input, which is copied otherwise
    return blocks


def out_channels(block: nn.Module) -> int:
    """Channels of the last convolution inside `block`."""
    return [m.out_channels for m in block.modules() if isinstance(m, nn.Conv2d)][-1]


def load_torchvision(encoder: nn.Sequential) -> None:
    """ImageNet weights as torchvision publishes them, downloaded on first use.

    The first version of them, which is all that the authors' torchvision 0.9.1 has.

    Raises:
        ValueError: the encoder is not of width 1; torchvision has no other.
    """
    if out_channels(encoder[0]) != _FIRST_CHANNELS:
        raise ValueError("width must be 1 for torchvision's weights: it publishes no others")
    weights = MobileNet_V2_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
    own = encoder.state_dict()
    encoder.load_state_dict({name: weights[f"features.{name}"] for name in own})


def load_folded(
    encoder: nn.Sequential, layers: Mapping[str, NDArray[np.float32]], images: Tensor
) -> None:
    """Weights with the batch norms folded in, given back batch norms that do nothing yet.

    Each batch norm is set, layer by layer, to the statistics that `images` produce at its input,
    with a scale and shift that undo its normalisation and add the folded bias: the encoder computes
    what the folded one does, and trains like any other.

    Args:
        encoder: `encoder_blocks` of width 1.
        layers: `NN.….weight` and `NN.….bias` in network order, weights O×I×H×W.
        images: B×3×S×S, normalised as the weights expect.

    Raises:
        ValueError: a layer is missing or has another shape.
    """
    by_number = {name.split(".")[0] + name[name.rindex(".") :]: v for name, v in layers.items()}
    modules = list(encoder.modules())
    norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
    folded = [
        _folded_layer(by_number, number, convolution.weight.shape)
        for number, convolution in enumerate(convolutions)
    ]
    hooks = []
    for convolution, norm, (weight, bias) in zip(convolutions, norms, folded, strict=True):
        convolution.weight.data.copy_(weight)
        hooks.append(norm.register_forward_pre_hook(_undo_normalisation(bias)))
    training = encoder.training
    encoder.eval()
    with torch.no_grad():
        encoder(images)
    encoder.train(training)
    for hook in hooks:
        hook.remove()


def _folded_layer(
    layers: Mapping[str, NDArray[np.float32]], number: int, shape: torch.Size
) -> tuple[Tensor, Tensor]:
    weight, bias = layers.get(f"{number:02d}.weight"), layers.get(f"{number:02d}.bias")
    if weight is None or bias is None:
        raise ValueError(f"layer {number:02d} needs {tuple(shape)}: found nothing")
    if weight.shape != shape or bias.shape != shape[:1]:
        found = f"found a weight of {weight.shape} and a bias of {bias.shape}"
        raise ValueError(f"layer {number:02d} needs {tuple(shape)}: {found}")
    return torch.from_numpy(weight), torch.from_numpy(bias)


def _undo_normalisation(bias: Tensor) -> Callable[[nn.BatchNorm2d, tuple[Tensor]], None]:
    def hook(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        variance, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3), correction=0)
        norm.running_mean = mean
        norm.running_var = variance
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(bias + mean)

    return hook
