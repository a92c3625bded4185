"""Detections drawn into a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipelines.data.records import Category
from pipelines.deploy.predict.model import Found
from pipelines.evidence.figures.style import BLUE, GREEN, ORANGE, PINK, SKY, YELLOW

COLOURS = (SKY, YELLOW, PINK, ORANGE, GREEN, BLUE)
"""Of the classes in turn, as in Figure 3; from the seventh on they begin anew."""
FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


Rectangle = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


def draw(
    pixels: NDArray[np.uint8], found: Sequence[Found], categories: Sequence[Category]
) -> Image.Image:
    """The H×W×3 picture with a box, the class and the score of each detection, the best on top."""
    picture = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 300))
    font = ImageFont.truetype(FONT, max(11, round(min(picture.size) / 55)))
    colours = {c.id: COLOURS[k % len(COLOURS)] for k, c in enumerate(categories)}
    texts = [f"{f.category.name} {f.score:.2f}" for f in found]
    boxes = [(x, y, x + width, y + height) for x, y, width, height in (f.box for f in found)]
    places = _place_labels(boxes, [font.getbbox(text) for text in texts], picture.size)
    labelled = [*zip(boxes, places, texts, (colours[f.category.id] for f in found), strict=True)]
    for box, _, _, colour in reversed(labelled):
        _outline(canvas, box, colour, line)
    for _, place, text, colour in reversed(labelled):
        canvas.rectangle(place, fill=colour)
        canvas.text((place[0] + 2, place[1] + 1), text, fill="black", font=font, anchor="la")
    return picture


def _place_labels(
    boxes: Sequence[Rectangle], texts: Sequence[Rectangle], size: tuple[int, int]
) -> list[Rectangle]:
    """A label's place: over its box, else under or in it where better ones leave no room."""
    placed: list[Rectangle] = []
    for (x1, y1, _, y2), (_, _, right, bottom) in zip(boxes, texts, strict=True):
        width, height = right + 4, bottom + 3
        x = max(0.0, min(x1, size[0] - width))
        tops = [max(0.0, min(y, size[1] - height)) for y in (y1 - height, y2, y1)]
        spots = [(x, y, x + width, y + height) for y in tops]
        placed.append(next((s for s in spots if not any(_meet(s, p) for p in placed)), spots[0]))
    return placed


def _meet(one: Rectangle, other: Rectangle) -> bool:
    across = one[0] < other[2] and other[0] < one[2]
    return across and one[1] < other[3] and other[1] < one[3]


def _outline(canvas: ImageDraw.ImageDraw, box: Rectangle, colour: str, line: int) -> None:
    """A line with a dark rim, which is seen on light and on dark ground."""
    x1, y1, x2, y2 = box
    canvas.rectangle(box, outline="black", width=line + 2)
    if min(x2 - x1, y2 - y1) > 2:
        canvas.rectangle((x1 + 1, y1 + 1, x2 - 1, y2 - 1), outline=colour, width=line)
