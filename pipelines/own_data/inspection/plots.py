"""The page's plots. No name from the data set is in them: their legends are the page's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from pipelines.evidence.figures.style import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    SKY,
    VERMILLION,
    scale_logarithmically,
    styled,
)
from pipelines.evidence.report.embed import figure_uri
from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.wording import percent, shown

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PINK, SKY)
"""Of the splits, and of the most frequent classes."""
BINS = 30
CELLS = 32
"""Of the map of centres, a side."""
_PANEL = (4.6, 2.9)
"""Inches: nine-point text can be read where a phone shows it 360 pixels wide."""


@dataclass(frozen=True)
class Plot:
    """A picture, its legend, and the same in words for whoever does not see it."""

    title: str
    picture: str
    """Data URI."""
    legend: Mapping[str, str]
    """Label to colour."""
    words: str


def draw_plots(splits: Mapping[str, Objects]) -> list[Plot]:
    """Sizes, objects an image, aspect ratios and centres; nothing without objects in train."""
    if not len(splits["train"]):
        return []
    return [_sizes(splits), _objects_an_image(splits), _aspect_ratios(splits), _centres(splits)]


def _sizes(splits: Mapping[str, Objects]) -> Plot:
    """Relative sizes in train, of as many classes as there are colours."""
    train = splits["train"]
    frequent = np.argsort(-train.class_counts, kind="stable")[: len(COLOURS)]
    groups = {
        shown(train.class_names[k]): train.sizes[train.label == k]
        for k in frequent
        if train.class_counts[k]
    }
    edges = np.geomspace(train.sizes.min(), 1.001 * train.sizes.max(), BINS + 1)
    medians = [f"{name} {np.median(sizes):.1f} %" for name, sizes in groups.items()]

    def draw(axes: Axes) -> None:
        _outline([*groups.values()], edges, axes)
        scale_logarithmically(axes)
        axes.set(xlabel="relative size, %", ylabel="of the class, %")

    return _plot(
        "Relative sizes in train, by class", draw, [*groups], f"Medians: {', '.join(medians)}"
    )


def _objects_an_image(splits: Mapping[str, Objects]) -> Plot:
    groups = {name: own.counts_by_image for name, own in splits.items()}
    most = max(int(counts.max()) for counts in groups.values())
    edges = np.arange(0, most + 2, max(1, round(most / BINS))) - 0.5
    medians = [f"{name} {np.median(counts):.0f}" for name, counts in groups.items()]

    def draw(axes: Axes) -> None:
        _outline([*groups.values()], np.append(edges, edges[-1] + edges[1] - edges[0]), axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="objects in an image", ylabel="of the images, %")

    return _plot("Objects an image, by split", draw, [*groups], f"Medians: {', '.join(medians)}")


def _aspect_ratios(splits: Mapping[str, Objects]) -> Plot:
    groups = {name: np.divide(*own.boxes[:, 2:].T) for name, own in splits.items() if len(own)}
    limit = max(2.0, *(np.maximum(ratios, 1 / ratios).max() for ratios in groups.values())) * 1.001
    edges = np.geomspace(1 / limit, limit, BINS + 1)
    wide = [f"{name} {percent(float((ratios > 1).mean()))}" for name, ratios in groups.items()]

    def draw(axes: Axes) -> None:
        _outline([*groups.values()], edges, axes)
        scale_logarithmically(axes)
        axes.set(xlabel="width over height", ylabel="of the boxes, %")

    return _plot("Aspect ratios, by split", draw, [*groups], f"Wider than tall: {', '.join(wide)}")


def _centres(splits: Mapping[str, Objects]) -> Plot:
    """Where in their images the centres of all objects lie, as a map in relative coordinates."""
    centres = np.concatenate(
        [
            (own.boxes[:, :2] + own.boxes[:, 2:] / 2) / own.sides[own.image]
            for own in splits.values()
        ]
    )
    x, y = centres.T
    cells, _, _ = np.histogram2d(y, x, bins=CELLS, range=((0, 1), (0, 1)))

    def draw(axes: Axes) -> None:
        drawn = axes.imshow(cells, extent=(0, 1, 1, 0), cmap="cividis", interpolation="nearest")
        axes.figure.colorbar(drawn, ax=axes, label="objects")
        axes.set(xlabel="from left to right", ylabel="from top to bottom")

    words = f"Mean centre at {x.mean():.2f} of the width and {y.mean():.2f} of the height"
    return _plot("Centres of the objects, all splits", draw, [], words)


def _outline(groups: Sequence[NDArray[Any]], edges: NDArray[np.float64], axes: Axes) -> None:
    """A histogram of each group as a line, in percent of the group."""
    for values, colour in zip(groups, COLOURS, strict=False):
        counts, _ = np.histogram(values, edges)
        axes.stairs(100 * counts / len(values), edges, color=colour, linewidth=1.4)
    axes.grid(alpha=0.3)
    axes.set_ylim(bottom=0)


def _plot(title: str, draw: Callable[[Axes], None], labels: Sequence[str], words: str) -> Plot:
    with styled():
        figure = Figure(figsize=_PANEL, layout="constrained")
        draw(figure.subplots())
        return Plot(title, figure_uri(figure), dict(zip(labels, COLOURS, strict=False)), words)
