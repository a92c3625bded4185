"""Which images a training reads: of what data set, which part tested, at what size, how cut."""

from dataclasses import dataclass

from pipelines.data.dataset_spec import Fold
from pipelines.data.tiling import Tiling


@dataclass(frozen=True)
class Preparation:
    """What a prepared folder is made of; equal ones share it.

    dataset: a name, or the path of a folder.
    input_size: side of the square images, pixels.
    fold: which of its photographs are tested.
    tiling: how photographs are cut; None to squeeze them to the input size.
    """

    dataset: str
    input_size: int
    fold: Fold = Fold.PUBLISHED
    tiling: Tiling | None = None
