"""Read and check a split of PASCAL VOC 2007 and 2012 joined (LapNet, §4.1), from its devkit folder.

The devkit holds VOC2007 and VOC2012, each with Annotations/, ImageSets/Main/ and JPEGImages/. As in
read_coco nothing is altered silently.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from pipelines.data.boxes import BrokenBoxError, CheckedBox, check_box
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.errors import UserError, note

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle",
    "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person",
    "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""Category id k is CLASSES[k - 1]."""

SPLITS = {
    "train": (("VOC2007", "trainval"), ("VOC2012", "trainval")),
    "test": (("VOC2007", "test"),),
}
"""The lists of images, (year's folder, list), that are joined to a split."""

LARGEST_FILE = 4 * 2**20
"""Bytes; VOC's own files are far smaller."""

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
    unknown class) and report how many, rather than stop. Boxes over the edge by at most 1 px are
    clipped, and their number reported.

    Raises UserError on anything else that is wrong with the files.
    """
    label = f"{devkit} ({', '.join(' '.join(part) for part in SPLITS[split])})"
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    dropped: Counter[str] = Counter()
    clipped = 0
    for year, name in _listed_images(devkit, split):
        file = devkit / year / "Annotations" / f"{name}.xml"
        root = _parse(file)
        image = _image_record(len(images) + 1, f"{year}/JPEGImages/{name}.jpg", root, file, devkit)
        images.append(image)
        for position, entry in enumerate(root.iterfind("object"), start=1):
            iscrowd = _difficult(entry, f"{file}: object {position}")
            try:
                category_id, box = _category_id(entry), _box(entry, image)
            except BrokenBoxError as error:
                if not drop_broken:
                    raise UserError(
                        f"{file}: object {position} {error}; correct it, or set drop_broken to "
                        "leave broken boxes out"
                    ) from None
                dropped[error.kind] += 1
                continue
            clipped += box.clipped
            area = box.bbox[2] * box.bbox[3]
            number = len(annotations) + 1
            annotations.append(Annotation(number, image.id, category_id, box.bbox, iscrowd, area))
    if dropped:
        reasons = ", ".join(f"{count} {kind}" for kind, count in dropped.items())
        report(f"{label}: dropped {dropped.total()} broken boxes: {reasons}")
    if clipped:
        report(f"{label}: clipped {clipped} boxes that were over the image's edge by up to 1 px")
    if all(annotation.iscrowd for annotation in annotations):
        raise UserError(
            f"{label}: no boxes in the split but difficult ones; annotate at least one object"
        )
    categories = tuple(Category(k, name) for k, name in enumerate(CLASSES, start=1))
    return CocoSplit(tuple(images), categories, tuple(annotations))


def _listed_images(devkit: Path, split: str) -> list[tuple[str, str]]:
    """The year's folder and the name of each image, in the order of the joined lists."""
    listed: dict[tuple[str, str], None] = {}
    for year, part in SPLITS[split]:
        file = devkit / year / "ImageSets" / "Main" / f"{part}.txt"
        for line in _read_text(file).splitlines():
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


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise UserError(f"{file}: has more than {LARGEST_FILE} bytes; {_UNPACK}")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; {_UNPACK}") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the file") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: is not text in UTF-8; save it as such") from None


def _parse(file: Path) -> ElementTree.Element:
    """Parse decoded text, so that no declared encoding can hide a document type from the check."""
    text = _read_text(file)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UserError(f"{file}: declares a document type or entities; take that out of the file")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"{file}: is not xml ({error}); {_UNPACK}") from None


def _image_record(
    number: int, file_name: str, root: ElementTree.Element, file: Path, devkit: Path
) -> ImageRecord:
    width, height = (root.findtext(f"size/{side}", "").strip() for side in ("width", "height"))
    if not all(re.fullmatch(r"[1-9][0-9]{0,8}", side) for side in (width, height)):
        raise UserError(
            f"{file}: has the image size {width[:20]!r} x {height[:20]!r}; "
            "give width and height in whole pixels from 1"
        )
    if not (devkit / file_name).is_file():
        raise UserError(f"{file}: its image {devkit / file_name} does not exist; {_UNPACK}")
    return ImageRecord(number, file_name, int(width), int(height))


def _difficult(entry: ElementTree.Element, label: str) -> int:
    value = entry.findtext("difficult", "0").strip()
    if value not in ("0", "1"):
        raise UserError(f"{label} has difficult {value[:20]!r}; give 0 or 1")
    return int(value)


def _category_id(entry: ElementTree.Element) -> int:
    name = entry.findtext("name", "").strip()
    if name not in CLASSES:
        wrong = f"has the unknown class {name[:40]!r}"
        raise BrokenBoxError("of unknown class", f"{wrong}, not one of VOC's {len(CLASSES)}")
    return CLASSES.index(name) + 1


def _box(entry: ElementTree.Element, image: ImageRecord) -> CheckedBox:
    texts = [entry.findtext(f"bndbox/{side}", "") for side in ("xmin", "ymin", "xmax", "ymax")]
    try:
        left, top, right, bottom = (float(text) for text in texts)
    except ValueError:
        told = ", ".join(text[:20] for text in texts)
        raise BrokenBoxError(
            "not of four numbers", f"has the corners ({told}), which are not four numbers"
        ) from None
    return check_box([left - 1, top - 1, right - left + 1, bottom - top + 1], image)
