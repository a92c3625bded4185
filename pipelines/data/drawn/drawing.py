"""What the generators of pictures share: the drawn scene, its random streams, its clipped boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_SIZE, LARGEST_SIZE = 128, 1024


@dataclass(frozen=True)
class Scene:
    """One picture with its labelled objects.

    `image` is uint8 size×size×3, RGB. `boxes` is float64 N×4: x and y of the upper left corner,
    width and height in pixels, the extent of each object's whole outline clipped to the image.
    `classes` is int64 N, indices into the CLASSES of the generator.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    classes: NDArray[np.int64]


def streams(seed: int, index: int, size: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Random numbers for the layout and for the pixels of picture `index` of the set `seed`.

    Raises ValueError if the side of the picture is outside SMALLEST_SIZE to LARGEST_SIZE.
    """
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise ValueError(f"size {size} is outside {SMALLEST_SIZE} to {LARGEST_SIZE}")
    layout, pixels = np.random.SeedSequence([seed, index]).spawn(2)
    return (
        np.random.Generator(np.random.PCG64(layout)),
        np.random.Generator(np.random.PCG64(pixels)),
    )


def box_in_image(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
    """The part of a rectangle within the unit square: x, y, width and height."""
    left, top = max(x0, 0.0), max(y0, 0.0)
    return left, top, min(x1, 1.0) - left, min(y1, 1.0) - top
