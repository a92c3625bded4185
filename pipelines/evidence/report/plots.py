"""The page's own plots: learning curves, precision against recall, speed against accuracy.

Each panel is a small picture without a legend, so that panels stand side by side on a wide screen
and below each other on a phone; the legend is the page's own, and leads to the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from pipelines.evaluation.coco import RECALLS, precision_curves
from pipelines.evidence.figures import speed_accuracy
from pipelines.evidence.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
    VERMILLION,
    styled,
)
from pipelines.evidence.findings import histories, validation_curve
from pipelines.evidence.papers import Papers
from pipelines.evidence.report.embed import figure_uri
from pipelines.evidence.study import Study

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PINK, SKY, GREY)
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 3), (2, 2))
"""Lengths in points; the colours begin anew with the next of these."""
_PANEL = (4.6, 2.9)
"""Inches: nine-point text can be read where a phone shows it 360 pixels wide."""


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    label: str
    colour: str
    dashes: Sequence[float]
    runs: Sequence[str]


@dataclass(frozen=True)
class Panel:
    """One picture, what it shows, and the same in words for whoever does not see it."""

    title: str
    picture: str
    """Data URI."""
    words: str


@dataclass(frozen=True)
class Panels:
    """Panels with one legend."""

    name: str
    """Of the table whose rows are shown, or of the plot."""
    title: str
    legend: Sequence[Key]
    panels: Sequence[Panel]


def learning_curves(study: Study, papers: Papers) -> list[Panels]:
    """Loss and validation AP by step, for the rows of each table that asks; a line a run."""
    found = []
    for name, (paper, table) in papers.tables.items():
        names = table.trained if table.curves else {}
        runs = {label: list(study.runs(row)["run"]) for label, row in names.items()}
        legend = keys({label: own for label, own in runs.items() if own})
        if not legend:
            continue
        own = {key.label: histories(study, names[key.label]) for key in legend}
        losses = {
            label: [history.dropna(subset=["loss"])[["step", "loss"]] for history in logs]
            for label, logs in own.items()
        }
        curves = {
            label: [validation_curve(history)[["step", "validation_AP"]] for history in logs]
            for label, logs in own.items()
        }
        panels = [_curves("training loss", legend, losses, "loss", logarithmic=True)]
        if any(len(curve) for own in curves.values() for curve in own):
            panels.append(_curves("validation AP, %", legend, curves, "AP"))
        found.append(Panels(name, f"{paper.short}, {table.title}", legend, panels))
    return found


def precision_recall(study: Study, chosen: Mapping[str, str]) -> Panels | None:
    """Precision against recall at an overlap of 0.50, a panel a class and a line a detector.

    Args:
        study: the study.
        chosen: detector's label to run.
    """
    records = {label: study.matches(run) for label, run in chosen.items()}
    legend = keys({label: [run] for label, run in chosen.items()})
    classes = list(dict.fromkeys(name for own in records.values() for name in own["class"]))
    panels = [
        _class_panel(
            name, legend, {label: _curve_at_half(own, name) for label, own in records.items()}
        )
        for name in classes
    ]
    return Panels("precision-recall", "Precision and recall", legend, panels) if panels else None


def speed_against_accuracy(study: Study, rows: Mapping[str, str]) -> Panel | None:
    """Milliseconds an image against AP; None where no detector is both trained and timed.

    Args:
        study: the study, with `speed.csv` in its folder.
        rows: detector's label to row of params.yaml.
    """
    timed = study.folder / "speed.csv"
    if not timed.exists():
        return None
    points = speed_accuracy.trade_off(rows, study, pd.read_csv(timed))
    if not points:
        return None
    with styled():
        figure = speed_accuracy.draw(points, Path(str(study.settings["dataset"])).name)
        picture = figure_uri(figure)
    words = "; ".join(
        f"{point.label}: {point.milliseconds:.0f} ms, AP {np.mean(point.ap):.1f}"
        for point in points
    )
    return Panel("Milliseconds an image against AP", picture, words)


def keys(runs: Mapping[str, Sequence[str]]) -> list[Key]:
    """A look for each label."""
    looks = [(colour, dashes) for dashes in DASHES for colour in COLOURS]
    return [Key(label, *looks[i % len(looks)], own) for i, (label, own) in enumerate(runs.items())]


def _curves(
    title: str,
    legend: Sequence[Key],
    lines: Mapping[str, Sequence[pd.DataFrame]],
    short: str,
    logarithmic: bool = False,
) -> Panel:
    """One panel of curves over the steps; `lines` has frames of a step and a value."""

    def draw(axes: Axes) -> None:
        for key in legend:
            for frame in lines[key.label]:
                axes.plot(frame.iloc[:, 0], frame.iloc[:, 1], **look(key))
        axes.set(xlabel="step", ylabel=title)
        if logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_ylim(bottom=0)

    ends = [
        f"{key.label} {np.mean([frame.to_numpy()[-1, 1] for frame in own]):.2g}"
        for key in legend
        if (own := [frame for frame in lines[key.label] if len(frame)])
    ]
    return draw_panel(title, draw, f"{short} at the end: {', '.join(ends)}")


def _class_panel(name: str, legend: Sequence[Key], curves: Mapping[str, Any]) -> Panel:
    def draw(axes: Axes) -> None:
        for key in legend:
            precision = curves[key.label]
            if precision is not None:
                reached = precision > 0
                axes.plot(RECALLS[reached], precision[reached], **look(key))
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))

    areas = [f"{label} {100 * c.mean():.1f}" for label, c in curves.items() if c is not None]
    return draw_panel(name, draw, f"AP at 0.50: {', '.join(areas)}")


def _curve_at_half(records: pd.DataFrame, name: str) -> Any:
    curves = precision_curves(records, name)
    return curves[0][0] if curves else None


def look(key: Key) -> dict[str, Any]:
    """A line's look, as matplotlib's keywords."""
    style = (0, tuple(key.dashes)) if key.dashes else "solid"
    return {"color": key.colour, "linestyle": style, "linewidth": 1.4}


def draw_panel(title: str, draw: Callable[[Axes], None], words: str) -> Panel:
    """One panel, of what `draw` puts on its axes."""
    with styled():
        figure = Figure(figsize=_PANEL, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.grid(alpha=0.3)
        return Panel(title, figure_uri(figure), words)


def trained_detectors(study: Study, papers: Papers) -> dict[str, str]:
    """Label to first run of the detectors set side by side that are trained.

    Of a row over folds the label says which part of the photographs its first run tests.
    """
    chosen = {}
    for label, row in papers.compared.items():
        if len(own := study.runs(row)):
            part = (
                f", part {study.specs[own['run'].iloc[0]].fold}" if study.tests_folds(row) else ""
            )
            chosen[label + part] = str(own["run"].iloc[0])
    return chosen
