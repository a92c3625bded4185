"""Pictures as data URIs: what makes the page one file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from pipelines.evidence.figures.style import save

WIDEST = 1600
"""Pixels to which a stored picture is reduced."""
_QUALITY = 82


def figure_uri(figure: Figure) -> str:
    """A figure as an SVG image: its ids cannot clash with those of another."""
    with TemporaryDirectory() as folder:
        save(figure, Path(folder), "plot", "svg")
        return file_uri(Path(folder) / "plot.svg")


def file_uri(path: Path) -> str:
    """A stored figure: SVG as it is, anything else as a smaller WebP."""
    if path.suffix == ".svg":
        return _uri("image/svg+xml", path.read_bytes())
    with Image.open(path) as image:
        return _webp(image.convert("RGB"), WIDEST)


def pixels_uri(pixels: NDArray[np.uint8], longest: int) -> str:
    """An image of (height, width, 3), no side longer than `longest` pixels."""
    return _webp(Image.fromarray(pixels), longest)


def _webp(image: Image.Image, longest: int) -> str:
    image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=6)
    return _uri("image/webp", buffer.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
