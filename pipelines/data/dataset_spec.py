"""Which data set to open, and how, as plain checked values."""

from dataclasses import dataclass, field
from enum import StrEnum

from pipelines.data.drawn.drawing import LARGEST_SIZE, SMALLEST_SIZE
from pipelines.system.errors import UserError

SPLIT_BLOCK = 1_000_000
"""Drawn pictures are numbered; each split starts at a multiple of this."""


class Fold(StrEnum):
    """Which photographs of a data set are tested."""

    PUBLISHED = "published"
    """Those of its own test split, or else a share of its train split."""
    FIRST = "0"
    """The first of five parts over whole bursts, which are told by the file names (`folds`)."""
    SECOND = "1"
    THIRD = "2"
    FOURTH = "3"
    FIFTH = "4"


@dataclass(frozen=True)
class DrawnSpec:
    """How many pictures to draw for each split, their side in pixels (128 to 1024), and the seed.

    The pictures of one split do not change with the numbers of the others.
    """

    train: int
    val: int
    test: int
    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        for split, count in self.counts.items():
            if not 1 <= count <= SPLIT_BLOCK:
                raise UserError(f"drawn data: {split} = {count} is not a number of images from 1")
        if not SMALLEST_SIZE <= self.size <= LARGEST_SIZE:
            raise UserError(
                f"drawn data: size {self.size} is outside {SMALLEST_SIZE} to {LARGEST_SIZE} px"
            )
        if self.seed < 0:
            raise UserError(f"drawn data: seed {self.seed} is negative; give 0 or more")

    @property
    def counts(self) -> dict[str, int]:
        """Pictures of each split."""
        return {"train": self.train, "val": self.val, "test": self.test}


@dataclass(frozen=True)
class ScenesSpec(DrawnSpec):
    """The greenhouse scenes."""

    train: int = 96
    val: int = 16
    test: int = 48
    size: int = 512


@dataclass(frozen=True)
class AerialSpec(DrawnSpec):
    """The aerial pictures."""

    train: int = 192
    val: int = 24
    test: int = 48
    size: int = 256


@dataclass(frozen=True)
class Tolerance:
    """What is accepted, counted and reported of a data set rather than stopped at.

    drop_broken: leave out broken boxes; `coco` always does, since two boxes of train2017 as
        published have no height.
    skip_broken_images: leave out photographs of one's own that cannot be read, with their boxes.
    scale_16bit: take the upper byte of one's own grey photographs of 16 bits.
    """

    drop_broken: bool = False
    skip_broken_images: bool = False
    scale_16bit: bool = False


TOLERANT = Tolerance(drop_broken=True, skip_broken_images=True, scale_16bit=True)
"""To look at a data set that may have been prepared with any of it."""


@dataclass(frozen=True)
class DatasetSpec:
    """Which data set to open, and how.

    name: one of registry.NAMES, or the path of a folder in one of folders.FORMS.
    root: the folder that holds the named data sets; if None, the environment variable
        DETECTION_DATA, else ../shared/data beside the repository.
    validation_fraction: share of the train images (0 to below 1) that becomes `val` where the
        set has none; with 0, and of folders.WHOLE, there is no `val`.
    test_fraction: share of the train images (above 0 to below 1) that becomes `test` where the set
        has neither `test` nor `val`.
    split_seed: chooses those images.
    fold: of five that share out all of the data set's photographs; `published` for its own splits.
    tolerance: what to accept rather than stop.
    tile: side in pixels of an image in laboro-mosaics; mosaic_seed: how they are grouped.
    cut: side in pixels of the tiles that dota's images are cut into; overlap: pixels that
        neighbours share.
    scenes, aerial: what to draw.
    """

    name: str
    root: str | None = None
    validation_fraction: float = 0.15
    test_fraction: float = 0.2
    split_seed: int = 0
    fold: Fold = Fold.PUBLISHED
    tolerance: Tolerance = Tolerance()
    tile: int = 256
    mosaic_seed: int = 0
    cut: int = 512
    overlap: int = 100
    scenes: ScenesSpec = field(default_factory=ScenesSpec)
    aerial: AerialSpec = field(default_factory=AerialSpec)

    def __post_init__(self) -> None:
        for name in ("validation_fraction", "test_fraction"):
            fraction = getattr(self, name)
            if not 0 <= fraction < 1 or (name == "test_fraction" and not fraction):
                raise UserError(f"{name} {fraction} is not a share from 0 to below 1")
        if min(self.tile, self.cut) < 1:
            raise UserError(f"tile {min(self.tile, self.cut)} is not a number of pixels from 1")
        if not 0 <= self.overlap < self.cut:
            raise UserError(
                f"overlap {self.overlap} is not from 0 to below the tile's {self.cut} px"
            )
        if min(self.split_seed, self.mosaic_seed) < 0:
            raise UserError("split_seed and mosaic_seed must not be negative; give 0 or more")
