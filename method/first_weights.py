"""The laws by which first weights are drawn, each layer from a generator of its own."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import nn

from method.choices import Law

SMALL = 0.01
"""Standard deviation of small weights (RetinaNet, §4.1)."""


def draw_weights(module: nn.Module, seed: int, law: Law) -> None:
    """Draw all weights anew, each layer's from a generator that its name and the seed determine.

    Layers of the same name and shape therefore start alike in any two detectors with one seed,
    which makes the runs of a table paired.

    Args:
        module: whose convolutions are drawn; its batch norms are set back.
        seed: any integer.
        law: of the convolutions.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d):
            digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=7).digest()
            _draw(layer, law, torch.Generator().manual_seed(int.from_bytes(digest)))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()


def _draw(layer: nn.Conv2d, law: Law, generator: torch.Generator) -> None:
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    if law is Law.XAVIER:
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    elif law is Law.HE:
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", generator=generator)
    elif law is Law.SMALL:
        nn.init.normal_(layer.weight, std=SMALL, generator=generator)
    else:
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        if layer.bias is not None:
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
