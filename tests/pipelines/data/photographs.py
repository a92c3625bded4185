"""Photographs of noise, of any size and with any objects."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.data.records import Annotation, Box, Category, CocoSplit, ImageRecord


@dataclass
class Photos:
    """Images of seeded noise; lists which were decoded."""

    split: CocoSplit
    decoded: list[int] = field(default_factory=list)

    def image(self, index: int) -> NDArray[np.uint8]:
        self.decoded.append(index)
        record = self.split.images[index]
        rng = np.random.default_rng(index)
        return rng.integers(1, 256, (record.height, record.width, 3), dtype=np.uint8)


def photos(sizes: Sequence[tuple[int, int]], boxes: Sequence[tuple[int, Box, int]]) -> Photos:
    """Images of these (width, height); boxes are (position of the image, bbox, iscrowd).

    Category k is box k's own.
    """
    images = tuple(ImageRecord(100 + k, f"P{k}.png", *size) for k, size in enumerate(sizes))
    categories = tuple(Category(k, f"class {k}") for k in range(len(boxes)))
    annotations = tuple(
        Annotation(50 + k, 100 + image, k, bbox, crowd, bbox[2] * bbox[3])
        for k, (image, bbox, crowd) in enumerate(boxes)
    )
    return Photos(CocoSplit(images, categories, annotations))
