"""A small source of images, and what a folder holds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.system.errors import UserError


@dataclass
class Noise:
    """Two images, 40x20 and 20x30, of seeded noise; counts how often each is decoded."""

    seed: int = 0
    fails_at: int = -1

    def __post_init__(self) -> None:
        self.decoded = [0, 0]

    @property
    def split(self) -> CocoSplit:
        return CocoSplit(
            (ImageRecord(3, "a.png", 40, 20), ImageRecord(4, "b.png", 20, 30)),
            (Category(2, "unripe"), Category(7, "ripe")),
            (
                Annotation(11, 3, 7, (10.0, 5.0, 20.0, 10.0), 0, 200.0),
                Annotation(12, 3, 2, (0.0, 0.0, 40.0, 20.0), 1, 800.0),
                Annotation(13, 3, 2, (0.0, 0.0, 40.0, 20.0), 0, 700.0),
            ),
        )

    def image(self, index: int) -> NDArray[np.uint8]:
        if index == self.fails_at:
            raise UserError("b.png: cannot be decoded")
        self.decoded[index] += 1
        record = self.split.images[index]
        rng = np.random.default_rng([self.seed, index])
        return rng.integers(0, 256, (record.height, record.width, 3), dtype=np.uint8)


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
