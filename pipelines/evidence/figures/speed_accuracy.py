"""How fast each detector is here against how well it does (LapNet, §1 and Figure 1)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipelines.evidence.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
    VERMILLION,
    YELLOW,
    new_figure,
    scale_logarithmically,
)
from pipelines.evidence.study import Study
from pipelines.runs.spec import DetectorName, Precision
from pipelines.system.errors import note

LOGARITHMIC_FROM = 5
"""Ratio of the slowest to the fastest from which on the time axis is logarithmic."""

_MARKERS = "os^vDP<>Xpd"
_COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, GREY)
_STARS = (VERMILLION, "black", YELLOW, BLUE)
_WRAP = 32


@dataclass(frozen=True)
class Point:
    """One detector as it was trained in one row."""

    label: str
    detector: str
    milliseconds: float
    """Median of an image, with decoding and suppression."""
    precision: str
    """Of the timing: bf16 where the detector has it, else fp32."""
    timed_at: int
    """Side of the input that was timed, pixels."""
    ap: tuple[float, ...]
    """AP of each run of the row, percent."""
    scored_at: int
    """Side of the input of these runs, pixels."""


def trade_off(rows: Mapping[str, str], study: Study, speed: pd.DataFrame) -> list[Point]:
    """A point for each row that is both trained and timed; a note says if there is none.

    Timed counts only a network with as many parameters: LapNet has one name on every backbone.

    Args:
        rows: label to row of params.yaml.
        study: what is trained.
        speed: what `speed.csv` holds.
    """
    whole = speed[speed["postprocessing"]]
    points = []
    for label, row in rows.items():
        runs = study.runs(row)
        if runs.empty:
            continue
        detector = runs["detector"].iloc[0]
        same = (whole["detector"] == detector) & (whole["parameters"] == runs["parameters"].iloc[0])
        timed = whole[same].set_index("precision")
        if timed.empty:
            continue
        precision = Precision.BF16 if Precision.BF16 in timed.index else Precision.FP32
        points.append(
            Point(
                label,
                detector,
                float(timed.loc[precision, "median_ms"]),
                precision,
                int(timed.loc[precision, "input_size"]),
                tuple(runs["AP"]),
                int(runs["input_size"].iloc[0]),
            )
        )
    if not points:
        note("speed against accuracy is left out: no detector is both trained and timed")
    return points


def draw(points: Sequence[Point], dataset: str) -> Figure:
    """Mean AP against milliseconds, a line from the worst run to the best.

    Args:
        points: of `trade_off`, at least one.
        dataset: the name of what they are scored on.
    """
    figure = new_figure(4.4)
    axes = figure.subplots()
    entries = [_draw_point(axes, p, look) for p, look in zip(points, _looks(points), strict=True)]
    times = [point.milliseconds for point in points]
    if max(times) >= LOGARITHMIC_FROM * min(times):
        scale_logarithmically(axes)
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel(f"milliseconds an image at {_sides(p.timed_at for p in points)}, median")
    axes.set_ylabel(f"AP on {dataset} at {_sides(p.scored_at for p in points)}, %")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.legend(handles=entries, loc="outside right upper", labelspacing=0.8)
    figure.supxlabel(_explain(points), fontsize=8)
    return figure


def _explain(points: Sequence[Point]) -> str:
    """What the marks mean that the legend does not name."""
    marks = ["Times include decoding and suppression."]
    if any(point.precision == Precision.FP32 for point in points):
        marks.append("Filled: timed in bf16; hollow: in fp32.")
    if any(len(point.ap) > 1 for point in points):
        marks.append("Lines: from the lowest run to the highest.")
    return " ".join(marks)


def _looks(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Colour and marker of each; stars are LapNet's."""
    stars = ({"color": colour, "marker": "*", "markersize": 15} for colour in cycle(_STARS))
    others = (
        {"color": colour, "marker": marker, "markersize": 8}
        for colour, marker in zip(cycle(_COLOURS), cycle(_MARKERS), strict=False)
    )
    return [next(stars if p.detector == DetectorName.LAPNET else others) for p in points]


def _draw_point(axes: Axes, point: Point, look: dict[str, Any]) -> Line2D:
    """Draw it; its entry in the legend."""
    axes.plot([point.milliseconds] * 2, [min(point.ap), max(point.ap)], color=look["color"])
    hollow = point.precision == Precision.FP32
    (drawn,) = axes.plot(
        point.milliseconds,
        np.mean(point.ap),
        **look,
        markerfacecolor="white" if hollow else look["color"],
        markeredgecolor=look["color"] if hollow else "white",
        markeredgewidth=1.2 if hollow else 0.5,
        linestyle="",
        clip_on=False,
        zorder=3,
        label=textwrap.fill(point.label, _WRAP),
    )
    return drawn


def _sides(sides: Iterable[int]) -> str:
    return " or ".join(f"{side}×{side}" for side in sorted(set(sides)))
