"""How training goes by sampler: validation AP, and what is in the minibatch (§3.3, §5.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.evidence.figures.style import BLUE, GREEN, ORANGE, PINK, SKY, VERMILLION, new_figure
from pipelines.evidence.findings import histories, validation_curve
from pipelines.evidence.study import Study

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PINK, SKY)


def draw_convergence(study: Study, rows: Mapping[str, str]) -> Figure:
    """Validation AP against iterations: every run, and a sampler's mean where it has several.

    `rows` are sampler to row of params.yaml, here as below.
    """
    figure = new_figure(3.6)
    axes = figure.subplots()
    for (sampler, row), colour in zip(rows.items(), cycle(COLOURS), strict=False):
        curves = [validation_curve(history).set_index("step") for history in histories(study, row)]
        ap = [curve["validation_AP"] for curve in curves]
        _draw_runs(axes, sampler, colour, ap, marker="o", markersize=3)
    axes.set(xlabel="iterations", ylabel="validation AP, %")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def draw_balance(study: Study, rows: Mapping[str, str]) -> Figure:
    """Samples in the minibatch, and negatives to one positive, over the training."""
    figure = new_figure(3.6)
    length, ratio = figure.subplots(1, 2)
    for (sampler, row), colour in zip(rows.items(), cycle(COLOURS), strict=False):
        logs = [
            history.dropna(subset=["positives"]).set_index("step")
            for history in histories(study, row)
        ]
        sizes = [log["positives"] + log["negatives"] for log in logs]
        _draw_runs(length, sampler, colour, sizes)
        ratios = [log["negatives"] / log["positives"] for log in logs]
        _draw_runs(ratio, sampler, colour, ratios)
    length.set(xlabel="iterations", ylabel="samples in the minibatch", yscale="log")
    ratio.set(xlabel="iterations", ylabel="negatives to one positive", yscale="log")
    for axes in (length, ratio):
        axes.grid(alpha=0.3)
    length.legend()
    return figure


def _draw_runs(
    axes: Axes, sampler: str, colour: str, runs: Sequence[pd.Series], **style: Any
) -> None:
    """A line for the mean over the runs, which are faint beneath it."""
    if not runs:
        return
    label = sampler
    if len(runs) > 1:
        label = f"{sampler}, mean of {len(runs)} seeds"
        for run in runs:
            axes.plot(run.index, run, color=colour, alpha=0.3, linewidth=0.8)
    mean = pd.concat(runs, axis=1).mean(axis=1)
    axes.plot(mean.index, mean, color=colour, label=label, **style)
