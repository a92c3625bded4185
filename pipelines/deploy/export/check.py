"""Is the exported file the same detector? Compared with PyTorch, before suppression and after.

A file is held to the candidates of suppression as well, whatever their scores: of a detector that
finds nothing in the images there is nothing else to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from method.detection import Detections, Selection
from method.lapnet.detector import LapNet
from method.ssd import SSD
from pipelines.deploy.export.candidates import all_candidates_of
from pipelines.deploy.export.graph import with_candidates
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.training.step import to_batch

BOX_TOLERANCE = 0.5
"""Pixels of the input, at any side of a box."""
SCORE_TOLERANCE = 1e-3
"""Of a detection's score; of a candidate's, which may be small, this share of it."""


@dataclass(frozen=True)
class Agreement:
    """How far what two detectors find in the same images is apart."""

    pairs: int
    """What both found."""
    box_pixels: float
    """Largest difference of a box's side among these."""
    score: float
    """Largest difference of a score among these."""
    alone: int
    """What only one of them found, within the tolerances."""

    def __str__(self) -> str:
        return (
            f"{self.pairs} agree, boxes within {self.box_pixels:.2g} px, scores within "
            f"{self.score:.2g}; {self.alone} stand alone"
        )


@dataclass(frozen=True)
class Comparison:
    """A file beside PyTorch."""

    candidates: Agreement
    """Of the file's candidates with all of PyTorch's."""
    detections: Agreement
    """One to one; those that only a limit of the selection parts, the score floor or the number
    kept, do not stand alone."""

    @property
    def fault(self) -> str | None:
        """What is wrong with the file, if anything is."""
        if self.candidates.alone or self.detections.alone:
            return (
                f"it differs from PyTorch by more than {BOX_TOLERANCE} px or {SCORE_TOLERANCE} "
                "in score"
            )
        if not self.candidates.pairs:
            return "no image has a candidate to compare with PyTorch's; give more --images"
        return None

    def __str__(self) -> str:
        return f"candidates: {self.candidates}\ndetections: {self.detections}"


def compare(
    detector: SSD | LapNet, model: onnx.ModelProto, images: NDArray[np.uint8]
) -> Comparison:
    """Compare what PyTorch and a file find in N×S×S×3 images, at least one."""
    every = all_candidates_of(detector).eval()
    file = OnnxDetector(model.SerializeToString())
    inside = OnnxDetector(with_candidates(model).SerializeToString())
    selection = detector.config.selection
    candidates, detections = [], []
    for number in range(len(images)):
        one = images[number : number + 1]
        batch = to_batch(one, torch.device("cpu"))
        with torch.inference_mode():
            known = Detections(*every(torch.from_numpy(one)))
            candidates.append(compare_candidates(inside.detect(batch)[0], known, selection))
            found = detector.detect(batch)[0], file.detect(batch)[0]
            detections.append(compare_detections(*found, selection))
    return Comparison(_sum(candidates), _sum(detections))


def compare_candidates(found: Detections, known: Detections, selection: Selection) -> Agreement:
    """Look up each candidate of a file among all of PyTorch's; both best first.

    Each must be there with its box and score, and have the score of its place in the order: the
    best so many were chosen. Where several are equally good, it does not matter which. Those with a
    score of 0 are no candidates.
    """
    count = min(len(found.scores), int((known.scores > 0).sum()))
    boxes, scores, labels = found.boxes[:count], found.scores[:count], found.labels[:count]
    tolerance = SCORE_TOLERANCE * known.scores[:count]
    score_apart = (scores - known.scores[:count]).abs()
    box_apart = torch.full_like(scores, torch.inf)
    for label in labels.unique():
        own, theirs = labels == label, known.labels == label
        apart = torch.cdist(boxes[own], known.boxes[theirs], p=torch.inf)
        alike = (scores[own, None] - known.scores[theirs]).abs() <= tolerance[own, None]
        box_apart[own] = apart.masked_fill(~alike, torch.inf).amin(dim=1)
    agree = (score_apart <= tolerance) & (box_apart <= BOX_TOLERANCE)
    agree &= boxes.isfinite().all(dim=1)  # cdist passes over a NaN
    surplus = int((found.scores[count:] != 0).sum())
    return Agreement(
        int(agree.sum()),
        max(box_apart[agree].tolist(), default=0.0),
        max(score_apart[agree].tolist(), default=0.0),
        int((~agree).sum()) + surplus,
    )


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
        pairs=sum(part.pairs for part in parts),
        box_pixels=max(part.box_pixels for part in parts),
        score=max(part.score for part in parts),
        alone=sum(part.alone for part in parts),
    )
