"""Decode image files to RGB pixels, with checks that name the file."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipelines.data.records import ImageRecord
from pipelines.errors import UserError

EXIF_ORIENTATION = 0x0112
TURNED_BY_A_QUARTER = (5, 6, 7, 8)
UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
"""What PIL's decoders raise on damaged files."""


def load_image(path: Path, record: ImageRecord) -> NDArray[np.uint8]:
    """Decode an image to uint8 RGB of shape (record.height, record.width, 3).

    As in COCO, pixels are taken as stored; the EXIF orientation is applied only where the
    record's size fits the turned image and not the stored one. Grey, palette, CMYK and
    transparent images become RGB (transparency is left out).

    Raises UserError if the file is missing, damaged, too large, of more than 8 bits per channel,
    or of another size than the record's.
    """
    label = f"{path} (image id {record.id})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                fitting = _in_recorded_size(image, record, label)
                if fitting.mode.startswith(("I", "F")):
                    raise UserError(
                        f"{label}: has more than 8 bits per channel (mode {fitting.mode}); "
                        "convert it to 8 bits"
                    )
                return np.asarray(fitting.convert("RGB"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UserError(
            f"{label}: is larger than {Image.MAX_IMAGE_PIXELS} pixels; "
            "scale it down or cut it into tiles"
        ) from None
    except FileNotFoundError:
        raise UserError(f"{label}: no such image file; add it or take it out of the json") from None
    except UNDECODABLE as error:
        raise UserError(
            f"{label}: cannot be decoded ({error}); it is truncated or damaged, fetch it again "
            "or take it out of the json"
        ) from None


def _in_recorded_size(image: Image.Image, record: ImageRecord, label: str) -> Image.Image:
    size = (record.width, record.height)
    if image.size == size:
        return image
    turned = image.getexif().get(EXIF_ORIENTATION) in TURNED_BY_A_QUARTER
    if turned and image.size == (record.height, record.width):
        return ImageOps.exif_transpose(image)
    raise UserError(
        f"{label}: is {image.width}x{image.height} px but the json says "
        f"{record.width}x{record.height}; correct width and height or use the right file"
    )


def resize_image(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Stretch uint8 (H, W, 3) to (height, width, 3), bilinear with antialiasing."""
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)
