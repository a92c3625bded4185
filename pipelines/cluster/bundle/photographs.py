"""Prepared pixels as the photographs that they are made of, where those take less room.

A folder of image files, `000000.jpg` and so on, and `recipe.json`, which says how large each is and
which of them make up a prepared image. Made anew elsewhere, the pixels must be the same to the bit,
or they are refused: another version of the JPEG library may decode otherwise.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pipelines.data.mosaic import MosaicSource, photographs
from pipelines.data.prepared import write_pixels
from pipelines.data.records import CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource, ImageSource
from pipelines.errors import UserError
from pipelines.hashing import file_sha256

RECIPE = "recipe.json"


def pack_photographs(source: ImageSource, folder: Path) -> None:
    """Copy a source's photographs and its recipe to a new folder."""
    folder.mkdir(parents=True)
    found = photographs(source)
    sizes = []
    for number, (path, record) in enumerate(found):
        name = f"{number:06d}{path.suffix}"
        shutil.copyfile(path, folder / name)
        sizes.append((name, record.width, record.height))
    recipe: dict[str, Any] = {"photographs": sizes, "mosaics": None, "tile": None}
    if isinstance(source, MosaicSource):
        numbers = iter(range(len(found)))
        recipe["mosaics"] = [[next(numbers) for _ in group] for group in source.groups]
        recipe["tile"] = source.tile
    (folder / RECIPE).write_text(json.dumps(recipe) + "\n")


def unpack_photographs(folder: Path, path: Path, input_size: int, sha256: str) -> None:
    """Prepare the photographs anew.

    Args:
        folder: of packed photographs.
        path: where the `.npy` goes.
        input_size: side of the prepared images, pixels.
        sha256: of the file to be made.

    Raises:
        UserError: it does not become the same file; nothing is left then.
    """
    recipe = json.loads((folder / RECIPE).read_text())
    records = tuple(
        ImageRecord(number, name, width, height)
        for number, (name, width, height) in enumerate(recipe["photographs"], start=1)
    )
    source: ImageSource = FolderSource(CocoSplit(records, (), ()), folder)
    if recipe["mosaics"]:
        groups, tile = tuple(tuple(group) for group in recipe["mosaics"]), recipe["tile"]
        images = tuple(
            ImageRecord(number, "", 2 * tile, 2 * tile) for number in range(1, len(groups) + 1)
        )
        source = MosaicSource(CocoSplit(images, (), ()), source, groups, tile)
    fresh = path.with_name(f".{path.name}.new")
    write_pixels(fresh, path.stem, source, input_size, progress=True)
    if file_sha256(fresh) != sha256:
        fresh.unlink()
        raise UserError(
            f"{folder}: this machine's Pillow makes other pixels of the photographs; make the "
            "bundle with --pixels"
        )
    fresh.replace(path)
