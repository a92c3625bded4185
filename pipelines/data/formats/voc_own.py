"""Read and check a user's own data set in PASCAL VOC's xml, as tools write it.

As in read_coco nothing is altered silently.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from pipelines.data.formats.boxes import BrokenBoxError, CheckedBox, check_box
from pipelines.data.formats.image_files import ENDINGS, inside, list_files, read_header
from pipelines.data.formats.split_builder import SplitBuilder, numbered_categories
from pipelines.data.formats.text_files import check_class_names, read_class_names
from pipelines.data.formats.voc_layout import Part, find_parts, is_own_voc
from pipelines.data.formats.voc_xml import (
    NO_DIFFICULT,
    VocObject,
    image_size,
    parse_xml,
    read_objects,
)
from pipelines.data.photographs import Photographs
from pipelines.data.records import CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource
from pipelines.system.errors import UserError, note

__all__ = ["is_own_voc", "read_own_voc"]

CLASS_FILES = ("labels.txt", "classes.txt")
"""Either may name the classes, one a line; else the classes are those that occur."""

_EXPORT = "export it again"


@dataclass(frozen=True)
class _Annotated:
    """An image with its objects as written, and whether its xml left the size open."""

    file: Path
    size: tuple[int, int]
    sizeless: bool
    objects: tuple[VocObject, ...]


def read_own_voc(
    folder: Path,
    *,
    drop_broken: bool = False,
    skip_broken_images: bool = False,
    report: Callable[[str], None] = note,
) -> dict[str, FolderSource]:
    """Read and check the splits: train, and val and test where there are any.

    Classes are those that occur, by name, or the lines of labels.txt or classes.txt; category ids
    count from 1. Image ids of each split count from 1; file names are relative to `folder`.
    An xml's image is the one of its own name, else its <filename>. The image's size must be that
    of the xml, as stored or turned by EXIF; where the xml gives none, that is reported and the
    image's own taken, turned.

    Corners are VOC's, 1-based and inclusive, unless a box of the data set starts at 0: then they
    are 0-based and exclusive in all of it, which is reported. Objects marked difficult get
    iscrowd = 1, as in read_voc. Images without an xml, or in no list, are left out and reported.

    drop_broken: leave out broken boxes (no area, outside the image, not finite, not four numbers,
    unknown class) and report how many, rather than stop. Boxes over the edge are clipped as
    check_box does, and their number reported. skip_broken_images: leave out photographs that
    cannot be decoded, and report how many.

    Raises UserError on anything else that is wrong, such as a file outside the folder.
    """
    parts = find_parts(folder, report)
    photographs = Photographs(folder)
    pictures = {place: _by_stem(place) for place in {part.image_dir for part in parts.values()}}
    builders = {
        split: SplitBuilder(f"{folder} ({split})", drop_broken, skip_broken_images)
        for split in parts
    }
    annotated = {
        split: list(
            _read_part(folder, part, pictures[part.image_dir], photographs, builders[split])
        )
        for split, part in parts.items()
    }
    photographs.tell(str(folder), report)
    everything = [image for images in annotated.values() for image in images]
    _report_unused(folder, pictures, {image.file for image in everything}, report)
    first = 0 if any(_starts_at_zero(o) for image in everything for o in image.objects) else 1
    if first == 0:
        report(f"{folder}: a box starts at 0; all corners are read as 0-based and exclusive")
    names = _class_names(folder, {o.name for image in everything for o in image.objects})
    return {
        split: FolderSource(
            _build(folder, builders[split], images, names, first, report), folder, upright=True
        )
        for split, images in annotated.items()
    }


def _by_stem(image_dir: Path) -> dict[str, list[Path]]:
    pictures = defaultdict(list)
    for path in list_files(image_dir, ENDINGS, "**/*"):
        pictures[path.stem].append(path)
    return pictures


def _read_part(
    folder: Path,
    part: Part,
    pictures: dict[str, list[Path]],
    photographs: Photographs,
    builder: SplitBuilder,
) -> Iterator[_Annotated]:
    owners: dict[Path, Path] = {}
    for xml_file in part.xml_files:
        root = parse_xml(inside(folder, xml_file, str(folder)), _EXPORT)
        found = _picture(xml_file, root, part.image_dir, pictures, photographs)
        if found in owners:
            raise UserError(
                f"{xml_file}: has the same image as {owners[found]}, {found.name!r}; "
                "keep one xml for each image"
            )
        owners[found] = xml_file
        image_file = inside(folder, found, str(xml_file))
        if builder.is_usable(image_file):
            size, sizeless = _size(root, xml_file, image_file)
            yield _Annotated(image_file, size, sizeless, tuple(read_objects(root, xml_file)))


def _picture(
    xml_file: Path,
    root: ElementTree.Element,
    image_dir: Path,
    pictures: dict[str, list[Path]],
    photographs: Photographs,
) -> Path:
    """The image of the xml's own name, else the one it names, first among those of the folder."""
    found = pictures.get(xml_file.stem, [])
    if len(found) > 1:
        found = [path for path in found if path.parent.name == xml_file.parent.name] or found
    told = root.findtext("filename", "").strip()
    if not found:
        alike = pictures.get(Path(told).stem, [])
        found = [path for path in alike if path.name == told]
    if not found:
        elsewhere = photographs.find(told) or photographs.find(xml_file.stem)
        found = [elsewhere] if elsewhere else []
    if not found:
        raise UserError(
            f"{xml_file}: there is no image {xml_file.stem!r} in {image_dir}, nor its filename "
            f"{told[:80]!r}; add the image there or take the xml out"
        )
    if len(found) > 1:
        raise UserError(
            f"{xml_file}: has two images, {found[0].name!r} and {found[1].name!r}; keep one"
        )
    return found[0]


