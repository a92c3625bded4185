"""Is the exported file the same detector? Compared with PyTorch, detection by detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from method.detection import Detections, Selection
from method.detector import Detector
from pipelines.steps import to_batch

BOX_TOLERANCE = 0.5
"""Pixels of the input, at any side of a box."""
SCORE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Agreement:
    """How far the detections of two detectors on the same images are apart."""

    detections: int
    """Of both together, in one-to-one correspondence."""
    box_pixels: float
    """Largest difference of a box's side among these."""
    score: float
    """Largest difference of a score among these."""
    alone: int
    """Detections of one that the other has not, within the tolerances; those that only a limit of
    the selection parts, the score floor or the number kept, do not count."""

    def __str__(self) -> str:
        return (
            f"{self.detections} detections agree, boxes within {self.box_pixels:.2g} px, scores "
            f"within {self.score:.2g}; {self.alone} stand alone"
        )


def compare(
    one: Detector, other: Detector, images: NDArray[np.uint8], selection: Selection
) -> Agreement:
    """Compare what two detectors find in N×S×S×3 images; `selection` is the rule of both."""
    parts = []
    for number in range(len(images)):
        batch = to_batch(images[number : number + 1], torch.device("cpu"))
        with torch.inference_mode():
            parts.append(
                compare_detections(one.detect(batch)[0], other.detect(batch)[0], selection)
            )
    return _sum(parts)


def compare_detections(one: Detections, other: Detections, selection: Selection) -> Agreement:
    """Pair the detections of an image, best first, each with the nearest box of its class."""
    free = torch.ones(len(other.scores), dtype=torch.bool)
    apart_by, score_by, lonely = [0.0], [0.0], []
    for box, score, label in zip(one.boxes, one.scores, one.labels, strict=True):
        apart = (other.boxes - box).abs().amax(dim=1)
        score_apart = (other.scores - score).abs()
        fits = free & (other.labels == label)
        fits &= (apart <= BOX_TOLERANCE) & (score_apart <= SCORE_TOLERANCE)
        if not fits.any():
            lonely.append(float(score))
            continue
        nearest = int(torch.where(fits, apart, torch.inf).argmin())
        free[nearest] = False
        apart_by.append(float(apart[nearest]))
        score_by.append(float(score_apart[nearest]))
    lonely += other.scores[free].tolist()
    limit = max(_limit(one, selection), _limit(other, selection)) + SCORE_TOLERANCE
    return Agreement(
        len(apart_by) - 1, max(apart_by), max(score_by), sum(score > limit for score in lonely)
    )


def _limit(found: Detections, selection: Selection) -> float:
    """The score below which the selection cuts."""
    full = len(found.scores) >= selection.most
    return float(found.scores[-1]) if full else selection.score_floor


def _sum(parts: Sequence[Agreement]) -> Agreement:
    return Agreement(
        detections=sum(part.detections for part in parts),
        box_pixels=max(part.box_pixels for part in parts),
        score=max(part.score for part in parts),
        alone=sum(part.alone for part in parts),
    )
