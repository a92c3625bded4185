"""Sizes of the objects beside the paper's, and where the anchors stand (scale-aware SSD, §3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from method.scale import REFERENCE_SIZE, relative_sizes
from pipelines.data.records import CocoSplit
from pipelines.evidence.figures.style import GREY, SKY, VERMILLION, new_figure
from pipelines.evidence.paper_tables import PaperFigure
from pipelines.system.errors import UserError

PIXELS_A_PERCENT = REFERENCE_SIZE / 100
"""Side, in pixels at 512×512, of the square that has a relative size of 1 %."""
SIZE, BOXES = "relative size from, %", "boxes"
"""Columns of the file of sizes."""


def size_counts(split: CocoSplit) -> NDArray[np.int64]:
    """Boxes by relative size: item k counts those from k to below k + 1 percent.

    Raises:
        UserError: the split has no box.
    """
    sizes = {image.id: (image.width, image.height) for image in split.images}
    objects = [a for a in split.annotations if not a.iscrowd]
    if not objects:
        raise UserError("the training split has no box; give a data set with boxes")
    boxes = [(x, y, x + width, y + height) for x, y, width, height in (a.bbox for a in objects)]
    relative = relative_sizes(
        torch.tensor(boxes, dtype=torch.float64),
        torch.tensor([sizes[a.image_id] for a in objects]),
    )
    return np.bincount(relative.long().numpy())


def write_counts(path: Path, counts: NDArray[np.int64]) -> None:
    """Write `size_counts`, one line a percent."""
    pd.Series(counts, name=BOXES).to_csv(path, index_label=SIZE)


def read_counts(path: Path) -> NDArray[np.int64]:
    """What `write_counts` wrote.

    Raises:
        UserError: the file is missing, or holds no counts.
    """
    try:
        table = pd.read_csv(path)
        counts: NDArray[np.int64] = table[BOXES].to_numpy(np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path.name}: cannot be read: {error!r}; draw the figures again") from None
    return counts


def published_counts(published: PaperFigure) -> NDArray[np.int64]:
    """The same of the paper's data set, all classes together."""
    counts = np.zeros(max(published.bins) + 1, np.int64)
    for percent, by_class in published.bins.items():
        counts[percent] = sum(by_class)
    return counts


def shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each count in percent of all."""
    return 100 * counts / counts.sum()


def draw(
    counts: NDArray[np.int64], dataset: str, paper: PaperFigure, anchors: Sequence[float]
) -> Figure:
    """Both histograms over one axis.

    Args:
        counts: `size_counts` of the data set's training split.
        dataset: its name.
        paper: what the paper's figure shows.
        anchors: sides of the detector's anchors, pixels at 512×512.
    """
    low, high = paper.range
    published = published_counts(paper)
    figure = new_figure(4.2)
    axes = figure.subplots()
    axes.axvspan(low, high, color=GREY, alpha=0.14, lw=0, label=f"the paper's {low}–{high} %")
    axes.bar(
        np.arange(len(counts)) + 0.5,
        shares(counts),
        width=0.94,
        color=SKY,
        label=_describe(f"{dataset}, train", counts, low, high),
    )
    axes.stairs(
        shares(published),
        color=VERMILLION,
        lw=1.8,
        label=_describe(f"{paper.data}, train, as published", published, low, high),
    )
    axes.set_xlim(0, max(len(counts), len(published)) + 0.5)
    axes.set_xlabel("relative size (box diagonal / image diagonal), %")
    axes.set_ylabel("share of boxes, %")
    pixels = axes.secondary_xaxis(
        "top",
        functions=(
            lambda percent: np.multiply(percent, PIXELS_A_PERCENT),
            lambda side: np.divide(side, PIXELS_A_PERCENT),
        ),
    )
    pixels.set_xlabel(f"side of the equal square at {REFERENCE_SIZE}×{REFERENCE_SIZE}, pixels")
    _mark_anchors(axes, anchors)
    figure.legend(loc="outside upper left")
    return figure


def _describe(name: str, counts: NDArray[np.int64], low: int, high: int) -> str:
    inside = shares(counts)[low:high].sum()
    return f"{name}: {counts.sum()} boxes, {inside:.0f} % of them in this range"


def _mark_anchors(axes: Axes, anchors: Sequence[float]) -> None:
    """A line an anchor, named above the bars."""
    bars = axes.get_ylim()[1]
    axes.set_ylim(0, bars * 1.18)
    for anchor in anchors:
        place = anchor / PIXELS_A_PERCENT
        axes.plot([place, place], [0, bars], color="black", lw=1, ls=(0, (4, 3)))
        axes.text(
            place, bars * 1.02, f"anchor\n{anchor:g} px", ha="center", va="bottom", fontsize=8
        )
