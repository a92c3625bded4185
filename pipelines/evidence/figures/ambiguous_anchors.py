"""Which anchors of overlapping objects are ambiguous (LapNet, §3.3 and Figure 5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from method.lapnet.detector import LapNet
from method.lapnet.losses import THRESHOLD, positive_labels
from method.lapnet.network import STRIDE
from pipelines.data.prepared import PreparedSplit
from pipelines.detectors.trained import open_run
from pipelines.evidence.figures.close_up import View, outline, shared_areas, show_image
from pipelines.evidence.figures.style import GREEN, SKY, VERMILLION, new_figure
from pipelines.runs.folder import WEIGHTS
from pipelines.system.errors import UserError, note
from pipelines.training.step import to_batch

CELL_SHARE = 0.75
"""Of a cell's side, what the points of its anchors take."""
PANEL_POINTS = 310
"""Side of a panel, in printer's points."""


@dataclass(frozen=True)
class Scene:
    """Overlapping objects of one class in a test image, and the anchors that are theirs."""

    pixels: NDArray[np.uint8]
    """S×S×3."""
    class_name: str
    boxes: NDArray[np.float32]
    """N×4, `xyxy`, input pixels: all objects of the class."""
    view: View
    """Of the object that has most pixels in common with others, and of these."""
    centres: NDArray[np.float32]
    """P×2, pixels, of the class's anchors in view with PONO above the threshold."""
    shapes: NDArray[np.int64]
    """P: number of each one's shape, below A."""
    shape_count: int
    """A."""
    positive: NDArray[np.bool_]
    """P: whether PONO times the predicted overlap is above it too."""


def find_scene(test: PreparedSplit, run: Path) -> Scene | None:
    """What a trained LapNet makes of the object that has most pixels in common with its class.

    None, with a note, if the run's weights are not there or no two objects of a class overlap.

    Raises:
        UserError: the run does not fit the data, or its weights cannot be read.
    """
    if not (run / WEIGHTS).is_file():
        note(f"ambiguous anchors are left out: no weights of {run.name}; run `dvc repro` first")
        return None
    shared = [shared_areas(test, index) for index in range(len(test.images))]
    index = int(np.argmax([areas.sum(axis=1).max(initial=0) for areas in shared]))
    if not shared[index].any():
        note("ambiguous anchors are left out: no two test objects of a class overlap")
        return None
    crowded = int(shared[index].sum(axis=1).argmax())
    boxes, labels = test.boxes(index), test.labels(index)
    group = boxes[[crowded, *np.flatnonzero(shared[index][crowded])]]
    label, view = int(labels[crowded]), View.around(group, test.input_size)
    detector = trained_lapnet(run, test)
    centres, shapes, positive = _anchors(detector, test, index, label)
    seen = view.holds(centres)
    return Scene(
        test.images[index],
        test.class_names[label - 1],
        boxes[labels == label],
        view,
        centres[seen],
        shapes[seen],
        detector.config.anchors_a_class,
        positive[seen],
    )


def trained_lapnet(run: Path, test: PreparedSplit) -> LapNet:
    """The detector of a finished run, for inference.

    Raises:
        UserError: it is no LapNet, or of another input size or number of classes than `test`.
    """
    trained = open_run(run)
    detector, spec = trained.detector, trained.spec
    if not isinstance(detector, LapNet) or spec.input_size != test.input_size:
        raise UserError(
            f"{run}: holds {spec.detector} at {spec.input_size} pixels, where the picture "
            f"needs lapnet at {test.input_size}; train the run again"
        )
    return detector


def draw(scene: Scene) -> Figure:
    """The anchors that pass by PONO alone on the left, by PONO × predicted overlap on the right."""
    figure = new_figure(5.5)
    left, right = figure.subplots(1, 2)
    points, spacing = _spread(scene)
    positive, ambiguous = points[scene.positive], points[~scene.positive]
    size = float(np.clip(0.8 * spacing * PANEL_POINTS / scene.view.side, 2, 6))
    dot = {"ls": "", "marker": "o", "mec": "black", "mew": 0.4, "ms": size}
    cross = {"ls": "", "marker": "x", "mec": VERMILLION, "mew": 1.3, "ms": size}
    left.set_title(f"PONO > {THRESHOLD}: {len(points)} anchors")
    right.set_title(f"PONO × Ô > {THRESHOLD}: {len(positive)} anchors, {len(ambiguous)} ambiguous")
    for axes in (left, right):
        show_image(axes, scene.pixels)
        for box in scene.boxes:
            outline(axes, box, SKY)
    left.plot(*points.T, **dot, mfc=VERMILLION, label="positive by PONO")
    right.plot(*positive.T, **dot, mfc=GREEN, label="positive")
    right.plot(*ambiguous.T, **cross, label="ambiguous: counts as background")
    for axes in (left, right):
        scene.view.frame(axes)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2)
    figure.supxlabel(
        f"Anchors of the class {scene.class_name}, boxes of its objects. A point an anchor, at its "
        "centre; those of several shapes,\nwhich have one centre, side by side. "
        "Ô: IoU of the box predicted from the anchor with its object.",
        fontsize=8,
    )
    return figure


def _spread(scene: Scene) -> tuple[NDArray[np.float32], float]:
    """P×2 points, anchors of one centre in a square around it, and how far these lie apart."""
    columns = math.ceil(math.sqrt(scene.shape_count))
    spacing = CELL_SHARE * STRIDE / columns
    steps = np.stack([scene.shapes % columns, scene.shapes // columns], axis=1)
    return scene.centres + spacing * (steps - (columns - 1) / 2), spacing


@torch.no_grad()
def _anchors(
    detector: LapNet, split: PreparedSplit, index: int, label: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Of a class's anchors with PONO above the threshold: centre, shape, and if it is positive."""
    pixels = to_batch(split.images[index : index + 1], torch.device("cpu"))
    assigned = detector.match(
        torch.from_numpy(split.boxes(index)), torch.from_numpy(split.labels(index))
    )
    _, offsets = detector(pixels)
    predicted = detector.predicted_overlap(offsets, [assigned])
    positive = positive_labels(assigned.overlap, predicted, ambiguity=True)
    grids, cells = assigned.anchors // detector.cells**2, assigned.anchors % detector.cells**2
    shapes = detector.config.anchors_a_class
    mine = grids // shapes == label - 1
    centres = detector.centres[cells]
    return centres[mine].numpy(), (grids % shapes)[mine].numpy(), positive[mine].numpy()
