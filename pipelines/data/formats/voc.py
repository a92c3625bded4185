"""Read and check a split of PASCAL VOC 2007 and 2012 joined (LapNet, §4.1), from its devkit folder.

The devkit holds VOC2007 and VOC2012, each with Annotations/, ImageSets/Main/ and JPEGImages/. As in
read_coco nothing is altered silently.
"""

import re
from collections.abc import Callable
from pathlib import Path

from pipelines.data.formats.boxes import BrokenBoxError, check_box
from pipelines.data.formats.split_builder import SplitBuilder, numbered_categories
from pipelines.data.formats.text_files import read_text
from pipelines.data.formats.voc_xml import NO_DIFFICULT, image_size, parse_xml, read_objects
from pipelines.data.records import CocoSplit
from pipelines.system.errors import UserError, note

CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""Category id k is CLASSES[k - 1]."""

SPLITS = {
    "train": (("VOC2007", "trainval"), ("VOC2012", "trainval")),
    "test": (("VOC2007", "test"),),
}
"""The lists of images, (year's folder, list), that are joined to a split."""

_UNPACK = "unpack VOC's archives there again (2007: trainval and test, 2012: trainval)"


def is_devkit(folder: Path) -> bool:
    """Whether the folder has the form of VOC's devkit rather than COCO's."""
    return (folder / "VOC2007").is_dir()


def read_voc(
    devkit: Path,
    split: str,
    *,
    drop_broken: bool = False,
    report: Callable[[str], None] = note,
) -> CocoSplit:
    """Read and check `train` or `test`; images must exist but are not opened.

    Image ids count from 1 in the order of the joined lists; file names are relative to `devkit`.
    VOC's corners are 1-based and inclusive: (1, 1, w, h) covers an image of w x h px.
    Objects marked difficult get iscrowd = 1: they are not trained on, COCO's figures ignore what
    is found there, and VOC's AP takes them for its difficult ones. Parts of a person are not read.

    drop_broken: leave out broken boxes (no area, outside the image, not finite, not four numbers,
    unknown class) and report how many, rather than stop. Boxes over the edge are clipped as
    check_box does, and their number reported.

    Raises UserError on anything else that is wrong with the files.
    """
    label = f"{devkit} ({', '.join(' '.join(part) for part in SPLITS[split])})"
    builder = SplitBuilder(label, drop_broken)
    for year, name in _listed_images(devkit, split):
        file = devkit / year / "Annotations" / f"{name}.xml"
        root = parse_xml(file, _UNPACK)
        width, height = image_size(root, file)
        image_file = devkit / year / "JPEGImages" / f"{name}.jpg"
        if not image_file.is_file():
            raise UserError(f"{file}: its image {image_file} does not exist; {_UNPACK}")
        image = builder.add_image(image_file.relative_to(devkit).as_posix(), width, height)
        for found in read_objects(root, file):
            try:
                category_id = _category_id(found.name)
                left, top, right, bottom = found.corners()
                box = check_box([left - 1, top - 1, right - left + 1, bottom - top + 1], image)
            except BrokenBoxError as error:
                builder.add_broken(found.where, error)
                continue
            if found.difficult is None:
                builder.notice(NO_DIFFICULT, found.where)
            builder.add_box(image, category_id, box, found.difficult or 0)
    return builder.finish(numbered_categories(CLASSES), report)


def _listed_images(devkit: Path, split: str) -> list[tuple[str, str]]:
    """The year's folder and the name of each image, in the order of the joined lists."""
    listed: dict[tuple[str, str], None] = {}
    for year, part in SPLITS[split]:
        file = devkit / year / "ImageSets" / "Main" / f"{part}.txt"
        for line in read_text(file, _UNPACK).splitlines():
            name = line.strip()
            if not name:
                continue
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise UserError(
                    f"{file}: the line {name[:40]!r} is no image's name, of letters, digits, _ and "
                    "- without an ending; give one name a line"
                )
            if (year, name) in listed:
                raise UserError(f"{file}: lists {name!r} more than once; list each image once")
            listed[year, name] = None
    return list(listed)


def _category_id(name: str) -> int:
    if name not in CLASSES:
        wrong = f"has the unknown class {name[:40]!r}"
        raise BrokenBoxError("of unknown class", f"{wrong}, not one of VOC's {len(CLASSES)}")
    return CLASSES.index(name) + 1
