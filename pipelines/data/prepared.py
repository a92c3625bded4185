"""The prepared data set on disk, which trainers read: resized pixels and checked annotations.

A folder with, for each split, `<split>-images.npy` (uint8 NxSxSx3 RGB, images stretched to SxS)
and `<split>.json` (checked COCO annotations in original pixels), and one `manifest.json` with
counts and checksums. The same sources give the same bytes.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from tqdm import tqdm

from pipelines.data.images import resize_image
from pipelines.data.records import CocoSplit, ImageRecord
from pipelines.data.sources import ImageSource
from pipelines.system.errors import UserError
from pipelines.system.files import replaced_folder
from pipelines.system.hashing import file_sha256

MANIFEST = "manifest.json"
FORMAT = 1


def prepare(
    sources: Mapping[str, ImageSource],
    folder: Path,
    input_size: int,
    *,
    reading: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> None:
    """Write the prepared data set of these splits (name to source) to `folder`.

    input_size: S, the side in pixels to which images are stretched (bilinear, antialiased).
    reading: how a data set of one's own was read, for the manifest and so for each `run.json`.
    progress: show a bar with the time left on stderr.

    Each image is decoded once. The folder appears when it is whole; an existing prepared data
    set is replaced at the end. Raises UserError if an image cannot be decoded, the folder holds
    anything else than a prepared data set, or it cannot be written; then nothing is left behind.
    """
    if input_size < 1:
        raise UserError(f"input size {input_size} is not a number of pixels; give 1 or more")
    for name in sources:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise UserError(f"split name {name!r} is odd; use small letters, as in train")
    try:
        _refuse_foreign_folder(folder)
        with replaced_folder(folder) as partial:
            splits = {
                name: _write_split(partial, name, source, input_size, progress)
                for name, source in sources.items()
            }
            manifest = {"format": FORMAT, "input_size": input_size, "splits": splits}
            if reading:
                manifest["reading"] = dict(reading)
            (partial / MANIFEST).write_bytes(_json_bytes(manifest, indent=2))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); "
            "check the space and the permissions there"
        ) from None


def _json_bytes(content: dict[str, Any], indent: int | None = None) -> bytes:
    return (json.dumps(content, indent=indent, allow_nan=False) + "\n").encode()


def _images_file(split: str) -> str:
    return f"{split}-images.npy"


def _annotation_file(split: str) -> str:
    return f"{split}.json"


def _refuse_foreign_folder(folder: Path) -> None:
    """Replacing removes the folder, so that it must hold nothing but what prepare wrote."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; give a folder for the prepared data set")
    present = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if not present:
        return
    ours = {MANIFEST}
    if MANIFEST in present:
        for split in _read_manifest(folder)["splits"]:
            ours |= {_images_file(split), _annotation_file(split)}
    if foreign := sorted(present - ours):
        raise UserError(
            f"{folder}: holds {foreign[0]!r}, which is no part of a prepared data set; "
            "give a new or an empty folder"
        )


def _write_split(
    folder: Path, name: str, source: ImageSource, input_size: int, progress: bool
) -> dict[str, Any]:
    """Write a split's two files and return its entry of the manifest."""
    split = source.split
    annotations = _json_bytes(split.to_coco())
    (folder / _annotation_file(name)).write_bytes(annotations)
    pixels = folder / _images_file(name)
    write_pixels(pixels, name, source, input_size, progress)
    objects = Counter(a.category_id for a in split.annotations if not a.iscrowd)
    return {
        "images": len(split.images),
        "boxes": objects.total(),
        "crowd_regions": len(split.annotations) - objects.total(),
        "boxes_per_class": {c.name: objects[c.id] for c in split.categories},
        "images_sha256": file_sha256(pixels),
        "annotations_sha256": hashlib.sha256(annotations).hexdigest(),
    }


