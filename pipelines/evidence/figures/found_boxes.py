"""The objects of some test images beside what each detector finds there (scale-aware SSD, §4.3)."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from pipelines.data.prepared import MANIFEST, PreparedSplit
from pipelines.data.records import Box
from pipelines.evidence.figures.style import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    SKY,
    WIDTH,
    YELLOW,
    new_figure,
)
from pipelines.runs.folder import RunFolder
from pipelines.runs.parameters import split_name
from pipelines.system.errors import UserError

BUILT_IN = ("scenes", "aerial")
"""Data sets drawn here: pictures of all others stay out of the repository."""
IMAGES = 2
"""Rows of a band."""
ABREAST = 3
"""Detectors in a band."""

_CLASS_COLOURS = (SKY, YELLOW, PINK, ORANGE, GREEN, BLUE)
_DASHES = ("solid", "dashed", "dotted")
"""The colours begin anew with the next of these."""


@dataclass(frozen=True)
class Marked:
    """A box to draw, `xywh` in original pixels."""

    box: Box
    category: int


@dataclass(frozen=True)
class Column:
    """One column of the figure."""

    title: str
    boxes: Mapping[int, Sequence[Marked]]
    """Image id to what is drawn there."""


def picture_folder(dataset: str) -> str:
    """The folder in `results/PROFILE/` where pictures that show the data set may lie."""
    return "figures" if dataset in BUILT_IN else "gallery"


def choose_runs(
    rows: Mapping[str, str], names: Sequence[str], runs: Path, limit: int = 3
) -> dict[str, str]:
    """Column title to run: the first seed of each wanted row, or else of the study's first runs.

    Args:
        rows: column title to row of params.yaml.
        names: of the runs on the figure's data set, `ROW-sSEED`, in order.
        runs: the folder of finished runs.
        limit: the most runs taken where no wanted row is finished.

    Returns:
        Finished runs alone, so that it may be empty.
    """
    finished = [name for name in names if RunFolder(runs / name).finished]
    first: dict[str, str] = {}
    for name in finished:
        first.setdefault(split_name(name)[0], name)
    wanted = {title: first[row] for title, row in rows.items() if row in first}
    return wanted or dict(list(first.items())[:limit])


def choose_images(split: PreparedSplit, count: int = IMAGES) -> list[int]:
    """Positions of the images whose number of objects is nearest to the median, by position."""
    objects = np.array([len(split.boxes(i)) for i in range(len(split.images))])
    nearest = np.argsort(abs(objects - np.median(objects)), kind="stable")
    return sorted(int(i) for i in nearest[:count])


def ground_truth(split: PreparedSplit) -> Column:
    """The objects themselves, without crowd regions."""
    grouped = split.coco.annotations_by_image()
    return Column(
        "ground truth",
        {
            image.id: [Marked(a.bbox, a.category_id) for a in annotations if not a.iscrowd]
            for image, annotations in zip(split.coco.images, grouped, strict=True)
        },
    )


def detections(folder: Path, title: str, prepared: Path) -> Column:
    """What a run found on the test images, from the score on that gives it the best F1.

    Args:
        folder: the run's folder.
        title: of its column.
        prepared: the prepared data set that the figure shows.

    Raises:
        UserError: the run was scored on other test images.
    """
    run = RunFolder(folder)
    shown = json.loads((prepared / MANIFEST).read_text())["splits"]["test"]
    scored = run.record().splits["test"]
    if scored["annotations_sha256"] != shown["annotations_sha256"]:
        raise UserError(
            f"{folder.name} was scored on other test images than {prepared.name} holds; "
            "run `dvc repro`"
        )
    threshold = best_score_threshold(run.matches())
    boxes: dict[int, list[Marked]] = {}
    for found in run.detections():
        if found["score"] >= threshold:
            marked = Marked(tuple(found["bbox"]), found["category_id"])
            boxes.setdefault(found["image_id"], []).append(marked)
    return Column(f"{title} (score\xa0≥\xa0{threshold:.2f})", boxes)


def best_score_threshold(records: pd.DataFrame) -> float:
    """The score from which on the detections have the best F1 at an overlap of 0.50.

    Scores of differently trained detectors are no common scale; at its own threshold each shows
    what it can do. 1 where nothing is found.
    """
    found = records[records["score"].notna()].sort_values("score", ascending=False, kind="stable")
    if found.empty:
        return 1.0
    true = (found["true_all"].to_numpy(np.int64) & 1) > 0
    ignored = (found["ignored_all"].to_numpy(np.int64) & 1) > 0
    counted = np.cumsum(~ignored) + int(records["objects_all"].sum())
    f1 = 2 * np.cumsum(true) / np.maximum(counted, 1)
    return float(found["score"].iloc[int(np.argmax(f1))])


def draw(split: PreparedSplit, truth: Column, found: Sequence[Column]) -> Figure:
    """Rows of images, columns of sources of boxes, the class by colour.

    Detectors stand in bands of `ABREAST`, each band with the objects themselves on its left.
    """
    chosen = choose_images(split)
    images = [split.coco.images[i] for i in chosen]
    bands = [[truth, *found[k : k + ABREAST]] for k in range(0, len(found), ABREAST)]
    drawn = {m.category for c in (truth, *found) for i in images for m in c.boxes.get(i.id, ())}
    shown = [category for category in split.coco.categories if category.id in drawn]
    styles = {category.id: _class_style(k) for k, category in enumerate(shown)}
    panel = WIDTH / len(bands[0])
    heights = [panel * image.height / image.width for image in images]
    figure = new_figure(len(bands) * (sum(heights) + 0.6) + 0.7)
    shape = (len(bands) * len(images), len(bands[0]))
    grid = figure.subplots(*shape, squeeze=False, height_ratios=heights * len(bands))
    for axes in grid.flat:
        axes.axis("off")
    for number, band in enumerate(bands):
        rows = grid[number * len(images) :][: len(images)]
        for axes, column in zip(rows[0], band, strict=False):
            title = textwrap.fill(column.title, int(10 * panel), break_long_words=False)
            axes.set_title(title, loc="center", fontsize=9)
        for row, i, image in zip(rows, chosen, images, strict=True):
            for axes, column in zip(row, band, strict=False):
                axes.imshow(split.images[i], extent=(0, image.width, image.height, 0))
                for marked in column.boxes.get(image.id, ()):
                    _draw_box(axes, marked.box, *styles[marked.category], min(1.3, 0.6 * panel))
    legend = [Line2D([], [], color=colour, ls=dash, lw=3) for colour, dash in styles.values()]
    figure.legend(
        legend, [category.name for category in shown], ncols=6, loc="outside upper center"
    )
    counts = " and ".join(str(len(split.boxes(i))) for i in chosen)
    figure.supxlabel(
        "Detections from the score on that gives each detector its best F1 on all test images.\n"
        f"Shown are the images whose number of objects is nearest to the median ({counts}).",
        fontsize=8,
    )
    return figure


def _class_style(number: int) -> tuple[str, str]:
    """Colour and dashes of the class that is `number`th in the figure."""
    dashes, colour = divmod(number, len(_CLASS_COLOURS))
    return _CLASS_COLOURS[colour], _DASHES[dashes % len(_DASHES)]


def _draw_box(axes: Axes, box: Box, colour: str, dash: str, line: float) -> None:
    """A line with a dark rim, which is seen on light and on dark ground."""
    x, y, width, height = box
    rim = [withStroke(linewidth=line + 1.1, foreground="black")]
    axes.add_patch(
        Rectangle((x, y), width, height, fill=False, ec=colour, ls=dash, lw=line, path_effects=rim)
    )
