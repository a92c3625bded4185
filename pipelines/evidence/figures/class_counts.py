"""Boxes of each class beside the paper's, and the weights they give (scale-aware SSD, §5.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.evidence.figures.style import SKY, VERMILLION, new_figure
from pipelines.evidence.paper_tables import PaperFigure


def balance_weights(boxes: Mapping[str, int]) -> dict[str, float]:
    """Class weights that a data set asks for: its largest class over each class that has a box."""
    largest = max(boxes.values())
    return {name: largest / count for name, count in boxes.items() if count}


def boxes_by_class(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Boxes of each class in all splits together.

    Args:
        manifest: that of a prepared data set.
    """
    boxes: Counter[str] = Counter()
    for split in manifest["splits"].values():
        boxes.update(split["boxes_per_class"])
    return dict(boxes)


def draw(boxes: Mapping[str, int], dataset: str, paper: PaperFigure) -> Figure:
    """Both data sets side by side, as shares of their boxes.

    Args:
        boxes: boxes by class of the data set, all its splits together.
        dataset: its name.
        paper: what the paper's figure shows.
    """
    figure = new_figure(3.5)
    own, theirs = figure.subplots(
        1, 2, sharey=True, width_ratios=(max(len(boxes), 3), len(paper.boxes))
    )
    _bars(own, boxes, dataset, SKY)
    _bars(theirs, paper.boxes, f"{paper.data}, as published", VERMILLION)
    own.set_ylabel("share of boxes, %")
    own.margins(y=0.2)
    figure.supxlabel(
        "All splits together. Weight: boxes of the largest class over the class's own, from which "
        f"the paper takes {paper.weights}",
        fontsize=8,
    )
    return figure


def _bars(axes: Axes, boxes: Mapping[str, int], name: str, colour: str) -> None:
    total = sum(boxes.values())
    weights = balance_weights(boxes)
    bars = axes.bar(
        list(boxes), [100 * count / total for count in boxes.values()], 0.7, color=colour
    )
    labels = [
        f"{count}\nweight {weights[label]:.1f}" if count else "0" for label, count in boxes.items()
    ]
    axes.bar_label(bars, labels, padding=2)
    axes.set_title(f"{name}: {total} boxes")
    if len(boxes) > 4:
        axes.tick_params("x", rotation=45)