def write_pixels(
    path: Path, name: str, source: ImageSource, input_size: int, progress: bool
) -> None:
    """Write images one after the other: unlike a memory map, a full disk is an error to catch."""
    shape = (len(source.split.images), input_size, input_size, 3)
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        for index in tqdm(range(shape[0]), desc=name, unit="image", disable=not progress):
            resized = resize_image(source.image(index), input_size, input_size)
            file.write(resized.tobytes())


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    advice = "prepare the data set again"
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: not there, so this is no prepared data set; {advice}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); {advice}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UserError(f"{path}: is no manifest of format {FORMAT}; {advice}")
    return manifest


@dataclass(frozen=True)
class PreparedSplit:
    """A prepared split with S = input_size.

    images: uint8 (N, S, S, 3) RGB, memory-mapped copy-on-write (changes never reach the file).
    coco: the annotations in original pixels; coco.images[i] belongs to images[i].

    A label is 1 to C: label k is the class class_names[k - 1], of id category_ids[k - 1].
    """

    images: NDArray[np.uint8]
    coco: CocoSplit

    @property
    def input_size(self) -> int:
        """Side of the square images in pixels."""
        return int(self.images.shape[1])

    @property
    def class_names(self) -> tuple[str, ...]:
        """The C classes' names, by ascending category id."""
        return tuple(category.name for category in self.coco.categories)

    @property
    def category_ids(self) -> tuple[int, ...]:
        """The C classes' COCO category ids, ascending."""
        return tuple(category.id for category in self.coco.categories)

    def boxes(self, index: int) -> NDArray[np.float32]:
        """Objects of image `index` without crowd regions: float32 (n, 4), xyxy from 0 to S."""
        return self._objects[index][0].copy()

    def labels(self, index: int) -> NDArray[np.int64]:
        """Labels of boxes(index): int64 (n,) from 1 to C."""
        return self._objects[index][1].copy()

    def first(self, count: int) -> "PreparedSplit":
        """The first `count` images, or all if there are fewer, with their annotations."""
        count = min(count, len(self.images))
        return PreparedSplit(self.images[:count], self.coco.subset(range(count)))

    def to_image_frame(self, index: int, boxes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Map (n, 4) xyxy from input pixels (0 to S) to original pixels of image `index`."""
        return np.asarray(boxes, np.float64) / self._scale(self.coco.images[index])

    def _scale(self, record: ImageRecord) -> NDArray[np.float64]:
        across, down = self.input_size / record.width, self.input_size / record.height
        return np.array([across, down, across, down])

    @cached_property
    def _objects(self) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        label_of = {category_id: k for k, category_id in enumerate(self.category_ids, start=1)}
        found = []
        grouped = self.coco.annotations_by_image()
        for record, annotations in zip(self.coco.images, grouped, strict=True):
            single = [a for a in annotations if not a.iscrowd]
            xywh = np.array([a.bbox for a in single], np.float64).reshape(-1, 4)
            xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
            labels = np.array([label_of[a.category_id] for a in single], np.int64)
            found.append(((xyxy * self._scale(record)).astype(np.float32), labels))
        return found


def load_prepared(folder: Path, split: str) -> PreparedSplit:
    """Open one split that prepare wrote; pixels are read from disk as they are used.

    Raises UserError if the folder is missing or incomplete, has no such split, or its
    annotations are not those that were prepared. The pixels' checksum is not verified.
    """
    manifest = _read_manifest(folder)
    if split not in manifest["splits"]:
        there = ", ".join(manifest["splits"])
        raise UserError(f"{folder}: has no split {split!r}; it has {there}")
    entry, size = manifest["splits"][split], manifest["input_size"]
    advice = "the folder is incomplete or was changed, prepare the data set again"
    annotation_file, images_file = folder / _annotation_file(split), folder / _images_file(split)
    try:
        annotations = annotation_file.read_bytes()
        images = np.load(images_file, mmap_mode="c")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{folder}: cannot read the split {split!r} ({error}); {advice}") from None
    if hashlib.sha256(annotations).hexdigest() != entry["annotations_sha256"]:
        raise UserError(f"{annotation_file}: has another checksum than the manifest's; {advice}")
    if images.shape != (entry["images"], size, size, 3) or images.dtype != np.uint8:
        raise UserError(f"{images_file}: has another shape than the manifest's; {advice}")
    return PreparedSplit(images, CocoSplit.from_coco(json.loads(annotations)))
