"""Why detections are false and objects missed: the six errors of TIDE, and a confusion matrix.

D. Bolya, S. Foley, J. Hays, J. Hoffman: TIDE: A General Toolbox for Identifying Object Detection
Errors. ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluation.coco import RECALLS
from pipelines.own_data.run_page.matches import FOUND, ImageMatches

BACKGROUND = 0.1
"""Overlap up to which a detection touches no object."""


class ErrorKind(StrEnum):
    """The six, in TIDE's order."""

    CLASS = "class"
    LOCATION = "location"
    BOTH = "both"
    DUPLICATE = "duplicate"
    BACKGROUND = "background"
    MISSED = "missed"


@dataclass(frozen=True)
class ErrorType:
    """One of the six over a split."""

    kind: ErrorKind
    count: int
    cost: float
    """Points of AP50 that its mending alone would gain."""


@dataclass(frozen=True)
class _Fault:
    """A false detection: what it is, and the free object that it would find."""

    kind: ErrorKind
    image: int
    place: int
    """Of the detection in its image."""
    score: float
    target: int | None = None
    """Of the object in its image."""


def error_types(images: Sequence[ImageMatches], classes: int) -> list[ErrorType]:
    """Count each error, and what mending it alone gains.

    A detection of a wrong class or place becomes a true one if it is the best that means its
    object and this is not found, and is left out otherwise; the other false ones are left out, and
    a missed object is no longer asked for.

    Args:
        images: the detections and objects of a split.
        classes: how many there are.
    """
    faults = [f for i, image in enumerate(images) for f in _faults(i, image)]
    best: dict[tuple[int, int], _Fault] = {}
    for fault in sorted(faults, key=lambda f: -f.score):
        if fault.target is not None:
            best.setdefault((fault.image, fault.target), fault)
    chosen = set(best.values())
    missed = [
        (i, int(k))
        for i, image in enumerate(images)
        for k in np.flatnonzero(image.missed)
        if (i, k) not in best
    ]
    before = _mean_ap(images, classes, {}, set())
    found = []
    for kind in ErrorKind:
        dropped = set(missed if kind is ErrorKind.MISSED else [])
        mended = {
            (f.image, f.place): f.target if f in chosen else None for f in faults if f.kind is kind
        }
        gain = _mean_ap(images, classes, mended, dropped) - before
        found.append(ErrorType(kind, len(dropped) + len(mended), gain))
    return found


def _faults(number: int, image: ImageMatches) -> list[_Fault]:
    """What is wrong with each false detection of an image."""
    faults = []
    for place in np.flatnonzero(image.false):
        overlaps = image.overlaps[place]
        same = np.where(image.objects == image.labels[place], overlaps, 0)
        other = np.where(image.objects != image.labels[place], overlaps, 0)
        kind, target = ErrorKind.BOTH, None
        if overlaps.max(initial=0) <= BACKGROUND:
            kind = ErrorKind.BACKGROUND
        elif BACKGROUND <= same.max() < FOUND:
            kind, target = ErrorKind.LOCATION, int(same.argmax())
        elif other.max() >= FOUND:
            kind, target = ErrorKind.CLASS, int(other.argmax())
        elif same.max() >= FOUND:
            kind = ErrorKind.DUPLICATE
        if target is not None and not image.missed[target]:
            target = None
        faults.append(_Fault(kind, number, int(place), float(image.scores[place]), target))
    return faults


def _mean_ap(
    images: Sequence[ImageMatches],
    classes: int,
    mended: Mapping[tuple[int, int], int | None],
    dropped: Set[tuple[int, int]],
) -> float:
    """AP50 in percent, with some errors mended; 100 where no object is asked for any more.

    Args:
        images: the detections and objects of a split.
        classes: how many there are.
        mended: image and place of detections, to the object that each finds now; None to leave it
            out.
        dropped: image and place of objects that are not asked for.
    """
    scores: list[list[float]] = [[] for _ in range(classes)]
    true: list[list[bool]] = [[] for _ in range(classes)]
    objects = [0] * classes
    for i, image in enumerate(images):
        for k, label in enumerate(image.objects):
            objects[label] += (i, k) not in dropped
        for k in np.flatnonzero(~image.ignored):
            label, hit = image.labels[k], bool(image.true[k])
            if (i, k) in mended:
                target = mended[i, k]
                if target is None:
                    continue
                label, hit = image.objects[target], True
            scores[label].append(image.scores[k])
            true[label].append(hit)
    values = [
        average_precision(np.array(own), np.array(hits, bool), count)
        for own, hits, count in zip(scores, true, objects, strict=True)
        if count
    ]
    return 100 * float(np.mean(values)) if values else 100.0


def average_precision(scores: NDArray[np.float64], true: NDArray[np.bool_], objects: int) -> float:
    """COCO's AP of one class at one overlap, from 0 to 1."""
    if not true.any():
        return 0.0
    hits = np.cumsum(true[np.argsort(-scores, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    return float(envelope[np.searchsorted(hits / objects, RECALLS)].mean())


def confusion(images: Sequence[ImageMatches], classes: int) -> NDArray[np.int64]:
    """(classes + 1)²: a row an object's class, a column what it is taken for; the last: background.

    What finds an object of its class stands on the diagonal. Of the rest, detections and objects
    of two classes that overlap by half are paired, the most overlapping first.

    Args:
        images: with the detections alone that are kept in use.
        classes: how many there are.
    """
    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    for image in images:
        np.add.at(matrix, (image.labels[image.true], image.labels[image.true]), 1)
        false, missed = np.flatnonzero(image.false), np.flatnonzero(image.missed)
        left = image.overlaps[np.ix_(false, missed)].copy()
        taken, confused = np.zeros(len(false), bool), np.zeros(len(missed), bool)
        while left.size and left.max() >= FOUND:
            row, column = np.unravel_index(left.argmax(), left.shape)
            matrix[image.objects[missed[column]], image.labels[false[row]]] += 1
            taken[row], confused[column] = True, True
            left[row], left[:, column] = 0, 0
        np.add.at(matrix[classes], image.labels[false[~taken]], 1)
        np.add.at(matrix[:, classes], image.objects[missed[~confused]], 1)
    return matrix
