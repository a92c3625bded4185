"""A photograph as a network sees it: squeezed to the input, or in tiles of that size."""

import numpy as np
from numpy.typing import NDArray

from pipelines.data.images import resize_image
from pipelines.data.tiling import Tiling, cut_tile


def network_images(
    pixels: NDArray[np.uint8], input_size: int, tiling: Tiling | None
) -> list[NDArray[np.uint8]]:
    """The S×S×3 images that stand for an H×W×3 photograph.

    Args:
        pixels: RGB.
        input_size: S.
        tiling: how it is cut; None to squeeze it whole. Tiles of another side are scaled to S.
    """
    parts = [pixels]
    if tiling:
        height, width = pixels.shape[:2]
        parts = [cut_tile(pixels, *at, tiling.size) for at in tiling.corners(width, height)]
    return [resize_image(part, input_size, input_size) for part in parts]
