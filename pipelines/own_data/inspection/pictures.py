"""Pictures of the page: crops around suspicious objects, and a sample of annotated images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.data.mosaic import seeded_order
from pipelines.data.records import Box, CocoSplit, ImageRecord
from pipelines.data.sources import ImageSource
from pipelines.evidence.figures.style import BLUE, GREEN, ORANGE, PINK, SKY, YELLOW
from pipelines.evidence.report.embed import pixels_uri
from pipelines.own_data.inspection.kinds import Example
from pipelines.own_data.inspection.wording import shown

SAMPLED = 12
"""Images of a split that are shown whole."""
COLOURS = (SKY, YELLOW, PINK, ORANGE, GREEN, BLUE)
"""Of the classes in turn; from the seventh on they begin anew."""
SUSPECT = YELLOW
LARGE, SMALL = 560, 280
"""Pixels of the longer side of a whole image and of a crop."""
SIGHT = 2.0
"""Side of a crop over its box's."""
LEAST_CROP = 64
"""Pixels of the image."""


@dataclass(frozen=True)
class Mark:
    """A box on a picture, `xywh` in its coordinates."""

    box: Box
    colour: str
    words: str


@dataclass(frozen=True)
class Picture:
    """A part of an image and what is marked on it."""

    uri: str
    width: int
    height: int
    """Of the coordinates of the marks."""
    marks: Sequence[Mark]
    caption: str
    classes: Mapping[str, str]
    """What is marked, to its colour."""


def picture_examples(
    sources: Mapping[str, ImageSource], examples: Sequence[Example]
) -> list[Picture]:
    """Each object within what surrounds it, or the whole image where no object is named."""
    return [_picture(sources[example.split], example) for example in examples]


def picture_sample(source: ImageSource, seed: int = 0) -> list[Picture]:
    """SAMPLED images drawn at random, with all their boxes; always the same for a seed."""
    split = source.split
    names = {category.id: shown(category.name) for category in split.categories}
    colours = {c.id: COLOURS[k % len(COLOURS)] for k, c in enumerate(split.categories)}
    by_image = split.annotations_by_image()
    pictures = []
    for index in sorted(seeded_order(len(split.images), seed)[:SAMPLED]):
        own = by_image[index]
        marks = [Mark(a.bbox, colours[a.category_id], names[a.category_id]) for a in own]
        classes = {
            f"{names[k]} {count}": colours[k]
            for k, count in Counter(a.category_id for a in own).most_common()
        }
        image = split.images[index]
        picture = pixels_uri(source.image(index), LARGE)
        pictures.append(
            Picture(picture, image.width, image.height, marks, shown(image.file_name), classes)
        )
    return pictures


def _picture(source: ImageSource, example: Example) -> Picture:
    images = source.split.images
    index = next(i for i, image in enumerate(images) if image.file_name == example.file_name)
    pixels, image = source.image(index), images[index]
    caption = f"{example.split}: {shown(example.file_name)}"
    if example.box is None:
        return Picture(pixels_uri(pixels, SMALL), image.width, image.height, [], caption, {})
    left, top, right, bottom = surroundings(example.box, image)
    x, y, width, height = example.box
    name = _class_name(source.split, example)
    mark = Mark((x - left, y - top, width, height), SUSPECT, name)
    return Picture(
        pixels_uri(pixels[top:bottom, left:right], SMALL),
        right - left,
        bottom - top,
        [mark],
        f"{caption}, annotation {example.annotation_id}",
        {f"{name}, {width:.0f}×{height:.0f} px": SUSPECT},
    )


def surroundings(box: Box, image: ImageRecord) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel of a square around a box, as far as the image goes."""
    x, y, width, height = box
    half = max(SIGHT * max(width, height), LEAST_CROP) / 2
    across, down = x + width / 2, y + height / 2
    return (
        max(0, math.floor(across - half)),
        max(0, math.floor(down - half)),
        min(image.width, math.ceil(across + half)),
        min(image.height, math.ceil(down + half)),
    )


def _class_name(split: CocoSplit, example: Example) -> str:
    label = next(a.category_id for a in split.annotations if a.id == example.annotation_id)
    return next(shown(c.name) for c in split.categories if c.id == label)
