"""Find the image files of a user's own data set, inside its folder only, and read their sizes."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipelines.data.formats.text_files import is_one_line
from pipelines.data.images import EXIF_ORIENTATION, TURNED_BY_A_QUARTER, UNDECODABLE
from pipelines.system.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Of image files, in small or capital letters."""

SPLIT_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""What a split's folder may be called."""

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_UPRIGHT = 1


@dataclass(frozen=True)
class ImageHeader:
    """Width and height in pixels: as stored, and with the EXIF orientation applied."""

    stored: tuple[int, int]
    upright: tuple[int, int]


def split_folders(parent: Path) -> dict[str, Path]:
    """The folders of train, val and test under the parent, as far as there are any.

    Raises UserError if a split has two, such as val/ and valid/.
    """
    folders = {}
    for split, names in SPLIT_NAMES.items():
        found = [parent / name for name in names if (parent / name).is_dir()]
        if len(found) > 1:
            raise UserError(
                f"{parent}: has both {found[0].name}/ and {found[1].name}/; keep one of them"
            )
        if found:
            folders[split] = found[0]
    return folders


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


def read_header(path: Path) -> ImageHeader:
    """Read an image's size without decoding its pixels.

    Raises UserError if the file is no image or too large, or if its EXIF orientation turns or
    mirrors it without changing its size: what its boxes lie on cannot be told then.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                width, height = image.size
                orientation = _orientation(image)
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
    turned = orientation in TURNED_BY_A_QUARTER
    if orientation in range(2, 9) and (not turned or width == height):
        raise UserError(
            f"{path}: has EXIF orientation {orientation}, which does not show in its size; "
            "save the image upright, or take the tag out where the boxes lie on it as stored"
        )
    return ImageHeader((width, height), (height, width) if turned else (width, height))


def _orientation(image: Image.Image) -> object:
    """The EXIF orientation that is still to be applied; PIL applies that of TIFF by itself."""
    if image.format == "TIFF":
        return _UPRIGHT
    # PNG's own getexif would decode the pixels to look behind them.
    return Image.Image.getexif(image).get(EXIF_ORIENTATION, _UPRIGHT)
