"""The objects of a split as arrays, which every rule reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from method.scale import relative_sizes
from pipelines.data.records import CocoSplit
from pipelines.data.sources import ImageSource
from pipelines.own_data.inspection.kinds import MOST_EXAMPLES, Example, Kind, Suspicion
from pipelines.own_data.inspection.wording import out_of


@dataclass(frozen=True)
class Objects:
    """The N single objects of one split, in the order of its annotations.

    Crowd regions are left out: training and evaluation do not take them for objects.
    """

    name: str
    """Of the split."""
    split: CocoSplit
    ids: NDArray[np.int64]
    """N annotation ids."""
    image: NDArray[np.int64]
    """N positions in `split.images`."""
    label: NDArray[np.int64]
    """N positions in `split.categories`."""
    boxes: NDArray[np.float64]
    """N×4, `xywh`, pixels of the image."""

    @classmethod
    def of(cls, name: str, split: CocoSplit) -> Objects:
        """The objects of a checked split."""
        images = {image.id: i for i, image in enumerate(split.images)}
        labels = {category.id: i for i, category in enumerate(split.categories)}
        own = [a for a in split.annotations if not a.iscrowd]
        return cls(
            name,
            split,
            np.array([a.id for a in own], np.int64),
            np.array([images[a.image_id] for a in own], np.int64),
            np.array([labels[a.category_id] for a in own], np.int64),
            np.array([a.bbox for a in own], np.float64).reshape(-1, 4),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def class_names(self) -> list[str]:
        """Names of the declared classes, by label."""
        return [category.name for category in self.split.categories]

    @cached_property
    def sides(self) -> NDArray[np.float64]:
        """Width and height of each image, pixels; one row an image."""
        return np.array([(i.width, i.height) for i in self.split.images], np.float64).reshape(-1, 2)

    @cached_property
    def sizes(self) -> NDArray[np.float64]:
        """N relative sizes, percent (§3.1)."""
        x, y, width, height = self.boxes.T
        corners = torch.from_numpy(np.stack([x, y, x + width, y + height], axis=1))
        return relative_sizes(corners, torch.from_numpy(self.sides[self.image])).numpy()

    @cached_property
    def class_counts_by_image(self) -> NDArray[np.int64]:
        """Images×classes: how many objects."""
        shape = len(self.split.images), len(self.split.categories)
        places = self.image * shape[1] + self.label
        return np.bincount(places, minlength=shape[0] * shape[1]).reshape(shape)

    @property
    def class_counts(self) -> NDArray[np.int64]:
        """Objects of each class."""
        return self.class_counts_by_image.sum(axis=0)

    @property
    def counts_by_image(self) -> NDArray[np.int64]:
        """Objects in each image."""
        return self.class_counts_by_image.sum(axis=1)

    def examples(self, found: NDArray[np.int64]) -> list[Example]:
        """The first of the objects at these positions."""
        return [self._example(i) for i in found[:MOST_EXAMPLES]]

    def suspect_boxes(self, kind: Kind, found: NDArray[np.int64], what: str) -> list[Suspicion]:
        """A suspicion about the objects at these positions; none if there are none."""
        if not len(found):
            return []
        sentence = f"{out_of(len(found), len(self), 'boxes')}: {what}"
        return [Suspicion(kind, self.name, sentence, len(found), self.examples(found))]

    def suspect_images(self, kind: Kind, found: NDArray[np.int64], what: str) -> list[Suspicion]:
        """A suspicion about the images at these positions; none if there are none."""
        if not len(found):
            return []
        images = self.split.images
        examples = [Example(self.name, images[i].file_name) for i in found[:MOST_EXAMPLES]]
        sentence = f"{out_of(len(found), len(images), 'images')}: {what}"
        return [Suspicion(kind, self.name, sentence, len(found), examples)]

    def _example(self, i: int) -> Example:
        x, y, width, height = (float(value) for value in self.boxes[i])
        file_name = self.split.images[self.image[i]].file_name
        return Example(self.name, file_name, int(self.ids[i]), (x, y, width, height))


def read_objects(sources: Mapping[str, ImageSource]) -> dict[str, Objects]:
    """The objects of every split."""
    return {name: Objects.of(name, source.split) for name, source in sources.items()}
