"""All that the page says in numbers: a model's detections in one split, scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.data.prepared import PreparedSplit
from pipelines.data.records import CocoSplit
from pipelines.data.tiling import Tiling
from pipelines.evaluation.coco import Score, match_records, most_counted, score_records
from pipelines.own_data.run_page.curves import NEVER, Calibration, Curve, calibration, class_curves
from pipelines.own_data.run_page.errors import ErrorType, confusion, error_types
from pipelines.own_data.run_page.matches import ImageMatches, match_images
from pipelines.training.health.measures import ladder

SIDES = (0, 4, 8, 16, 32, 64, 128, 256, np.inf)
"""Edges of the ranges of sizes, pixels of the network's input."""


@dataclass(frozen=True)
class ClassFigures:
    """One class, in percent; NaN without objects."""

    name: str
    objects: int
    figures: Mapping[str, float]
    """COCO's twelve by name, of this class alone."""
    curve: Curve


@dataclass(frozen=True)
class SizeRange:
    """The objects of one range of sizes."""

    low: float
    high: float
    """Side of the equal square in the network's input, pixels."""
    objects: int
    found: int
    """By any detection of their class."""
    kept: int
    """By one that reaches its class's threshold."""


@dataclass(frozen=True)
class Scored:
    """Detections in a split, and what follows from them."""

    split: CocoSplit
    detections: Sequence[Mapping[str, Any]]
    """COCO results, in original pixels."""
    input_size: int
    """Side of the network's input, pixels."""
    tiling: Tiling | None = None
    """How photographs were cut for it; None where they were squeezed to the input."""

    @property
    def most(self) -> int:
        """Detections of a class that count in a photograph."""
        return most_counted(self.split, self.tiling)

    @cached_property
    def records(self) -> pd.DataFrame:
        """Match records."""
        return match_records(self.split.to_coco(), self.detections, self.most)

    @cached_property
    def score(self) -> Score:
        """COCO's figures, in percent."""
        return score_records(self.records)

    @cached_property
    def curves(self) -> dict[str, Curve]:
        """Precision, recall and F1 of each class that has objects or detections."""
        return class_curves(self.records)

    @cached_property
    def classes(self) -> list[ClassFigures]:
        """Every class that has objects or detections, the commonest first."""
        by_class = self.records.groupby("class", sort=False)
        found = [
            ClassFigures(
                name, curve.objects, score_records(by_class.get_group(name)).figures, curve
            )
            for name, curve in self.curves.items()
        ]
        return sorted(found, key=lambda own: -own.objects)

    @cached_property
    def thresholds(self) -> NDArray[np.float64]:
        """The recommended score of each class, by label: that of its best F1."""
        names = [category.name for category in self.split.categories]
        return np.array([self.curves[n].threshold if n in self.curves else NEVER for n in names])

    @cached_property
    def images(self) -> tuple[ImageMatches, ...]:
        """Matches in each image, of all detections."""
        return match_images(self.split, self.detections, self.most)

    @cached_property
    def in_use(self) -> tuple[ImageMatches, ...]:
        """Matches in each image, of the detections that reach their class's threshold."""
        return tuple(image.above(self.thresholds) for image in self.images)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(classes + 1)²; see `errors.confusion`."""
        return confusion(self.in_use, len(self.split.categories))

    @cached_property
    def errors(self) -> list[ErrorType]:
        """TIDE's six."""
        return error_types(self.images, len(self.split.categories))

    @cached_property
    def calibration(self) -> Calibration:
        """Scores against the share that is true."""
        return calibration(self.records)

    @cached_property
    def ladder(self) -> dict[str, float | None]:
        """AP at each overlap from 0.10 to 0.95 alone, in percent."""
        without_pixels = np.empty((len(self.split.images), 0, 0, 3), np.uint8)
        return ladder(PreparedSplit(without_pixels, self.split), self.detections, self.most)

    @cached_property
    def sizes(self) -> list[SizeRange]:
        """Recall by size, of the ranges that have objects."""
        sides, found, kept = [], [], []
        for record, image, used in zip(self.split.images, self.images, self.in_use, strict=True):
            taken = np.sqrt(image.object_boxes[:, 2:].prod(axis=1))
            stretched = self.tiling.size if self.tiling else np.sqrt(record.width * record.height)
            sides.append(taken * self.input_size / stretched)
            found.append(~image.missed)
            kept.append(~used.missed)
        side, any_score, used_score = map(np.concatenate, (sides, found, kept))
        place = np.searchsorted(SIDES, side, side="right") - 1
        return [
            SizeRange(
                SIDES[k],
                SIDES[k + 1],
                int(own.sum()),
                int(any_score[own].sum()),
                int(used_score[own].sum()),
            )
            for k in range(len(SIDES) - 1)
            if (own := place == k).any()
        ]
