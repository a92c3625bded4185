"""How all figures look, and how they reach the disk: the same figure always as the same bytes."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

BLUE, ORANGE, VERMILLION = "#0072B2", "#E69F00", "#D55E00"
SKY, YELLOW, PINK, GREEN = "#56B4E9", "#F0E442", "#CC79A7", "#009E73"
"""Okabe and Ito's palette, which the colour-blind can tell apart."""
GREY, PALE = "#777777", "#C6DCEB"

WIDTH = 9.0
"""Inches; 9-point text can still be read where a README shows the figure 800 pixels wide."""

_SETTINGS: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.dpi": 160,
    "font.size": 9,
    "legend.frameon": False,
    "savefig.dpi": 160,
    "svg.fonttype": "path",
    "svg.hashsalt": "figures",
}

_NO_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
"""Neither the day nor matplotlib's version."""


def styled() -> AbstractContextManager[None]:
    """Figures made and saved inside look alike, whatever matplotlib settings the user has."""
    return style.context(_SETTINGS, after_reset=True)


def new_figure(height: float) -> Figure:
    """An empty figure of a README's width and of `height` inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def scale_logarithmically(axes: Axes) -> None:
    """Make the x axis logarithmic, with plain numbers at 1, 2 and 5."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def save(figure: Figure, folder: Path, name: str, *kinds: str) -> None:
    """Write `name.KIND` into `folder` for each kind, png or svg."""
    for kind in kinds:
        path = folder / f"{name}.{kind}"
        figure.savefig(path, metadata=_NO_METADATA[kind])
        if kind == "svg":
            path.write_text(numbered(path.read_text()))


def numbered(svg: str) -> str:
    """An SVG of matplotlib's with its ids by their order.

    They are hashes of what they name, and of its every bit; the last ones differ from one processor
    to another.
    """
    ids = dict.fromkeys(re.findall(r'id="([a-z][0-9a-f]{10})"', svg))
    names = {one: f"{one[0]}{number}" for number, one in enumerate(ids, 1)}
    return re.sub(r'(?<=["#])[a-z][0-9a-f]{10}\b', lambda m: names.get(m[0], m[0]), svg)
