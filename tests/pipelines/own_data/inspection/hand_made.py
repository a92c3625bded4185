"""Data sets of which a test knows everything."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.data.records import Annotation, Box, Category, CocoSplit, ImageRecord

SIDE = 200
IMAGES = 40
BOXES: tuple[Box, Box] = (10.0, 10.0, 60.0, 50.0), (100.0, 100.0, 50.0, 60.0)


def blobs(seed, size=(SIDE, SIDE)):
    """A colourful image like no other: 8×8 random colours, enlarged."""
    colours = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC))


@dataclass
class HandMade:
    """A split that a test alters: 40 images with one object of each of two classes."""

    name: str
    names: Sequence[str] = ("apple", "pear")
    sizes: list[tuple[int, int]] = field(default_factory=lambda: [(SIDE, SIDE)] * IMAGES)
    objects: list[tuple[int, int, Box]] = field(
        default_factory=lambda: [(i, k, BOXES[k]) for i in range(IMAGES) for k in (0, 1)]
    )
    """Position of the image, of the class, and the box."""
    pixels: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    files: dict[int, str] = field(default_factory=dict)
    decoded: int = 0

    @property
    def split(self):
        return CocoSplit(
            tuple(
                ImageRecord(i + 1, self.files.get(i, f"{self.name}-{i:02d}.png"), *size)
                for i, size in enumerate(self.sizes)
            ),
            tuple(Category(k + 1, name) for k, name in enumerate(self.names)),
            tuple(
                Annotation(n, i + 1, k + 1, box, 0, box[2] * box[3])
                for n, (i, k, box) in enumerate(self.objects, start=1)
            ),
        )

    def image(self, index):
        self.decoded += 1
        own = self.pixels.get(index)
        seed = [len(self.name), ord(self.name[0]), index]
        return blobs(seed, self.sizes[index]) if own is None else own

    def add(self, box, label=0, image=0):
        self.objects.append((image, label, box))


def clean_data():
    """A data set in which nothing is suspicious."""
    return {name: HandMade(name) for name in ("train", "val", "test")}
