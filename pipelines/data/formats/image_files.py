"""Find the image files of a user's own data set, inside its folder only, and read their sizes."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipelines.data.formats.text_files import is_one_line
from pipelines.data.images import (
    EXIF_ORIENTATION,
    HEIF,
    TURNED_BY_A_QUARTER,
    UNDECODABLE,
    is_16bit,
    is_heif,
)
from pipelines.system.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", *HEIF)
"""Of image files, in small or capital letters."""

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_UPRIGHT = 1


@dataclass(frozen=True)
class ImageHeader:
    """Width and height in pixels: as stored, and with the EXIF orientation applied.

    orientation: EXIF's, 1 to 8, that is still to be applied.
    wide: whether it has 16 bits a channel, as grey.
    """

    stored: tuple[int, int]
    upright: tuple[int, int]
    orientation: int = 1
    wide: bool = False


def list_files(folder: Path, endings: tuple[str, ...], pattern: str = "*") -> list[Path]:
    """The files in the folder with one of the endings, sorted, without hidden ones.

    pattern: "**/*" for those in its folders as well. Links to folders are not followed.
    """
    return [
        path
        for path in sorted(folder.glob(pattern))
        if path.suffix.lower() in endings
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def inside(folder: Path, path: Path, where: str) -> Path:
    """The path without "..", as one under the folder.

    Raises UserError, which starts with `where`, if it leads outside the folder, by itself or
    through a link, or if a name in it is not one line of UTF-8.
    """
    tidy = Path(os.path.normpath(path))
    try:
        real, root = tidy.resolve(), folder.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{where}: {str(path)[:200]!r} is no path ({error}); correct it") from None
    if not real.is_relative_to(root):
        raise UserError(
            f"{where}: {str(path)[:200]!r} leads outside {folder}; keep the data set in one folder "
            "and give paths relative to it"
        )
    way = tidy.relative_to(folder) if tidy.is_relative_to(folder) else real.relative_to(root)
    if not is_one_line(str(way)):
        raise UserError(
            f"{where}: the name {str(way)[:200]!r} has a line end, a control character or no "
            "Unicode in it; rename the file or folder"
        )
    return folder / way


def is_file(path: Path) -> bool:
    """Whether there is such a file; no name is too odd to ask."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_header(path: Path) -> ImageHeader:
    """Read an image's size without decoding its pixels.

    Raises UserError if the file is no image or too large.
    """
    with _opened(path) as image:
        width, height = image.size
        orientation = _orientation(image)
        wide = is_16bit(image)
    turned = orientation in TURNED_BY_A_QUARTER
    upright = (height, width) if turned else (width, height)
    return ImageHeader((width, height), upright, orientation, wide)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            formats = ("HEIF",) if is_heif(path) else _FORMATS
            with Image.open(path, formats=formats) as image:
                yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UserError(
            f"{path}: is larger than {Image.MAX_IMAGE_PIXELS} pixels; "
            "scale it down or cut it into tiles"
        ) from None
    except UNDECODABLE as error:
        told = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path}: is no image that can be read ({told}); fetch it again or take it out"
        ) from None


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that is still to be applied; PIL applies that of TIFF by itself."""
    if image.format == "TIFF":
        return _UPRIGHT
    # PNG's own getexif would decode the pixels to look behind them.
    told = Image.Image.getexif(image).get(EXIF_ORIENTATION)
    return told if isinstance(told, int) and 1 <= told <= 8 else _UPRIGHT
