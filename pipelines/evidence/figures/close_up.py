"""A close-up of some objects of one image, as LapNet's Figures 3 and 5 show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from pipelines.data.prepared import PreparedSplit

MARGIN = 0.35
"""Ground around the objects on each side, as a share of their extent."""


@dataclass(frozen=True)
class View:
    """A square part of an image, input pixels."""

    left: float
    top: float
    side: float

    @classmethod
    def around(cls, boxes: NDArray[np.float32], image_side: int) -> View:
        """The square about N×4 `xyxy` boxes with some ground around them, inside the image."""
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        side = min(float((high - low).max()) * (1 + 2 * MARGIN), float(image_side))
        left, top = np.clip((low + high - side) / 2, 0, image_side - side)
        return cls(float(left), float(top), side)

    def holds(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of P×2 points lie inside."""
        return ((points >= (self.left, self.top)) & (points <= self.end)).all(axis=1)

    @property
    def end(self) -> tuple[float, float]:
        """The corner at the lower right."""
        return self.left + self.side, self.top + self.side

    def frame(self, axes: Axes) -> None:
        """Show this part alone, in its proportions, y downward."""
        axes.set(xlim=(self.left, self.end[0]), ylim=(self.end[1], self.top), aspect="equal")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)


def shared_areas(split: PreparedSplit, index: int) -> NDArray[np.float32]:
    """N×N square pixels that objects of one class in an image have in common, two by two.

    0 between classes and of an object with itself.
    """
    boxes, labels = split.boxes(index), split.labels(index)
    low = np.maximum(boxes[:, None, :2], boxes[:, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    rivals = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    return np.where(rivals, np.maximum(high - low, 0).prod(axis=2), 0)


def show_image(axes: Axes, pixels: NDArray[np.uint8]) -> None:
    """S×S×3 pixels, in input pixels."""
    side = len(pixels)
    axes.imshow(pixels, extent=(0, side, side, 0))


def outline(axes: Axes, box: NDArray[np.float32], colour: str) -> None:
    """A box, `xyxy`, with a dark rim, seen on light and on dark ground."""
    axes.add_patch(
        Rectangle(
            (float(box[0]), float(box[1])),
            float(box[2] - box[0]),
            float(box[3] - box[1]),
            fill=False,
            edgecolor=colour,
            linewidth=1.8,
            path_effects=[withStroke(linewidth=3, foreground="black")],
        )
    )
