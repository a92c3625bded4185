"""Read and check a user's own data set in YOLO's form: a text file of labels beside each image.

A label is a line "class cx cy w h": the class's index from 0, then centre, width and height of the
box as shares of the image's width and height. As in read_coco nothing is altered silently.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.formats.boxes import BrokenBoxError, CheckedBox, check_box
from pipelines.data.formats.image_files import inside, list_files, read_header
from pipelines.data.formats.split_builder import SplitBuilder, numbered_categories
from pipelines.data.formats.text_files import read_text
from pipelines.data.formats.yolo_layout import find_layout, is_yolo
from pipelines.data.formats.yolo_lists import is_class_file, label_file
from pipelines.data.records import CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource
from pipelines.system.errors import note

__all__ = ["is_yolo", "read_yolo"]

_BOX_COLUMNS = 5


def read_yolo(
    folder: Path,
    *,
    drop_broken: bool = False,
    skip_broken_images: bool = False,
    report: Callable[[str], None] = note,
) -> dict[str, FolderSource]:
    """Read and check the splits: train, and val and test where there are any.

    Category id k is the class of index k - 1. Image ids of each split count from 1 in the order of
    the files' names, which are relative to `folder`; sizes are read from the files, turned as
    their EXIF orientation says. A polygon (class x1 y1 x2 y2 x3 y3 ...) becomes its bounding box.
    Reported are polygons, images without a file of labels (they show no object), labels without an
    image, and lines that occur twice (one is kept).

    drop_broken: leave out broken boxes (no area, outside the image, not finite, of other columns,
    unknown class) and report how many, rather than stop. Boxes over the edge are clipped as
    check_box does, and their number reported. skip_broken_images: leave out photographs that
    cannot be decoded, and report how many.

    Raises UserError on anything else that is wrong, such as a path that leads outside the folder.
    """
    layout = find_layout(folder, report)
    sources = {}
    for split, paths in layout.images.items():
        builder = SplitBuilder(f"{folder} ({split})", drop_broken, skip_broken_images)
        found = _read_split(folder, paths, layout.names, builder, report)
        sources[split] = FolderSource(found, folder, upright=True)
    _report_lone_labels(folder, layout.images.values(), report)
    return sources


def _read_split(
    folder: Path,
    paths: list[Path],
    names: tuple[str, ...],
    builder: SplitBuilder,
    report: Callable[[str], None],
) -> CocoSplit:
    for path in paths:
        image_file = inside(folder, path, str(folder))
        if not builder.is_usable(image_file):
            continue
        image = builder.add_image(
            image_file.relative_to(folder).as_posix(), *read_header(image_file).upright
        )
        file = label_file(folder, image_file)
        if file.is_file():
            _read_labels(inside(folder, file, str(folder)), image, names, builder)
        else:
            builder.notice(
                "images have no file of labels and are taken to show no object",
                repr(image.file_name),
            )
    looked_for = label_file(folder, paths[0])
    return builder.finish(
        numbered_categories(names),
        report,
        f"annotate at least one object; labels are looked for as in {looked_for}",
    )


def _read_labels(
    file: Path, image: ImageRecord, names: tuple[str, ...], builder: SplitBuilder
) -> None:
    seen = set()
    text = read_text(file, "one image cannot have that many labels, write them again")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file}: line {number}"
        try:
            label = _parse(line, len(names))
            box = label.box_in(image)
        except BrokenBoxError as error:
            builder.add_broken(where, error)
            continue
        if (label.class_index, box.bbox) in seen:
            builder.notice("lines repeat another one's class and box, and are left out", where)
            continue
        seen.add((label.class_index, box.bbox))
        if label.is_polygon:
            builder.notice("lines are polygons, of which the bounding box is taken", where)
        builder.add_box(image, label.class_index + 1, box)


@dataclass(frozen=True)
class _Label:
    """A line: the class's index from 0, and the box's left, top, right and bottom as shares."""

    class_index: int
    sides: tuple[float, float, float, float]
    is_polygon: bool

    def box_in(self, image: ImageRecord) -> CheckedBox:
        """The box in pixels of the image; raises BrokenBoxError as check_box does."""
        left, top, right, bottom = self.sides
        across, down = image.width, image.height
        return check_box(
            [left * across, top * down, (right - left) * across, (bottom - top) * down], image
        )


def _parse(line: str, classes: int) -> _Label:
    """Raises BrokenBoxError where the line is neither a box nor a polygon of a known class."""
    columns = line.split()
    told = f"is {line.strip()[:60]!r}"
    is_polygon = len(columns) > _BOX_COLUMNS + 1 and len(columns) % 2 == 1
    if len(columns) != _BOX_COLUMNS and not is_polygon:
        wrong = f"{told}, of {len(columns)} columns and not class cx cy w h"
        raise BrokenBoxError("of other columns", wrong)
    try:
        index, *shares = (float(column) for column in columns)
    except ValueError:
        raise BrokenBoxError("not of numbers", f"{told}, which is not all numbers") from None
    if not all(math.isfinite(share) for share in shares):
        raise BrokenBoxError("not finite", f"{told}, which is not finite")
    if not index.is_integer() or not 0 <= index < classes:
        wrong = f"{told}, of a class that is not one of the whole numbers 0 to {classes - 1}"
        raise BrokenBoxError("of unknown class", wrong)
    if is_polygon:
        across, down = shares[0::2], shares[1::2]
        return _Label(int(index), (min(across), min(down), max(across), max(down)), True)
    x, y, width, height = shares
    sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return _Label(int(index), sides, False)


def _report_lone_labels(
    folder: Path, images: Iterable[list[Path]], report: Callable[[str], None]
) -> None:
    expected = {label_file(folder, image) for listed in images for image in listed}
    lone = [
        label
        for place in sorted({label.parent for label in expected})
        if place.is_dir()
        for label in list_files(place, (".txt",))
        if label not in expected and not is_class_file(label)
    ]
    if lone:
        first = lone[0].relative_to(folder).as_posix()
        report(
            f"{folder}: {len(lone)} files of labels have no image that is used (first: {first!r})"
        )
