"""Decode image files to RGB pixels, with checks that name the file."""

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipelines.data.records import ImageRecord
from pipelines.system.errors import UserError

EXIF_ORIENTATION = 0x0112
TURNED_BY_A_QUARTER = (5, 6, 7, 8)
UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
"""What PIL's decoders raise on damaged files."""

HEIF = (".heic", ".heif")
"""Photographs as many telephones keep them, which Pillow reads by a plug-in."""
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")

_PIL_SETTINGS = threading.Lock()
"""PIL's limit of pixels and the filter of warnings are global: one thread at a time sets them."""


def load_image(
    path: Path,
    record: ImageRecord,
    *,
    most_pixels: int | None = None,
    upright: bool = False,
    scale_16bit: bool = False,
) -> NDArray[np.uint8]:
    """Decode an image to uint8 RGB of shape (record.height, record.width, 3).

    As in COCO, pixels are taken as stored; the EXIF orientation is applied only where the
    record's size fits the turned image and not the stored one. Grey, palette, CMYK and
    transparent images become RGB (transparency is left out).

    most_pixels: width · height up to which the header is believed; if None, PIL's limit.
    upright: apply the EXIF orientation, as viewers do, unless the record's size fits the stored
        image alone.
    scale_16bit: take the upper byte of grey images of 16 bits, rather than refuse them.

    Raises UserError if the file is missing, damaged, too large, of more than 8 bits per channel,
    or of another size than the record's.
    """
    label = f"{path} (image id {record.id})"
    with _opened(path, label, most_pixels) as image:
        fitting = _in_recorded_size(image, record, label, upright)
        if is_16bit(fitting) and scale_16bit:
            fitting = upper_byte(fitting)
        if fitting.mode.startswith(("I", "F")):
            wide = "; or prepare with --scale-16bit" if is_16bit(fitting) else ""
            raise UserError(
                f"{label}: has more than 8 bits per channel (mode {fitting.mode}); "
                f"convert it to 8 bits{wide}"
            )
        return np.asarray(fitting if fitting.mode == "RGB" else fitting.convert("RGB"))


def is_heif(path: Path) -> bool:
    """Whether a file is a HEIC photograph, whatever its name; Pillow can open it from then on.

    It comes out upright, and says so.
    """
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    if start[4:8] != b"ftyp" or start[8:] not in HEIF_BRANDS:
        return False
    import pillow_heif

    pillow_heif.register_heif_opener()
    return True


def is_16bit(image: Image.Image) -> bool:
    """Whether it is grey with 16 bits; of colour with 16 bits PIL takes the upper byte itself."""
    return image.mode.startswith("I;16")


def upper_byte(image: Image.Image) -> Image.Image:
    """A grey image of 16 bits as one of 8: values of 0 to 65535 become 0 to 255."""
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def image_size(path: Path, *, most_pixels: int | None = None) -> tuple[int, int]:
    """Width and height in pixels as stored, from the file's header: nothing is decoded.

    most_pixels: as for load_image.
    Raises UserError if the file is missing, no image, or claims more pixels.
    """
    with _opened(path, str(path), most_pixels) as image:
        return image.size


def decoding_fault(path: Path, *, most_pixels: int | None = None) -> str | None:
    """What is wrong with an image file, after decoding all of it; None if nothing is.

    most_pixels: as for load_image.
    """
    try:
        with _opened(path, str(path), most_pixels) as image:
            image.load()
    except UserError as error:
        return str(error)
    return None


@contextmanager
def _opened(path: Path, label: str, most_pixels: int | None) -> Iterator[Image.Image]:
    """Open an image file; what PIL raises, in here or at decoding, becomes a UserError."""
    with _PIL_SETTINGS, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        pil_limit = Image.MAX_IMAGE_PIXELS
        limit = pil_limit if most_pixels is None else most_pixels
        try:
            Image.MAX_IMAGE_PIXELS = limit
            is_heif(path)
            with Image.open(path) as image:
                yield image
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise UserError(
                f"{label}: is larger than {limit} pixels; scale it down or cut it into tiles"
            ) from None
        except FileNotFoundError:
            raise UserError(
                f"{label}: no such image file; add it or take it out of the data set"
            ) from None
        except UNDECODABLE as error:
            raise UserError(
                f"{label}: cannot be decoded ({error}); it is truncated or damaged, fetch it "
                "again or take it out of the data set"
            ) from None
        finally:
            Image.MAX_IMAGE_PIXELS = pil_limit


def _in_recorded_size(
    image: Image.Image, record: ImageRecord, label: str, upright: bool
) -> Image.Image:
    size = (record.width, record.height)
    turned = image.getexif().get(EXIF_ORIENTATION) in TURNED_BY_A_QUARTER
    told = image.size[::-1] if turned else image.size
    if told == size and (upright or image.size != size):
        return ImageOps.exif_transpose(image)
    if image.size == size:
        return image
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
