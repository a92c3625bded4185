"""The page's plots. No class's name is in them: their legends are the page's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pipelines.evidence.figures.style import BLUE, GREY, ORANGE
from pipelines.evidence.report.plots import COLOURS, Key, Panel, draw_panel, keys, look
from pipelines.own_data.inspection.wording import shown
from pipelines.own_data.run_page.curves import BINS, Calibration, score_told
from pipelines.own_data.run_page.scored import ClassFigures, SizeRange
from pipelines.training.health.measures import LADDER

MOST_LINES = len(COLOURS)
"""Classes that are drawn; the table has them all."""


@dataclass(frozen=True)
class Drawn:
    """Panels beside each other, with one legend."""

    panels: Sequence[Panel]
    legend: Sequence[Key] = ()


def score_curves(classes: Sequence[ClassFigures]) -> Drawn:
    """Precision against recall, and F1 against the score, of the commonest classes."""
    drawn = [own for own in classes if own.objects][:MOST_LINES]
    legend = keys({own.name: [] for own in drawn})

    def precision(axes: Axes) -> None:
        for key, own in zip(legend, drawn, strict=True):
            axes.plot(own.curve.recall, own.curve.precision, **look(key))
            if (best := own.curve.best) is not None:
                place = own.curve.recall[best], own.curve.precision[best]
                axes.plot(*place, "o", color=key.colour, ms=5)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.04))

    def f1(axes: Axes) -> None:
        for key, own in zip(legend, drawn, strict=True):
            axes.plot(own.curve.scores, own.curve.f1, **look(key))
            if (best := own.curve.best) is not None:
                axes.plot(own.curve.scores[best], own.curve.f1[best], "o", color=key.colour, ms=5)
        axes.set(
            xlabel="score from which on detections are kept",
            ylabel="F1",
            xlim=(0, 1.02),
            ylim=(0, 1.04),
        )

    areas = [f"{shown(own.name)} {own.figures['AP50']:.1f}" for own in drawn]
    tops = [
        f"{shown(own.name)} {own.curve.f1[own.curve.best]:.2f} at {score_told(own.curve.threshold)}"
        for own in drawn
        if own.curve.best is not None
    ]
    return Drawn(
        [
            draw_panel("Precision against recall", precision, f"AP50: {', '.join(areas)}"),
            draw_panel("F1 against the score", f1, f"Best F1: {', '.join(tops) or 'none'}"),
        ],
        [replace(key, label=shown(key.label)) for key in legend],
    )


def ladder_panel(steps: dict[str, float | None]) -> Panel:
    """AP at each overlap alone."""
    values = [np.nan if value is None else value for value in steps.values()]

    def draw(axes: Axes) -> None:
        axes.plot(LADDER, values, color=BLUE, lw=1.6, marker="o", ms=3)
        axes.set(xlabel="overlap (IoU) asked for", ylabel="AP there, %", xlim=(0.08, 0.97))
        axes.set_ylim(0, 104)

    told = [f"{steps[step]:.1f} at {step}" for step in ("0.10", "0.50", "0.75", "0.90")]
    return draw_panel("AP by the overlap asked for", draw, ", ".join(told))


def calibration_panel(found: Calibration) -> Panel:
    """The share of true detections in each bin of scores."""

    def draw(axes: Axes) -> None:
        axes.bar(
            BINS[:-1],
            np.nan_to_num(found.shares),
            width=np.diff(BINS),
            align="edge",
            color=BLUE,
            alpha=0.8,
            edgecolor="white",
        )
        axes.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1)
        for left, share, count in zip(BINS, found.shares, found.counts, strict=False):
            if count:
                axes.text(left + 0.05, share + 0.015, f"{count}", ha="center", fontsize=7)
        axes.set(xlabel="score", ylabel="share that is true", xlim=(0.1, 1), ylim=(0, 1.1))

    bins = zip(BINS, BINS[1:], found.shares, found.counts, strict=False)
    told = [f"{low:.1f}–{high:.1f}: {share:.2f} of {n}" for low, high, share, n in bins if n]
    return draw_panel("Share of true detections by score", draw, "; ".join(told) or "none")


def size_panel(sizes: Sequence[SizeRange]) -> Panel:
    """Recall of each range of sizes: by any detection, and by those in use."""
    names = [_range(own) for own in sizes]
    places = np.arange(len(sizes))

    def draw(axes: Axes) -> None:
        reached = [own.found / own.objects for own in sizes]
        axes.bar(places - 0.2, reached, 0.4, color=BLUE, alpha=0.45)
        axes.bar(places + 0.2, [own.kept / own.objects for own in sizes], 0.4, color=BLUE)
        for place, own, top in zip(places, sizes, reached, strict=True):
            axes.text(place, top + 0.02, f"{own.objects}", ha="center", fontsize=7)
        axes.set_xticks(places, names)
        axes.set(xlabel="side in the network's input, px", ylabel="recall", ylim=(0, 1.12))

    told = [
        f"{name} px: {own.kept} of {own.objects} found, {own.found} at any score"
        for name, own in zip(names, sizes, strict=True)
    ]
    return draw_panel("Recall by size", draw, "; ".join(told))


def _range(own: SizeRange) -> str:
    if own.low == 0:
        return f"<{own.high:g}"
    return f"{own.low:g}–{own.high:g}" if np.isfinite(own.high) else f">{own.low:g}"


def training_panels(history: pd.DataFrame) -> list[Panel]:
    """Loss and validation AP by step, where they were logged."""
    panels = []
    for column, title, colour, lowest in (
        ("loss", "training loss", BLUE, None),
        ("validation_AP", "validation AP, %", ORANGE, 0),
    ):
        if column not in history or (own := history.dropna(subset=[column])).empty:
            continue
        panels.append(_by_step(own["step"], own[column], title, colour, lowest))
    return panels


def _by_step(
    steps: pd.Series[float], values: pd.Series[float], title: str, colour: str, lowest: int | None
) -> Panel:
    def draw(axes: Axes) -> None:
        axes.plot(steps, values, color=colour, lw=1.4)
        axes.set(xlabel="step", ylabel=title)
        axes.set_ylim(bottom=lowest)

    return draw_panel(title, draw, f"{values.iloc[-1]:.3g} at the end")
