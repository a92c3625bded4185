"""The files of a prepared split, and how they are written."""

import hashlib
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from numpy.lib import format as npy

from pipelines.data.images import resize_image
from pipelines.data.sources import ImageSource
from pipelines.data.tiles import tiled
from pipelines.data.tiling import Tiling
from pipelines.system.bars import progress_bar
from pipelines.system.errors import note
from pipelines.system.hashing import file_sha256

LEAST_VISIBLE = 0.5
"""Share of an object's box that a tile must hold; of less of it the tile says nothing."""


def json_bytes(content: dict[str, Any], indent: int | None = None) -> bytes:
    """As it is written; nothing but numbers that JSON knows."""
    return (json.dumps(content, indent=indent, allow_nan=False) + "\n").encode()


def images_file(split: str) -> str:
    """Name of the file of pixels."""
    return f"{split}-images.npy"


def annotation_file(split: str) -> str:
    """Name of the file of annotations."""
    return f"{split}.json"


def photograph_file(split: str) -> str:
    """Name of the file of whole photographs' annotations, where images are tiles."""
    return f"{split}-photographs.json"


def annotation_files(folder: Path, split: str) -> list[Path]:
    """The files with a prepared split's annotations."""
    files = (folder / annotation_file(split), folder / photograph_file(split))
    return [file for file in files if file.exists()]


def write_split(
    folder: Path,
    name: str,
    source: ImageSource,
    input_size: int,
    tiling: Tiling | None,
    progress: bool,
) -> dict[str, Any]:
    """Write a split's files and return its entry of the manifest."""
    whole = json_bytes(source.split.to_coco())
    shown = _cut(name, source, tiling) if tiling else source
    split = shown.split
    annotations = json_bytes(split.to_coco())
    (folder / annotation_file(name)).write_bytes(annotations)
    pixels = folder / images_file(name)
    write_pixels(pixels, name, shown, input_size, progress)
    objects = Counter(a.category_id for a in split.annotations if not a.iscrowd)
    entry = {
        "images": len(split.images),
        "boxes": objects.total(),
        "crowd_regions": len(split.annotations) - objects.total(),
        "boxes_per_class": {c.name: objects[c.id] for c in split.categories},
        "images_sha256": file_sha256(pixels),
        "annotations_sha256": hashlib.sha256(annotations).hexdigest(),
    }
    if tiling and name != "train":
        (folder / photograph_file(name)).write_bytes(whole)
        entry["photographs"] = len(source.split.images)
        entry["photographs_sha256"] = hashlib.sha256(whole).hexdigest()
    return entry


def _cut(name: str, source: ImageSource, tiling: Tiling) -> ImageSource:
    training = name == "train"
    return tiled(
        source,
        tiling.size,
        tiling.shared,
        least_share=LEAST_VISIBLE,
        most_empty=1 if training else math.inf,
        hide_parts=training,
        report=lambda said: note(f"{name}: {said}"),
    )


def write_pixels(
    path: Path, name: str, source: ImageSource, input_size: int, progress: bool
) -> None:
    """Write images one after the other: unlike a memory map, a full disk is an error to catch."""
    shape = (len(source.split.images), input_size, input_size, 3)
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        for index in progress_bar(range(shape[0]), desc=name, unit="image", disable=not progress):
            resized = resize_image(source.image(index), input_size, input_size)
            file.write(resized.tobytes())
