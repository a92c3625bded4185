"""Which detection found which object at an overlap of 0.50, by COCO's rule, and all overlaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask

from pipelines.data.records import CocoSplit
from pipelines.evaluation.coco import MOST_DETECTIONS

FOUND = 0.5
"""Overlap (IoU) from which on a detection finds an object."""
NONE = -1


@dataclass(frozen=True)
class ImageMatches:
    """The n detections and the m objects of one image, crowd regions left out."""

    labels: NDArray[np.int64]
    """n, of the detections, best score first: positions in the split's categories."""
    scores: NDArray[np.float64]
    """n."""
    boxes: NDArray[np.float64]
    """n×4, `xywh`, pixels of the image."""
    objects: NDArray[np.int64]
    """m, labels of the objects."""
    object_boxes: NDArray[np.float64]
    """m×4, `xywh`."""
    overlaps: NDArray[np.float64]
    """n×m, IoU, whatever the classes."""
    found: NDArray[np.int64]
    """n, the object that a detection finds, or NONE."""
    ignored: NDArray[np.bool_]
    """n, whether it lies on a crowd region of its class and counts neither as true nor false."""

    def above(self, thresholds: NDArray[np.float64]) -> ImageMatches:
        """With the detections whose score reaches the threshold of their class alone.

        A better detection chooses its object before a worse one, so that no match changes.
        """
        kept = self.scores >= thresholds[self.labels]
        return ImageMatches(
            self.labels[kept],
            self.scores[kept],
            self.boxes[kept],
            self.objects,
            self.object_boxes,
            self.overlaps[kept],
            self.found[kept],
            self.ignored[kept],
        )

    @property
    def true(self) -> NDArray[np.bool_]:
        """n."""
        return self.found != NONE

    @property
    def false(self) -> NDArray[np.bool_]:
        """n."""
        return ~self.true & ~self.ignored

    @property
    def missed(self) -> NDArray[np.bool_]:
        """m, objects that no detection of their class finds."""
        missed = np.ones(len(self.objects), bool)
        missed[self.found[self.true]] = False
        return missed


def match_images(
    split: CocoSplit, detections: Iterable[Mapping[str, Any]], most: int = MOST_DETECTIONS
) -> tuple[ImageMatches, ...]:
    """Match the detections of every image of a split, in the order of its images.

    Args:
        split: the objects.
        detections: COCO results.
        most: the best so many of each class and image count.
    """
    label = {category.id: k for k, category in enumerate(split.categories)}
    by_image: defaultdict[int, list[tuple[float, int, Sequence[float]]]] = defaultdict(list)
    for found in detections:
        place = found["score"], label[found["category_id"]], found["bbox"]
        by_image[found["image_id"]].append(place)
    matched = []
    for image, own in zip(split.images, split.annotations_by_image(), strict=True):
        one, many = ([a for a in own if bool(a.iscrowd) is crowd] for crowd in (False, True))
        best = _best_of_each_class(by_image[image.id], most)
        matched.append(
            _match(
                np.array([score for score, _, _ in best], np.float64),
                np.array([label for _, label, _ in best], np.int64),
                _boxes([box for _, _, box in best]),
                np.array([label[a.category_id] for a in one], np.int64),
                _boxes([a.bbox for a in one]),
                np.array([label[a.category_id] for a in many], np.int64),
                _boxes([a.bbox for a in many]),
            )
        )
    return tuple(matched)


def _best_of_each_class(
    found: Sequence[tuple[float, int, Sequence[float]]], most: int
) -> list[tuple[float, int, Sequence[float]]]:
    """The detections of one image, best first, without those beyond the limit of their class."""
    counts: defaultdict[int, int] = defaultdict(int)
    kept = []
    for one in sorted(found, key=lambda one: -one[0]):
        counts[one[1]] += 1
        if counts[one[1]] <= most:
            kept.append(one)
    return kept


def _match(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    boxes: NDArray[np.float64],
    objects: NDArray[np.int64],
    object_boxes: NDArray[np.float64],
    crowds: NDArray[np.int64],
    crowd_boxes: NDArray[np.float64],
) -> ImageMatches:
    """Each detection, the best first, takes the free object of its class that it overlaps most."""
    overlaps = _overlaps(boxes, object_boxes, crowd=False)
    on_crowd = _overlaps(boxes, crowd_boxes, crowd=True)
    found, ignored = np.full(len(labels), NONE), np.zeros(len(labels), bool)
    free = np.ones(len(objects), bool)
    for k, label in enumerate(labels):
        own = np.where(free & (objects == label), overlaps[k], 0)
        if len(own) and own.max() >= FOUND:
            # of equal overlaps the last, as pycocotools has it
            found[k] = len(own) - 1 - own[::-1].argmax()
            free[found[k]] = False
        else:
            ignored[k] = (on_crowd[k][crowds == label] >= FOUND).any()
    return ImageMatches(labels, scores, boxes, objects, object_boxes, overlaps, found, ignored)


def _boxes(boxes: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.array(boxes, np.float64).reshape(-1, 4)


def _overlaps(
    boxes: NDArray[np.float64], others: NDArray[np.float64], *, crowd: bool
) -> NDArray[np.float64]:
    """n×m IoU; over the detection's own area where the others are crowd regions."""
    if not len(boxes) or not len(others):
        return np.zeros((len(boxes), len(others)))
    overlaps: NDArray[np.float64] = mask.iou(boxes, others, np.full(len(others), crowd))
    return overlaps
