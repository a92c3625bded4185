"""How large photographs are cut into overlapping square tiles: where they lie, and their pixels."""

from argparse import ArgumentParser
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.system.errors import UserError

SMALLEST_TILE = 32
LARGEST_OVERLAP = 0.9
DEFAULT_OVERLAP = 0.2


@dataclass(frozen=True)
class Tiling:
    """Square tiles of which neighbours share a part.

    size: side of a tile, pixels of the photograph, SMALLEST_TILE or more.
    overlap: share of the side that neighbours have in common, 0 to LARGEST_OVERLAP.

    Raises ValueError if a value is none of these.
    """

    size: int
    overlap: float = DEFAULT_OVERLAP

    def __post_init__(self) -> None:
        if self.size < SMALLEST_TILE:
            raise ValueError(f"tiles must be {SMALLEST_TILE} px or more, not {self.size}")
        if not 0 <= self.overlap <= LARGEST_OVERLAP:
            raise ValueError(f"overlap of tiles must be 0 to {LARGEST_OVERLAP}, not {self.overlap}")

    def __str__(self) -> str:
        return f"tiles of {self.size} px that share {self.overlap:g}"

    @property
    def shared(self) -> int:
        """Pixels that neighbours share: an object of sides up to this is whole in some tile."""
        return round(self.size * self.overlap)

    def starts(self, length: int) -> list[int]:
        """First pixels of the tiles along a side of a photograph."""
        return starts(length, self.size, self.shared)

    def corners(self, width: int, height: int) -> list[tuple[int, int]]:
        """Left and top of each tile of a photograph, row by row."""
        return [(left, top) for top in self.starts(height) for left in self.starts(width)]


def starts(length: int, size: int, shared: int) -> list[int]:
    """First pixels of the tiles along a side of `length` pixels, of which neighbours share some.

    The last is moved inwards to end at the photograph's edge, and shares more. A side shorter than
    a tile has one tile, which reaches beyond it.
    """
    last = max(length - size, 0)
    return [*range(0, last, size - shared), last]


def cut_tile(image: NDArray[np.uint8], left: int, top: int, size: int) -> NDArray[np.uint8]:
    """A copy of a tile's pixels, (size, size, 3), black where it reaches beyond its photograph."""
    pixels = image[top : top + size, left : left + size]
    canvas = np.zeros((size, size, 3), np.uint8)
    canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
    return canvas


def add_tiling_options(parser: ArgumentParser, what: str) -> None:
    """The options `--tiles` and `--overlap`; `what` says what the first does."""
    parser.add_argument("--tiles", type=int, metavar="S", help=f"{what}, of S px a side")
    parser.add_argument(
        "--overlap",
        type=float,
        metavar="SHARE",
        help=f"share of a tile's side that the next one has too (0 to {LARGEST_OVERLAP:g}; "
        f"{DEFAULT_OVERLAP:g}), best above the objects' sides",
    )


def add_cutting_options(parser: ArgumentParser) -> None:
    """Those and `--whole`, for a model that was trained one way or the other."""
    add_tiling_options(parser, "cut photographs into tiles, by default as the model was trained")
    parser.add_argument(
        "--whole", action="store_true", help="squeeze photographs to the input, without tiles"
    )


def asked_tiling(size: int | None, overlap: float | None, *, whole: bool = False) -> Tiling | None:
    """The tiling that the options `--tiles` and `--overlap` ask for; None without a size.

    Raises:
        UserError: a value out of range, an overlap without a size, or a size beside `--whole`.
    """
    if whole and size is not None:
        raise UserError("--whole and --tiles exclude each other; give one of them")
    if size is None and overlap is not None:
        raise UserError("--overlap goes with --tiles; give the side of the tiles too")
    if size is None:
        return None
    try:
        return Tiling(size, DEFAULT_OVERLAP if overlap is None else overlap)
    except ValueError as error:
        raise UserError(str(error)) from None


def asked_input_size(size: int | None, tiling: Tiling | None) -> int:
    """The input size that the option `--input-size` asks for; else the tiles' side, else 512."""
    if size is not None:
        return size
    return tiling.size if tiling else 512
