"""Read and check a split of DOTA v1.0, its oriented boxes as axis-aligned ones.

The folder holds train/ and val/, each with images/ (png or jpg) and labelTxt/, where P0001.txt
lists the objects of P0001.png. As in read_coco nothing is altered silently.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from pipelines.data.formats.boxes import SMALLEST_SIDE, BrokenBoxError, CheckedBox
from pipelines.data.formats.image_files import ENDINGS, inside
from pipelines.data.formats.split_builder import SplitBuilder, numbered_categories
from pipelines.data.formats.text_files import read_text
from pipelines.data.images import image_size
from pipelines.data.records import CocoSplit, ImageRecord
from pipelines.system.errors import UserError, note

CLASSES = (
    "plane",
    "ship",
    "storage-tank",
    "baseball-diamond",
    "tennis-court",
    "basketball-court",
    "ground-track-field",
    "harbor",
    "bridge",
    "large-vehicle",
    "small-vehicle",
    "helicopter",
    "roundabout",
    "soccer-ball-field",
    "swimming-pool",
)
"""Category id k is CLASSES[k - 1]."""

PARTS = {"train": "train", "test": "val"}
"""The folder that each split is read from."""

LABEL_FOLDERS = ("labelTxt", "labelTxt-v1.0/labelTxt", "labelTxt-v1.0")
"""Where in a part's folder the label files lie: the first of these that is there."""

MOST_PIXELS = 400_000_000
"""Above PIL's limit for decompression bombs, since DOTA's images reach 13,000 x 13,000 px."""

UNMARKED_FIELDS = 9
"""Of a line without the mark `difficult`."""

CUT = 2
"""The devkit's mark for an object that a tile cuts."""

_UNPACK = "unpack DOTA's archives there again"


def image_folder(folder: Path, split: str) -> Path:
    """The folder with the images of `train` or `test`; see read_dota."""
    return folder / PARTS[split] / "images"


def read_dota(
    folder: Path,
    split: str,
    *,
    drop_broken: bool = False,
    report: Callable[[str], None] = note,
) -> CocoSplit:
    """Read and check `train` or `test`; of the images only the headers are read, for their sizes.

    The labels of DOTA's test images are not published: `test` reads val/.

    Image ids count from 1 in the order of the names; file names are relative to image_folder.
    Files of other endings are passed over. A box spans its four corners: from the least to the
    greatest x and y, clipped to the image where corners lie over its edge, which is reported.
    Objects marked difficult, or cut by a tile (2, the devkit's), get iscrowd = 1: neither trained
    on nor counted. A line without the mark is of an object that is not difficult.

    drop_broken: leave out broken lines (not of ten fields, not numbers, not finite, without area,
    outside the image, unknown class, difficult not 0, 1 or 2) and report how many, rather than
    stop.

    Raises UserError on anything else that is wrong with the files.
    """
    part = folder / PARTS[split]
    builder = SplitBuilder(str(part), drop_broken)
    labels = next((part / name for name in LABEL_FOLDERS if (part / name).is_dir()), None)
    if labels is None:
        raise UserError(f"{part / LABEL_FOLDERS[0]}: no such folder of label files; {_UNPACK}")
    add_part(part / "images", labels, CLASSES, builder)
    return builder.finish(numbered_categories(CLASSES), report)


def add_part(images: Path, labels: Path, classes: tuple[str, ...], builder: SplitBuilder) -> None:
    """Read a folder of images and one of label files into a split; see read_dota.

    Category id k is classes[k - 1].
    Raises UserError.
    """
    for image_file, label_file in _pairs(images, labels):
        if not builder.is_usable(image_file, most_pixels=MOST_PIXELS):
            continue
        width, height = image_size(image_file, most_pixels=MOST_PIXELS)
        image = builder.add_image(image_file.name, width, height)
        for number, line in object_lines(label_file):
            where = f"{label_file}: line {number}"
            try:
                category_id, corners, difficult = _parse_line(line, classes)
                box = _box(corners, image)
            except BrokenBoxError as error:
                builder.add_broken(where, error)
                continue
            if box.clipped:  # by any distance: the builder's own count is of lesser ones
                builder.notice("boxes over the image's edge were clipped", where)
            if difficult == CUT:
                builder.notice("objects have difficult 2, cut by a tile, and are ignored", where)
            builder.add_box(image, category_id, CheckedBox(box.bbox), int(difficult > 0))


