"""LapNet's network: encoder, skip decoder, one stride-8 map of all levels, two heads (§3.1)."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork

from method.lapnet.choices import Backbone
from method.mobilenet import encoder_blocks, load_torchvision, out_channels

STRIDE = 8
"""Input pixels from one cell of the output to the next."""
DEPTH = 4
"""3×3 convolutions of a level, and of a head before its last."""
PRIOR = 0.01
"""First score of every anchor (RetinaNet, §4.1); the paper does not name its own."""


class LapNetwork(nn.Module):
    """From images to the maps of all anchor grids.

    Args:
        backbone: which.
        grids: G, classes times anchors a class.
        width: multiplier of all channels, of MobileNet v2 alone.
        pretrained: begin from ImageNet weights, which timm or torchvision downloads.
    """

    def __init__(
        self, backbone: Backbone, grids: int, *, width: float = 1.0, pretrained: bool = False
    ) -> None:
        super().__init__()
        if backbone is Backbone.MOBILENET_V2:
            channels = int(48 * width)
            self.encoder, encoded = _mobilenet_v2(width, pretrained)
        else:
            channels = 256
            self.encoder, encoded = _from_timm(backbone, pretrained)
        if backbone is Backbone.DARKNET53:
            self.decoder: nn.Module = YoloDecoder(encoded)
            decoded: Sequence[int] = self.decoder.channels
        else:
            self.decoder = PyramidDecoder(encoded, channels)
            decoded = [channels] * len(encoded)
        self.levels = nn.ModuleList(_convolutions(inside, channels) for inside in decoded)
        joined = channels * len(decoded)
        self.scores = nn.Sequential(
            *_convolutions(joined, channels), nn.Conv2d(channels, grids, 3, padding=1)
        )
        self.offsets = nn.Sequential(
            *_convolutions(joined, channels), nn.Conv2d(channels, 4 * grids, 3, padding=1)
        )
        for head, bias in ((self.scores, _logit(PRIOR)), (self.offsets, 0.0)):
            last = head[-1]
            nn.init.normal_(last.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.constant_(last.bias, bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits B×G×H×W and offsets B×4G×H×W of B×3×S×S normalised images, H = W = S / 8."""
        joined = self.joined(images)
        return self.scores(joined), self.offsets(joined)

    def joined(self, images: Tensor) -> Tensor:
        """The map under both heads: all levels at the finest one's size, B×C×H×W."""
        cells = (images.shape[2] // STRIDE, images.shape[3] // STRIDE)
        decoded = self.decoder(self.encoder(images))
        maps = [level(features) for level, features in zip(self.levels, decoded, strict=True)]
        resized = [
            m
            if m.shape[2:] == cells
            else F.interpolate(m, cells, mode="bilinear", align_corners=False)
            for m in maps
        ]
        return torch.cat(resized, dim=1)


class MobileNetEncoder(nn.Module):
    """MobileNet v2's features of strides 8, 16 and 32."""

    TAPS = (6, 13, 17)

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.blocks = encoder_blocks(self.TAPS[-1], width)

    def forward(self, images: Tensor) -> list[Tensor]:
        found, features = [], images
        for number, block in enumerate(self.blocks):
            features = block(features)
            if number in self.TAPS:
                found.append(features)
        return found


class PyramidDecoder(nn.Module):
    """A feature pyramid network (Lin et al. 2017), coarse added to fine.

    Args:
        encoded: channels of the encoder's levels, finest first.
        channels: of every level that comes out.
    """

    def __init__(self, encoded: Sequence[int], channels: int) -> None:
        super().__init__()
        self.pyramid = FeaturePyramidNetwork(list(encoded), channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        named = OrderedDict((str(level), f) for level, f in enumerate(features))
        return list(self.pyramid(named).values())


class YoloDecoder(nn.Module):
    """YOLOv3's decoder: coarse features, narrowed and enlarged, are joined with finer ones.

    Args:
        encoded: channels of the encoder's three levels, finest first.
    """

    def __init__(self, encoded: Sequence[int]) -> None:
        super().__init__()
        self.channels = [width // 2 for width in encoded]
        self.sets = nn.ModuleList()
        self.narrow = nn.ModuleList()
        for level, width in enumerate(encoded):
            coarser = encoded[level + 1] // 4 if level + 1 < len(encoded) else 0
            self.sets.append(_yolo_set(width + coarser, width // 2))
            if level:
                self.narrow.append(_yolo_convolution(width // 2, width // 4, 1))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        decoded: list[Tensor] = []
        for level in reversed(range(len(features))):
            joined = features[level]
            if decoded:
                narrow = self.narrow[level](decoded[0])
                enlarged = F.interpolate(narrow, joined.shape[2:], mode="nearest")
                joined = torch.cat([enlarged, joined], dim=1)
            decoded.insert(0, self.sets[level](joined))
        return decoded


def _mobilenet_v2(width: float, pretrained: bool) -> tuple[nn.Module, list[int]]:
    encoder = MobileNetEncoder(width)
    if pretrained:
        load_torchvision(encoder.blocks)
    return encoder, [out_channels(encoder.blocks[tap]) for tap in encoder.TAPS]


def _from_timm(backbone: Backbone, pretrained: bool) -> tuple[nn.Module, list[int]]:
    """The features of strides 8, 16 and 32."""
    import timm  # a second to import, and absent where only torch and torchvision are installed

    name = backbone.replace("-", "_")
    make: Callable[..., Any] = partial(timm.create_model, name, features_only=True)
    strides = make().feature_info.reduction()
    levels = [level for level, stride in enumerate(strides) if stride in (8, 16, 32)]
    encoder = make(out_indices=levels, pretrained=pretrained)
    return encoder, encoder.feature_info.channels()


def _convolutions(inside: int, outside: int) -> nn.Sequential:
    widths = [inside, *[outside] * DEPTH]
    return nn.Sequential(*(Conv2dNormActivation(a, b, 3) for a, b in itertools.pairwise(widths)))


def _yolo_convolution(inside: int, outside: int, kernel: int) -> nn.Module:
    """With YOLOv3's leaky ReLU."""
    return Conv2dNormActivation(
        inside, outside, kernel, activation_layer=partial(nn.LeakyReLU, 0.1)
    )


def _yolo_set(inside: int, outside: int) -> nn.Sequential:
    """Five convolutions, 1×1 and 3×3 in turn."""
    widths = [inside, outside, 2 * outside, outside, 2 * outside, outside]
    return nn.Sequential(
        *(
            _yolo_convolution(a, b, 3 if number % 2 else 1)
            for number, (a, b) in enumerate(itertools.pairwise(widths))
        )
    )


def _logit(probability: float) -> float:
    return float(torch.logit(torch.tensor(probability)))
