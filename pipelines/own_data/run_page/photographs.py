"""The photographs that went best and worst, with the objects and what was found drawn on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.data.records import Box
from pipelines.data.sources import ImageSource
from pipelines.evidence.figures.style import GREEN, ORANGE, PINK, SKY, VERMILLION, YELLOW
from pipelines.evidence.report.embed import pixels_uri
from pipelines.own_data.inspection.wording import shown
from pipelines.own_data.run_page.matches import ImageMatches
from pipelines.own_data.run_page.scored import Scored

SHOWN = 6
"""Photographs of either kind."""
LONGEST = 720
"""Pixels of a picture's longer side on the page."""
COLOURS = (SKY, YELLOW, PINK, ORANGE, GREEN)
"""Of the classes in turn; from the sixth on they begin anew."""
MISSED = VERMILLION


@dataclass(frozen=True)
class Mark:
    """A box on a photograph."""

    kind: str
    """`object`, `true`, `false` or `missed`."""
    box: Box
    """`xywh`, pixels of the photograph."""
    colour: str
    words: str


@dataclass(frozen=True)
class Photograph:
    """One photograph, and what was found on it."""

    picture: str
    """Data URI."""
    width: int
    height: int
    name: str
    objects: int
    found: int
    false: int
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Photographs:
    """Best and worst ones; a photograph stands in one of the two at most."""

    worst: Sequence[Photograph]
    best: Sequence[Photograph]
    classes: Mapping[str, str]
    """Name to colour."""


def choose(images: Sequence[ImageMatches], most: int = SHOWN) -> tuple[list[int], list[int]]:
    """Positions of the worst and of the best images, by their F1.

    Of equal ones those with more mistakes are worse, and those with more objects are better.
    Without objects and detections an image says nothing, and one without a mistake is not bad.

    Args:
        images: with the detections alone that are kept in use.
        most: images of either kind; fewer where there are few.
    """
    hits = np.array([image.true.sum() for image in images], int)
    mistakes = np.array([image.false.sum() + image.missed.sum() for image in images], int)
    telling = np.flatnonzero(hits + mistakes > 0)
    f1 = 2 * hits / np.maximum(2 * hits + mistakes, 1)
    worst = [int(i) for i in telling[np.lexsort((-mistakes[telling], f1[telling]))] if mistakes[i]]
    worst = worst[: min(most, (len(telling) + 1) // 2)]
    best = telling[np.lexsort((-hits[telling], -f1[telling]))]
    return worst, [int(i) for i in best if hits[i] and i not in worst][:most]


def draw_photographs(scored: Scored, source: ImageSource) -> Photographs:
    """The best and worst photographs of a split.

    Args:
        scored: what was found.
        source: of the split's photographs, in its order.

    Raises:
        UserError: a photograph cannot be had.
    """
    names = [shown(category.name) for category in scored.split.categories]
    colours = [COLOURS[k % len(COLOURS)] for k in range(len(names))]
    worst, best = (
        [_photograph(scored, source, index, names, colours) for index in chosen]
        for chosen in choose(scored.in_use)
    )
    marked = {mark.colour: None for one in (*worst, *best) for mark in one.marks}
    legend = {n: c for n, c in zip(names, colours, strict=True) if c in marked}
    return Photographs(worst, best, legend)


def _photograph(
    scored: Scored, source: ImageSource, index: int, names: Sequence[str], colours: Sequence[str]
) -> Photograph:
    matches, record = scored.in_use[index], scored.split.images[index]
    objects = [
        Mark(
            "missed" if missed else "object",
            _box(box),
            MISSED if missed else "#fff",
            f"{names[label]}{', missed' if missed else ''}",
        )
        for label, box, missed in zip(
            matches.objects, matches.object_boxes, matches.missed, strict=True
        )
    ]
    found = [
        Mark(
            "true" if true else "false",
            _box(box),
            colours[label],
            f"{names[label]}, {score:.2f}{'' if true else ', false'}",
        )
        for label, box, score, true in zip(
            matches.labels, matches.boxes, matches.scores, matches.true, strict=True
        )
    ]
    return Photograph(
        pixels_uri(source.image(index), LONGEST),
        record.width,
        record.height,
        shown(record.file_name),
        len(objects),
        int(matches.true.sum()),
        int(matches.false.sum()),
        [*objects, *found],
    )


def _box(box: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Box:
    x, y, width, height = box.tolist()
    return x, y, width, height
