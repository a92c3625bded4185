"""Where the heads attach and what they see, read off the built network (scale-aware SSD, §3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from method.choices import ORIGINAL_ATTACHMENT
from method.mobilenet import LAST_BLOCK
from method.scale import A_SCORE_RANGE, REFERENCE_SIZE, a_scores
from method.ssd import SSD, SSDConfig
from pipelines.evidence.figures.style import BLUE, GREY, PALE, new_figure

_COLUMNS = LAST_BLOCK + 3
"""Layers of the longest chain: first convolution, all blocks, two extra layers."""
_CARD_WIDTH = 4.9
"""Columns that the text about one head takes."""
_CARD_FLOOR = 1.6
"""Height at which those texts begin; a feature map as large as the input has height 1."""


@dataclass(frozen=True)
class Head:
    """What a pair of heads sees, in pixels of the network's own input."""

    stride: int
    field: int
    """Side of the receptive field."""
    anchor: float
    """Side of the square anchor."""
    a_score: float


@dataclass(frozen=True)
class Layer:
    """One feature map of the chain."""

    name: str
    side: int
    channels: int
    head: Head | None


def network_layers(network: SSD) -> list[Layer]:
    """Every block of the encoder and every extra layer, as one image passes through them."""
    config = network.config
    anchors = [side * config.input_size / REFERENCE_SIZE for side in config.anchors]
    scores = a_scores([field.size for field in network.fields], anchors)
    heads = iter(
        Head(field.stride, field.size, anchor, score)
        for field, anchor, score in zip(network.fields, anchors, scores, strict=True)
    )
    blocks = [
        (str(i) if i else "conv", block, i in config.attach)
        for i, block in enumerate(network.encoder)
    ]
    extras = [("extra", extra, True) for extra in network.extras]
    x = torch.zeros(1, 3, config.input_size, config.input_size)
    layers = []
    network.eval()
    with torch.no_grad():
        for name, module, attached in (*blocks, *extras):
            x = module(x)
            layers.append(Layer(name, x.shape[-1], x.shape[1], next(heads) if attached else None))
    return layers


def draw(config: SSDConfig) -> Figure:
    """The configured detector above, the same with the original attachment below.

    Args:
        config: the scale-aware detector, at the input size and width to draw.
    """
    figure = new_figure(5.9)
    size = config.input_size
    for axes, title, attach in zip(
        figure.subplots(2, 1),
        ("Scale-aware SSD", "Original SSD MobileNet v2"),
        (config.attach, ORIGINAL_ATTACHMENT),
        strict=True,
    ):
        layers = network_layers(SSD(replace(config, attach=attach)))
        _draw_chain(axes, layers, size)
        mean = np.mean([layer.head.a_score for layer in layers if layer.head])
        axes.set_title(
            f"{title}, {size}×{size} input: mean A-score {mean:.1f} "
            f"(the paper wants {A_SCORE_RANGE[0]}–{A_SCORE_RANGE[1]})"
        )
    return figure


def _draw_chain(axes: Axes, layers: Sequence[Layer], input_size: int) -> None:
    axes.set_xlim(-2.4, _COLUMNS - 0.4)
    axes.set_ylim(-0.6, _CARD_FLOOR + 0.85)
    axes.axis("off")
    for y, text in ((0.1, "side"), (-0.14, "block"), (-0.42, "channels")):
        axes.text(-0.7, y, text, ha="right", va="center", color=GREY)
    tapped = [x for x, layer in enumerate(layers) if layer.head]
    places = iter(_card_places(tapped))
    for x, layer in enumerate(layers):
        height = (math.log2(layer.side) + 1) / (math.log2(input_size) + 1)
        axes.bar(x, height, width=0.84, color=BLUE if layer.head else PALE)
        ink = "white" if layer.head else "black"
        axes.text(x, 0.1, str(layer.side), ha="center", va="center", color=ink)
        axes.text(x, -0.14, layer.name, ha="center", va="center")
        axes.text(x, -0.42, str(layer.channels), ha="center", va="center", fontsize=8)
        if layer.head:
            _draw_head(axes, layer.head, x, height, next(places))


def _card_places(tapped: Sequence[int]) -> list[float]:
    """Centres of the cards: side by side, above the middle of what they describe."""
    offsets = (np.arange(len(tapped)) - (len(tapped) - 1) / 2) * _CARD_WIDTH
    reach = offsets[-1] + _CARD_WIDTH / 2
    middle = np.clip(np.mean(tapped), reach - 0.5, _COLUMNS - 0.5 - reach)
    return [float(middle + offset) for offset in offsets]


def _draw_head(axes: Axes, head: Head, x: float, height: float, centre: float) -> None:
    axes.plot([x, x, centre], [height, 1.04, _CARD_FLOOR], color=BLUE, lw=1.2)
    axes.text(
        centre,
        _CARD_FLOOR,
        f"stride {head.stride}, anchor {head.anchor:g} px\n"
        f"receptive field {head.field} px\nA-score {head.a_score:.1f}",
        ha="center",
        va="bottom",
        linespacing=1.3,
        bbox={"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": BLUE},
    )