def _pairs(image_folder: Path, label_folder: Path) -> list[tuple[Path, Path]]:
    """Each image file with its label file, in the order of the names."""
    images = _files_by_stem(image_folder, ENDINGS)
    labels = _files_by_stem(label_folder, (".txt",))
    if unlabelled := images.keys() - labels.keys():
        stem = min(unlabelled)
        raise UserError(
            f"{images[stem]}: has no label file {label_folder / f'{stem}.txt'}; add it, an empty "
            "one if there is no object in the image"
        )
    if alone := labels.keys() - images.keys():
        raise UserError(f"{labels[min(alone)]}: has no image in {image_folder}; {_UNPACK}")
    return [(images[stem], labels[stem]) for stem in sorted(images)]


def _files_by_stem(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror}); {_UNPACK}") from None
    found: dict[str, Path] = {}
    for path in paths:
        if path.name.startswith("."):
            continue
        safe = inside(folder, path, str(folder))
        if not path.is_file():
            raise UserError(f"{folder}: {path.name[:40]!r} is no file; take it away")
        if path.stem in found:
            raise UserError(
                f"{path}: has the name of {found[path.stem].name}; keep one file of each name"
            )
        found[path.stem] = safe
    return found


def object_lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines that describe objects, with their numbers from 1: not the head, not blank ones."""
    in_head = True
    for number, line in enumerate(read_text(file, _UNPACK).splitlines(), start=1):
        if line.strip():
            in_head = in_head and line.startswith(("imagesource:", "gsd:"))
            if not in_head:
                yield number, line


def _parse_line(line: str, classes: tuple[str, ...]) -> tuple[int, list[float], int]:
    """Category id, the corners x1 y1 to x4 y4, and difficult (0, 1 or CUT)."""
    fields = line.split()
    if len(fields) == UNMARKED_FIELDS:
        fields.append("0")
    if len(fields) != UNMARKED_FIELDS + 1:
        wrong = f"has {len(fields)} fields, not ten: {line[:40]!r}"
        raise BrokenBoxError("not of ten fields", f"{wrong} is not x1 y1 to x4 y4 class difficult")
    *numbers, name, difficult = fields
    if difficult not in ("0", "1", str(CUT)):
        raise BrokenBoxError(
            "with difficult not 0, 1 or 2",
            f"has difficult {difficult[:20]!r}, which is not 0, 1 or 2",
        )
    if name not in classes:
        wrong = f"has the unknown class {name[:40]!r}"
        raise BrokenBoxError("of unknown class", f"{wrong}, not one of DOTA's {len(classes)}")
    told = f"has the corners {' '.join(number[:20] for number in numbers)}"
    try:
        corners = [float(number) for number in numbers]
    except ValueError:
        raise BrokenBoxError("not of numbers", f"{told}, which are not eight numbers") from None
    if not all(math.isfinite(corner) for corner in corners):
        raise BrokenBoxError("not finite", f"{told}, which are not finite")
    return classes.index(name) + 1, corners, int(difficult)


def _box(corners: list[float], image: ImageRecord) -> CheckedBox:
    """The box that spans the corners, clipped to the image by however much they lie over it."""
    xs, ys = corners[::2], corners[1::2]
    left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
    told = f"has the box ({left:g}, {top:g}) to ({right:g}, {bottom:g})"
    if min(right - left, bottom - top) < SMALLEST_SIDE:
        raise BrokenBoxError("without area", f"{told}, which has no area")
    clipped = left < 0 or top < 0 or right > image.width or bottom > image.height
    left, top = max(left, 0.0), max(top, 0.0)
    width, height = min(right, image.width) - left, min(bottom, image.height) - top
    if min(width, height) < SMALLEST_SIDE:
        inside = f"its image of {image.width}x{image.height} px"
        raise BrokenBoxError("outside the image", f"{told}, which lies outside {inside}")
    return CheckedBox((left, top, width, height), float(clipped))
