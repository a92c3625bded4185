"""What the generators of pictures share: the drawn scene, its random streams, its clipped boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Corners = tuple[float, float, float, float]

SMALLEST_SIZE, LARGEST_SIZE = 128, 1024


@dataclass(frozen=True)
class Scene:
    """One picture with its labelled objects.

    `image` is uint8 size×size×3, RGB. `boxes` is float64 N×4: x and y of the upper left corner,
    width and height in pixels, the extent of each object's whole outline clipped to the image,
    rounded to hundredths.
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


def boxes_in_image(corners: Sequence[Corners], size: int) -> NDArray[np.float64]:
    """The parts of rectangles within an image of `size` pixels square, as `Scene.boxes`.

    `corners` are x0, y0, x1 and y1 in fractions of the side. Pixels are rounded to hundredths:
    sines may differ in the last bit from processor to processor, and labels must not.
    """
    fractions = np.array(corners, np.float64).reshape(-1, 4)
    pixels = (fractions.clip(0, 1) * size).round(2)
    upper_left, lower_right = pixels[:, :2], pixels[:, 2:]
    return np.hstack([upper_left, (lower_right - upper_left).round(2)])
