"""How all figures look, and how they reach the disk: the same figure always as the same bytes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, YELLOW, PINK, GREY = "#56B4E9", "#F0E442", "#CC79A7", "#8A8A8A"
"""Okabe and Ito's palette, which the colour-blind can tell apart, and a grey."""

WIDTH = 9.0
"""Inches; text of 9 points is still read where a README shows the figure 800 pixels wide."""

_SETTINGS = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.dpi": 160,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "figures",
}

_NO_METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
"""Neither the day nor the version of matplotlib."""


def styled() -> AbstractContextManager[None]:
    """Figures made and saved inside look alike, whatever the user's own matplotlib settings."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS})


def new_figure(height: float) -> Figure:
    """An empty figure of the README's width and `height` inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def save(figure: Figure, folder: Path, name: str, kinds: tuple[str, ...] = ("png", "svg")) -> None:
    """Write `name.KIND` into `folder` for each kind."""
    for kind in kinds:
        figure.savefig(folder / f"{name}.{kind}", metadata=_NO_METADATA[kind])
