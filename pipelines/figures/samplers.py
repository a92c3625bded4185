"""How training goes by sampler: validation AP, and what is in the minibatch (§3.3, §5.3)."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from pipelines.figures.style import BLUE, GREEN, VERMILLION, new_figure
from pipelines.findings import SAMPLERS, histories, validation_curve
from pipelines.queries import Study

COLOURS = dict(zip(SAMPLERS, (BLUE, VERMILLION, GREEN), strict=True))


def draw_convergence(study: Study) -> Figure:
    """Validation AP against iterations, one line a run."""
    figure = new_figure(3.6)
    axes = figure.subplots()
    for label, row in SAMPLERS.items():
        for i, history in enumerate(histories(study, row)):
            curve = validation_curve(history)
            style: dict[str, Any] = {"color": COLOURS[label], "label": None if i else label}
            axes.plot(curve["step"], curve["validation_AP"], marker="o", markersize=3, **style)
    axes.set(xlabel="iterations", ylabel="validation AP, %")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def draw_balance(study: Study) -> Figure:
    """Samples in the minibatch, and negatives to one positive, over the training."""
    figure = new_figure(3.6)
    length, ratio = figure.subplots(1, 2)
    for label, row in SAMPLERS.items():
        for i, history in enumerate(histories(study, row)):
            log = history.dropna(subset=["positives"])
            style: dict[str, Any] = {"color": COLOURS[label], "label": None if i else label}
            length.plot(log["step"], log["positives"] + log["negatives"], **style)
            ratio.plot(log["step"], log["negatives"] / log["positives"], **style)
    length.set(xlabel="iterations", ylabel="samples in the minibatch", yscale="log")
    ratio.set(xlabel="iterations", ylabel="negatives to one positive", yscale="log")
    for axes in (length, ratio):
        axes.grid(alpha=0.3)
    length.legend()
    return figure
