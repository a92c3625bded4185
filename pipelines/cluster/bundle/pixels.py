"""Prepared pixels, packed without loss: one WebP an image, several at a time."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from pipelines.system.bars import progress_bar
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256

SUFFIX = ".webp"
QUALITY = 90
"""How hard WebP tries: at 100 it takes thirty times as long for 1 % less."""


def pack_pixels(images: NDArray[np.uint8], folder: Path, *, progress: bool = True) -> None:
    """Write each of N×S×S×3 images to a file of its own in a new folder."""
    folder.mkdir(parents=True)

    def write(number: int) -> None:
        buffer = io.BytesIO()
        Image.fromarray(images[number]).save(
            buffer, "WEBP", lossless=True, quality=QUALITY, method=4, exact=True
        )
        (folder / f"{number:06d}{SUFFIX}").write_bytes(buffer.getvalue())

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(write, range(len(images)))
        for _ in progress_bar(
            done, desc=folder.name, total=len(images), unit="image", disable=not progress
        ):
            pass


def unpack_pixels(folder: Path, path: Path, sha256: str) -> None:
    """Write the packed images as the `.npy` that they came from.

    Args:
        folder: of packed images.
        path: where the array goes.
        sha256: of the file to be made.

    Raises:
        UserError: it does not become the same file; nothing is left then.
    """
    files = sorted(folder.glob(f"*{SUFFIX}"))
    fresh = path.with_name(f".{path.name}.new")
    with ThreadPoolExecutor(os.cpu_count()) as pool, fresh.open("wb") as file:
        for number, pixels in enumerate(pool.map(_decode, files)):
            if number == 0:
                shape = (len(files), *pixels.shape)
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
            file.write(pixels.tobytes())
    if file_sha256(fresh) != sha256:
        fresh.unlink()
        raise UserError(
            f"{folder}: the packed images do not become the prepared ones; make the bundle anew"
        )
    fresh.replace(path)


def _decode(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
