"""What to look at: the pictures of folders, single pictures, the frames of videos."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipelines.data.images import HEIF, UNDECODABLE, is_16bit, is_heif, upper_byte
from pipelines.system.errors import UserError

PICTURES = {
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".webp",
    ".tif",
    ".tiff",
    ".gif",
    ".ppm",
    ".pgm",
    *HEIF,
}
VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"}


class BrokenFileError(Exception):
    """One file that cannot be read, with its name."""


@dataclass(frozen=True)
class File:
    """A picture or a video."""

    path: Path
    name: PurePosixPath
    """From the input it was found in: unlike any other file's."""

    @property
    def is_video(self) -> bool:
        """By the ending of its name."""
        return self.path.suffix.lower() in VIDEOS


@dataclass(frozen=True)
class Frame:
    """A picture, or one frame of a video."""

    name: PurePosixPath
    """Of the picture's file; of a frame `VIDEO/000012.jpg`."""
    pixels: NDArray[np.uint8]
    """H×W×3 RGB, as viewers show it: turned as the camera says."""
    seconds: float | None = None
    """Since the video's start."""


def find_files(inputs: Sequence[Path]) -> list[File]:
    """Pictures and videos in the order given; those of a folder, and of its folders, by name.

    Raises:
        UserError: an input is not there, is of another kind, or holds nothing to look at.
    """
    found: list[File] = []
    for path in inputs:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and _is_ours(p))
            if not inside:
                raise UserError(f"{path}: holds no picture and no video ({_kinds()})")
            found += [File(p, PurePosixPath(p.relative_to(path))) for p in inside]
        elif not path.exists():
            raise UserError(f"{path}: no such file or folder")
        elif not _is_ours(path):
            raise UserError(f"{path}: is neither picture nor video ({_kinds()})")
        else:
            found.append(File(path, PurePosixPath(path.name)))
    return _with_own_names(found)


def read_frames(file: File) -> Iterator[Frame]:
    """The picture, or a video's frames in turn.

    Raises:
        BrokenFileError: it cannot be decoded; frames before the fault have been given.
    """
    try:
        if file.is_video:
            yield from _read_video(file)
        else:
            yield Frame(file.name, _read_picture(file.path))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise BrokenFileError(
            f"{file.path}: has more than {Image.MAX_IMAGE_PIXELS} pixels; scale it down"
        ) from None
    except UNDECODABLE as error:
        raise BrokenFileError(f"{file.path}: cannot be decoded ({error})") from None


def _read_picture(path: Path) -> NDArray[np.uint8]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        is_heif(path)
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            seen = upper_byte(upright) if is_16bit(upright) else upright
            if seen.mode.startswith(("I", "F")):
                raise ValueError(f"more than 8 bits a channel, mode {seen.mode}; convert it")
            return np.asarray(seen.convert("RGB"))


def _read_video(file: File) -> Iterator[Frame]:
    with av.open(str(file.path)) as container:
        if not container.streams.video:
            raise ValueError("no pictures in it")
        for number, frame in enumerate(container.decode(video=0)):
            pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            yield Frame(file.name / f"{number:06}.jpg", pixels, frame.time)


def _with_own_names(files: Sequence[File]) -> list[File]:
    """A second file of a name becomes `2/NAME`, a third `3/NAME`."""
    taken: set[PurePosixPath] = set()
    named = []
    for file in files:
        name, number = file.name, 1
        while name in taken:
            number += 1
            name = PurePosixPath(str(number)) / file.name
        taken.add(name)
        named.append(File(file.path, name))
    return named


def _is_ours(path: Path) -> bool:
    return path.suffix.lower() in PICTURES | VIDEOS and not path.name.startswith(".")


def _kinds() -> str:
    return ", ".join(sorted(kind.removeprefix(".") for kind in PICTURES | VIDEOS))