def _size(
    root: ElementTree.Element, xml_file: Path, image_file: Path
) -> tuple[tuple[int, int], bool]:
    """The image's size in the frame of its boxes, and whether the xml left it open."""
    header = read_header(image_file)
    given = {root.findtext(f"size/{side}", "").strip() for side in ("width", "height")}
    if given <= {"", "0"}:
        return header.upright, True
    size = image_size(root, xml_file)
    if size not in (header.stored, header.upright):
        raise UserError(
            f"{xml_file}: says {size[0]}x{size[1]} px but {image_file} has "
            f"{header.upright[0]}x{header.upright[1]}; correct the size or use the right image"
        )
    return size, False


def _report_unused(
    folder: Path,
    pictures: dict[Path, dict[str, list[Path]]],
    used: set[Path],
    report: Callable[[str], None],
) -> None:
    there = {path for by_stem in pictures.values() for paths in by_stem.values() for path in paths}
    if unused := there - used:
        first = min(unused).relative_to(folder).as_posix()
        report(
            f"{folder}: {len(unused)} images have no xml, or are in no list, and are left out "
            f"(first: {first!r})"
        )


def _starts_at_zero(found: VocObject) -> bool:
    try:
        left, top, right, bottom = found.corners()
    except BrokenBoxError:
        return False
    return 0 <= min(left, top) < 1 and left < right and top < bottom


def _class_names(folder: Path, occurring: set[str]) -> tuple[str, ...]:
    for name in CLASS_FILES:
        if (folder / name).is_file():
            return read_class_names(inside(folder, folder / name, str(folder)))
    return check_class_names(sorted(occurring - {""}), f"{folder}: its xml files")


def _build(
    folder: Path,
    builder: SplitBuilder,
    images: list[_Annotated],
    names: tuple[str, ...],
    first: int,
    report: Callable[[str], None],
) -> CocoSplit:
    """first: what the leftmost pixel is called; from 1, the right and lower corners are inside."""
    for annotated in images:
        image = builder.add_image(annotated.file.relative_to(folder).as_posix(), *annotated.size)
        if annotated.sizeless:
            builder.notice(
                "xml files have no image size, which the image gives", repr(image.file_name)
            )
        for found in annotated.objects:
            try:
                if found.name not in names:
                    wrong = f"has the unknown class {found.name[:40]!r}"
                    raise BrokenBoxError("of unknown class", f"{wrong}, not one of {len(names)}")
                box = _box(found, image, first)
            except BrokenBoxError as error:
                builder.add_broken(found.where, error)
                continue
            if found.difficult is None:
                builder.notice(NO_DIFFICULT, found.where)
            builder.add_box(image, names.index(found.name) + 1, box, found.difficult or 0)
    return builder.finish(numbered_categories(names), report)


def _box(found: VocObject, image: ImageRecord, first: int) -> CheckedBox:
    left, top, right, bottom = found.corners()
    return check_box([left - first, top - first, right - left + first, bottom - top + first], image)
