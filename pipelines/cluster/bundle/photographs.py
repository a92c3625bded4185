"""Prepared pixels as the photographs that they are made of, where those take less room.

All photographs of a bundle lie in one folder, each once, named after its bytes. A split's recipe, a
JSON file, says which of them make up its images, and how large each is. Made anew elsewhere, the
pixels must be the same to the bit, or they are refused: another version of the JPEG library may
decode otherwise.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pipelines.data.mosaic import MosaicSource, photographs
from pipelines.data.prepared_files import write_pixels
from pipelines.data.records import CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource, ImageSource
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256


def pack_photographs(source: ImageSource, recipe: Path, folder: Path) -> None:
    """Copy a source's photographs to a folder, unless they are there, and write its recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for path, record in photographs(source):
        name = f"{file_sha256(path)[:16]}{path.suffix}"
        if not (folder / name).exists():
            shutil.copyfile(path, folder / name)
        listed.append((name, record.width, record.height))
    content: dict[str, Any] = {"photographs": listed, "mosaics": None}
    if isinstance(source, MosaicSource):
        numbers = iter(range(len(listed)))
        content["mosaics"] = [[next(numbers) for _ in group] for group in source.groups]
        content |= {"tile": source.tile, "width": source.width}
    recipe.write_text(json.dumps(content) + "\n")


def unpack_photographs(
    recipe: Path, folder: Path, path: Path, input_size: int, sha256: str
) -> None:
    """Prepare the photographs anew.

    Args:
        recipe: of a split.
        folder: of packed photographs.
        path: where the `.npy` goes.
        input_size: side of the prepared images, pixels.
        sha256: of the file to be made.

    Raises:
        UserError: it does not become the same file; nothing is left then.
    """
    content = json.loads(recipe.read_text())
    records = tuple(
        ImageRecord(number, name, width, height)
        for number, (name, width, height) in enumerate(content["photographs"], start=1)
    )
    source: ImageSource = FolderSource(CocoSplit(records, (), ()), folder)
    if content["mosaics"]:
        groups, tile = tuple(tuple(group) for group in content["mosaics"]), content["tile"]
        images = tuple(
            ImageRecord(number, "", 2 * tile, 2 * tile) for number in range(1, len(groups) + 1)
        )
        source = MosaicSource(CocoSplit(images, (), ()), source, groups, tile, content["width"])
    fresh = path.with_name(f".{path.name}.new")
    write_pixels(fresh, path.stem, source, input_size, progress=True)
    if file_sha256(fresh) != sha256:
        fresh.unlink()
        raise UserError(
            f"{recipe}: this machine's Pillow makes other pixels of the photographs; make the "
            "bundle with --pixels"
        )
    fresh.replace(path)
