"""Figure 1: how large the objects are, beside TomatOD's, and where the anchors stand (§3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from method.scale import REFERENCE_SIZE, relative_sizes
from pipelines.data.records import CocoSplit
from pipelines.errors import UserError
from pipelines.figures.style import GREY, ORANGE, new_figure

PIXELS_A_PERCENT = REFERENCE_SIZE / 100
"""Side, in pixels at 512×512, of the square that has a relative size of 1 %."""


def size_counts(split: CocoSplit) -> NDArray[np.int64]:
    """Boxes by relative size in percent: item k counts those from k to below k + 1.

    Raises:
        UserError: the split has no box.
    """
    images = {image.id: (image.width, image.height) for image in split.images}
    objects = [a for a in split.annotations if not a.iscrowd]
    if not objects:
        raise UserError("figure 1: the training split has no box; give a data set with boxes")
    xyxy = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in (a.bbox for a in objects)])
    sizes = relative_sizes(xyxy, torch.tensor([images[a.image_id] for a in objects]))
    return np.bincount(sizes.long().numpy())


def published_counts(figure1: Mapping[str, Any]) -> NDArray[np.int64]:
    """The same of TomatOD, all classes together, from `figure1` of papers.yaml."""
    counts = np.zeros(max(figure1["bins"]) + 1, np.int64)
    for percent, by_class in figure1["bins"].items():
        counts[percent] = sum(by_class)
    return counts


def shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts as percent of their sum."""
    return 100 * counts / counts.sum()


def draw(
    counts: NDArray[np.int64], dataset: str, figure1: Mapping[str, Any], anchors: Sequence[float]
) -> Figure:
    """Both histograms over one axis.

    Args:
        counts: `size_counts` of the data set's training split.
        dataset: its name.
        figure1: what papers.yaml holds of the paper's figure.
        anchors: sides of the detector's anchors, pixels at 512×512.
    """
    published = published_counts(figure1)
    low, high = figure1["range"]
    figure = new_figure(3.9)
    axes = figure.subplots()
    axes.axvspan(low, high, color=GREY, alpha=0.15, lw=0, label=f"the paper's {low}-{high} %")
    axes.bar(
        np.arange(len(counts)),
        shares(counts),
        width=1,
        align="edge",
        color=SKY_BARS,
        edgecolor="white",
        label=_describe(f"{dataset}, train", counts, low, high),
    )
    axes.stairs(
        shares(published),
        color=ORANGE,
        lw=2,
        label=_describe("TomatOD, train, as published", published, low, high),
    )
    axes.set_xlabel("relative size: box diagonal / image diagonal, %")
    axes.set_ylabel("share of boxes, %")
    _mark_anchors(axes, anchors)
    return figure
