"""How two close objects of a class share the anchors (LapNet, §3.2 and Figure 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from method.lapnet.detector import LapNet, LapNetConfig
from method.lapnet.network import STRIDE
from method.lapnet.overlap import normalised_overlap
from pipelines.data.prepared import PreparedSplit
from pipelines.evidence.figures.close_up import View, outline, shared_areas, show_image
from pipelines.evidence.figures.style import BLUE, GREY, ORANGE, VERMILLION, new_figure
from pipelines.system.errors import note

OBJECT_COLOURS = (BLUE, ORANGE)
NOBODY, ANOTHER = -1, 2
"""Owners of an anchor that belongs to neither of the two objects."""
_CLUSTER_COLOURS = ListedColormap(["white", *OBJECT_COLOURS, "#CCCCCC"])


@dataclass(frozen=True)
class Scene:
    """Two objects of one class in a test image, and the anchors of the shape that suits both."""

    pixels: NDArray[np.uint8]
    """S×S×3."""
    class_name: str
    boxes: NDArray[np.float32]
    """2×4, `xyxy`, input pixels."""
    shapes: NDArray[np.float32]
    """A×2 widths and heights of the class's anchors, pixels."""
    shape: int
    """The one for which owners and PONO are given."""
    owners: NDArray[np.int64]
    """H×W: 0 or 1 for the two objects, ANOTHER of the class, or NOBODY."""
    pono: NDArray[np.float32]
    """H×W in [0, 1], 0 outside the clusters of the two."""
    highest: tuple[float, float]
    """IoU of each object with the anchor where its PONO is 1."""


def find_scene(train: PreparedSplit, test: PreparedSplit) -> Scene | None:
    """The two overlapping objects of one class whose best anchors have one shape.

    Of all such pairs the one with most pixels in common: the larger the objects, the more anchors
    they contend for. None, with a note, if there is no such pair.

    Args:
        train: to whose objects the anchors are fitted.
        test: where the two are looked for.
    """
    detector = LapNet(LapNetConfig(len(train.class_names), train.input_size), seed=0)
    images = range(len(train.images))
    detector.fit_to_objects(
        [torch.from_numpy(train.boxes(i)) for i in images],
        [torch.from_numpy(train.labels(i)) for i in images],
    )
    scenes = (_scene(test, detector, index, pair) for index, pair in _overlapping_pairs(test))
    found = next((scene for scene in scenes if scene), None)
    if not found:
        note("overlaps are left out: no two overlapping test objects suit one anchor")
    return found


def _overlapping_pairs(split: PreparedSplit) -> Iterator[tuple[int, list[int]]]:
    """Image and two objects of one class that overlap, the most common pixels first."""
    pairs = []
    for index in range(len(split.images)):
        shared = np.triu(shared_areas(split, index))
        pairs += [(-shared[one, other], index, one, other) for one, other in np.argwhere(shared)]
    for _, index, one, other in sorted(pairs):
        yield index, [int(one), int(other)]


def _scene(split: PreparedSplit, detector: LapNet, index: int, pair: list[int]) -> Scene | None:
    """What is between the two objects; None if their best anchors differ in shape."""
    boxes, labels = torch.from_numpy(split.boxes(index)), torch.from_numpy(split.labels(index))
    overlap, mask = detector.assign(boxes, labels)
    cells = detector.cells
    of_shapes = (len(boxes), detector.config.anchors_a_class, cells, cells)
    pono = normalised_overlap(overlap, mask).view(of_shapes)[pair]
    common = (pono == 1).flatten(2).any(dim=2).all(dim=0).nonzero().flatten()
    if not len(common):
        return None
    shape, label = int(common[0]), int(labels[pair[0]])
    of_shape = mask.view(of_shapes)[:, shape]
    owners = torch.full((cells, cells), NOBODY)
    owners[of_shape[labels == label].any(dim=0)] = ANOTHER
    for number, place in enumerate(pair):
        owners[of_shape[place]] = number
    one, other = (float(overlap[place][mask[place]].max()) for place in pair)
    return Scene(
        split.images[index],
        split.class_names[label - 1],
        boxes[pair].numpy(),
        detector.shapes[label - 1].numpy(),
        shape,
        owners.numpy(),
        pono[:, shape].sum(dim=0).numpy(),
        (one, other),
    )


def draw(scene: Scene) -> Figure:
    """Image and objects, anchors, clusters and PONO, side by side."""
    figure = new_figure(2.9)
    panels = figure.subplots(1, 4)
    view = View.around(scene.boxes, len(scene.pixels))
    for axes, title in zip(
        panels, ("(a) two objects", "(b) anchors", "(c) clusters", "(d) PONO"), strict=True
    ):
        axes.set_title(title)
        view.frame(axes)
    show_image(panels[0], scene.pixels)
    _draw_anchors(panels[1], scene, view)
    side = len(scene.pixels)
    extent = (0, side, side, 0)
    panels[2].imshow(
        scene.owners, extent=extent, cmap=_CLUSTER_COLOURS, vmin=NOBODY, vmax=ANOTHER, alpha=0.75
    )
    shades = panels[3].imshow(scene.pono, extent=extent, cmap="Greys", vmin=0, vmax=1)
    figure.colorbar(shades, ax=panels, ticks=[0, 0.5, 1], shrink=0.8, aspect=25, pad=0.01)
    for row, column in np.argwhere(scene.pono == 1):
        corner = (column * STRIDE, row * STRIDE)
        panels[3].add_patch(Rectangle(corner, STRIDE, STRIDE, color=VERMILLION, lw=0, zorder=2))
    for axes in panels:
        view.frame(axes)
    for axes in (panels[0], *panels[2:]):
        for box, colour in zip(scene.boxes, OBJECT_COLOURS, strict=True):
            outline(axes, box, colour)
    figure.supxlabel(_describe(scene), fontsize=8)
    return figure


def _draw_anchors(axes: Axes, scene: Scene, view: View) -> None:
    """The centres of all anchors, and all shapes on the one in the middle."""
    middles = (np.arange(len(scene.pono)) + 0.5) * STRIDE
    x, y = np.meshgrid(middles, middles)
    axes.plot(x.ravel(), y.ravel(), ".", color=GREY, markersize=3)
    centre = [
        middles[np.abs(middles - (low + view.side / 2)).argmin()] for low in (view.left, view.top)
    ]
    for number, sides in enumerate(scene.shapes):
        chosen = number == scene.shape
        axes.add_patch(
            Rectangle(
                tuple(centre - sides / 2),
                *map(float, sides),
                fill=False,
                edgecolor=VERMILLION if chosen else "black",
                linewidth=2.4 if chosen else 0.8,
                zorder=3 if chosen else 2,
            )
        )


def _describe(scene: Scene) -> str:
    width, height = scene.shapes[scene.shape]
    return (
        f"Two objects of the class {scene.class_name}, and the class's "
        f"{len(scene.shapes)} anchors, {STRIDE} pixels from one centre to the next.\n"
        f"Clusters and PONO are those of the anchors of {width:.0f}×{height:.0f} pixels, in red in "
        "(b); grey: of other objects. "
        f"PONO is 1 in the red cells,\nwhere the overlap is {scene.highest[0]:.2f} (blue) and "
        f"{scene.highest[1]:.2f} (orange)."
    )
