"""The prepared data set on disk, which trainers read: resized pixels and checked annotations.

A folder with, for each split, `<split>-images.npy` (uint8 NxSxSx3 RGB, images stretched to SxS)
and `<split>.json` (checked COCO annotations in original pixels), and one `manifest.json` with
counts and checksums. The same sources give the same bytes.

Where photographs are cut into tiles, images are the tiles. Of splits that are measured, which are
all but `train`, the annotations of whole photographs lie beside them in `<split>-photographs.json`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.data.prepared_files import (
    annotation_file,
    images_file,
    json_bytes,
    photograph_file,
    write_split,
)
from pipelines.data.records import CocoSplit, ImageRecord
from pipelines.data.sources import ImageSource
from pipelines.data.tiling import Tiling
from pipelines.system.errors import UserError
from pipelines.system.files import replaced_folder

MANIFEST = "manifest.json"
FORMAT = 1
INCOMPLETE = "the folder is incomplete or was changed, prepare the data set again"


def prepare(
    sources: Mapping[str, ImageSource],
    folder: Path,
    input_size: int,
    *,
    tiling: Tiling | None = None,
    reading: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> None:
    """Write the prepared data set of these splits (name to source) to `folder`.

    input_size: S, the side in pixels to which images are stretched (bilinear, antialiased).
    tiling: cut the images into tiles, and stretch these. An object of which a tile holds less than
        LEAST_VISIBLE is ignored there, and in `train` painted over; `train` keeps no more tiles
        without an object than with one.
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
                name: write_split(partial, name, source, input_size, tiling, progress)
                for name, source in sources.items()
            }
            manifest = {"format": FORMAT, "input_size": input_size, "splits": splits}
            if tiling:
                manifest["tiles"] = asdict(tiling)
            if reading:
                manifest["reading"] = dict(reading)
            (partial / MANIFEST).write_bytes(json_bytes(manifest, indent=2))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); "
            "check the space and the permissions there"
        ) from None


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
            ours |= {images_file(split), annotation_file(split), photograph_file(split)}
    if foreign := sorted(present - ours):
        raise UserError(
            f"{folder}: holds {foreign[0]!r}, which is no part of a prepared data set; "
            "give a new or an empty folder"
        )


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
class Photographs:
    """What the images of a split are tiles of.

    coco: the annotations of whole photographs, in their pixels.
    tiling: how each was cut; its tiles stand in the order of `tiling.corners`, after those of the
        photograph before it.
    """

    coco: CocoSplit
    tiling: Tiling


@dataclass(frozen=True)
class PreparedSplit:
    """A prepared split with S = input_size.

    images: uint8 (N, S, S, 3) RGB, memory-mapped copy-on-write (changes never reach the file).
    coco: the annotations in original pixels; coco.images[i] belongs to images[i].
    photographs: where images are the tiles of a split that is measured.

    A label is 1 to C: label k is the class class_names[k - 1], of id category_ids[k - 1].
    """

    images: NDArray[np.uint8]
    coco: CocoSplit
    photographs: Photographs | None = None

    @property
    def scored(self) -> CocoSplit:
        """What detections are scored by: the annotations of whole photographs."""
        return self.photographs.coco if self.photographs else self.coco

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
        """The first `count` images, or all if there are fewer, with their annotations.

        Of tiles no whole photographs are left.
        """
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
    pixels = folder / images_file(split)
    try:
        coco = _read_annotations(folder / annotation_file(split), entry["annotations_sha256"])
        images = np.load(pixels, mmap_mode="c")
        photographs = None
        if "photographs" in entry:
            path = folder / photograph_file(split)
            whole = _read_annotations(path, entry["photographs_sha256"])
            photographs = Photographs(whole, Tiling(**manifest["tiles"]))
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{folder}: cannot read the split {split!r} ({error}); {INCOMPLETE}"
        ) from None
    if images.shape != (entry["images"], size, size, 3) or images.dtype != np.uint8:
        raise UserError(f"{pixels}: has another shape than the manifest's; {INCOMPLETE}")
    return PreparedSplit(images, coco, photographs)


def _read_annotations(path: Path, sha256: str) -> CocoSplit:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{path}: has another checksum than the manifest's; {INCOMPLETE}")
    return CocoSplit.from_coco(json.loads(content))
