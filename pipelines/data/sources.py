"""Where images with boxes come from: the one interface that preparation reads, and its forms."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.data.drawn.drawing import Scene
from pipelines.data.images import load_image
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord


class ImageSource(Protocol):
    """A split's annotations, and its images one at a time."""

    @property
    def split(self) -> CocoSplit:
        """The annotations, in the pixel frame of the images that `image` returns."""

    def image(self, index: int) -> NDArray[np.uint8]:
        """Pixels of split.images[index]: uint8 RGB of shape (height, width, 3).

        Raises UserError if the image cannot be had.
        """


@dataclass(frozen=True)
class FolderSource:
    """Image files in a folder; each call of `image` decodes and checks one file.

    most_pixels: width · height above which an image is refused; if None, PIL's limit.
    upright, scale_16bit: see load_image.
    """

    split: CocoSplit
    image_dir: Path
    most_pixels: int | None = None
    upright: bool = False
    scale_16bit: bool = False

    def image(self, index: int) -> NDArray[np.uint8]:
        """Decode split.images[index]; see load_image for the checks."""
        record = self.split.images[index]
        return load_image(
            self.image_dir / record.file_name,
            record,
            most_pixels=self.most_pixels,
            upright=self.upright,
            scale_16bit=self.scale_16bit,
        )


@dataclass(frozen=True)
class DrawnSource:
    """Pictures number `first` to `first + count - 1` of a seed, size x size pixels each.

    draw: the generator, of seed, number and size; class_names: what its class indices stand for.
    All are drawn once, at the first use, and kept (3 · size² bytes each).
    """

    draw: Callable[[int, int, int], Scene]
    class_names: tuple[str, ...]
    seed: int
    first: int
    count: int
    size: int

    @cached_property
    def _scenes(self) -> tuple[Scene, ...]:
        numbers = range(self.first, self.first + self.count)
        return tuple(self.draw(self.seed, number, self.size) for number in numbers)

    @cached_property
    def split(self) -> CocoSplit:
        """Category id k is class_names[k - 1]; image ids count from 1."""
        images = tuple(
            ImageRecord(index + 1, f"scene-{self.first + index:07d}.png", self.size, self.size)
            for index in range(self.count)
        )
        categories = tuple(Category(k, name) for k, name in enumerate(self.class_names, start=1))
        objects = (
            (image.id, int(class_index) + 1, [float(value) for value in box])
            for image, scene in zip(images, self._scenes, strict=True)
            for box, class_index in zip(scene.boxes, scene.classes, strict=True)
        )
        annotations = tuple(
            Annotation(number, image_id, category_id, (x, y, w, h), 0, w * h)
            for number, (image_id, category_id, (x, y, w, h)) in enumerate(objects, start=1)
        )
        return CocoSplit(images, categories, annotations)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Pixels of picture `first + index`, uint8 (size, size, 3)."""
        return self._scenes[index].image
