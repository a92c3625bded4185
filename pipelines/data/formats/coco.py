"""Read and check one split of a data set in COCO form, before pycocotools or training sees it.

Nothing is altered silently: what is repaired, clipped or dropped is reported, anything else that
is wrong stops the run with a UserError which names the file and the id.
"""

import json
import posixpath
import reprlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any, cast

from pipelines.data.formats.boxes import BrokenBoxError, CheckedBox, check_box, is_number
from pipelines.data.records import Annotation, Box, Category, CocoSplit, ImageRecord
from pipelines.system.errors import UserError, note

__all__ = ["Annotation", "Box", "Category", "CocoSplit", "ImageRecord", "read_coco"]

LARGEST_ID = 2**53
"""COCOeval keeps ids in float64 arrays, which hold whole numbers exactly up to here."""


@dataclass
class _Problems:
    """What is wrong in a file, by kind: the first message of each kind and how many there are."""

    file: Path
    first: dict[str, str] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, message: str) -> None:
        self.first.setdefault(kind, message)
        self.count[kind] += 1

    def stop_if_any(self, advice: str = "") -> None:
        if not self.first:
            return
        kind, message = next(iter(self.first.items()))
        alike = self.count[kind] - 1
        others = self.count.total() - self.count[kind]
        more = f" (and {alike} more like it)" if alike else ""
        more += f" (and {others} other problems)" if others else ""
        raise UserError(f"{self.file}: {message}{advice}{more}")


def read_coco(
    annotation_file: Path,
    image_dir: Path,
    *,
    drop_broken: bool = False,
    report: Callable[[str], None] = note,
) -> CocoSplit:
    """Read and check a COCO json; images must exist in image_dir but are not opened.

    drop_broken: leave out broken boxes (no area, outside the image, not finite, not four numbers,
    unknown category) and report how many, rather than stop. Boxes over the edge by at most 1 px
    are clipped, and their number reported. A missing iscrowd is 0, a missing area width · height.

    Raises UserError on anything else that is wrong with the file.
    """
    content = _read_json(annotation_file)
    problems = _Problems(annotation_file)
    categories = _read_categories(content["categories"], problems, report)
    problems.stop_if_any()
    if not image_dir.is_dir():
        raise UserError(
            f"{image_dir}: no such image folder; put the images of {annotation_file} there"
        )
    images = _read_images(content["images"], image_dir, problems)
    problems.stop_if_any()
    annotations = _read_annotations(
        content["annotations"], images, categories, problems, drop_broken, report
    )
    if all(annotation.iscrowd for annotation in annotations):
        raise UserError(f"{annotation_file}: no boxes in the split; annotate at least one object")
    return CocoSplit(
        tuple(image for _, image in sorted(images.items())),
        tuple(category for _, category in sorted(categories.items())),
        annotations,
    )


def _read_json(file: Path) -> dict[str, list[object]]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{file}: no such annotation file; check the data set's folder") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the file") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: is not json ({error}); download or export it again") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(
                f"{file}: has no list of {key!r}; "
                "give a COCO object with the lists images, annotations and categories"
            )
    return cast(dict[str, list[object]], content)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_ID


def _by_id(entries: list[object], kind: str, problems: _Problems) -> dict[int, dict[str, Any]]:
    """The entries that are objects with an id of their own, by id."""
    found: dict[int, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            problems.add(
                f"odd {kind}", f"{kind} at position {position} is not an object; correct the entry"
            )
        elif not _is_id(entry.get("id")):
            problems.add(
                f"{kind} without id",
                f"{kind} at position {position} has no id that is a whole number from 0 "
                f"(it has {reprlib.repr(entry.get('id'))}); give each {kind} its own id",
            )
        elif entry["id"] in found:
            problems.add(
                f"duplicate {kind} id",
                f"{kind} id {entry['id']} occurs more than once; give each {kind} its own id",
            )
        else:
            found[entry["id"]] = entry
    return found


def _read_categories(
    entries: list[object], problems: _Problems, report: Callable[[str], None]
) -> dict[int, Category]:
    if len(entries) == 1 and isinstance(entries[0], dict):
        names = entries[0].get("name")
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            report(
                f"{problems.file}: its one category has a list for a name; "
                f"read as categories 1 to {len(names)}: {', '.join(names)}"
            )
            entries = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    if not entries:
        problems.add("no categories", "the list of categories is empty; declare the classes")
    categories: dict[int, Category] = {}
    names_seen: dict[str, int] = {}
    for id_, entry in _by_id(entries, "category", problems).items():
        name = entry.get("name")
        if not isinstance(name, str) or not name.strip():
            problems.add(
                "odd category name",
                f"category id {id_} has the name {reprlib.repr(name)}; give it a name in letters",
            )
        elif name in names_seen:
            problems.add(
                "duplicate category name",
                f"category ids {names_seen[name]} and {id_} have the same name {name!r}; "
                "give each category its own name",
            )
        else:
            names_seen[name] = id_
            categories[id_] = Category(id_, name)
    return categories


def _read_images(
    entries: list[object], image_dir: Path, problems: _Problems
) -> dict[int, ImageRecord]:
    images: dict[int, ImageRecord] = {}
    ids_of_files: dict[str, int] = {}
    for id_, entry in _by_id(entries, "image", problems).items():
        name, width, height = (entry.get(key) for key in ("file_name", "width", "height"))
        label = f"image id {id_}"
        if not isinstance(name, str) or not name:
            problems.add("no file name", f"{label} has no file_name; name its file in {image_dir}")
        elif not (_is_id(width) and _is_id(height) and width and height):
            problems.add(
                "odd image size",
                f"{label} has width {reprlib.repr(width)} and height {reprlib.repr(height)}; "
                "give whole numbers of pixels from 1",
            )
        elif _leads_outside(name):
            problems.add(
                "file outside",
                f"{label} has the file_name {name!r}, which leads outside the image folder; "
                f"give a path relative to {image_dir}",
            )
        elif (normal := posixpath.normpath(name)) in ids_of_files:
            problems.add(
                "duplicate file name",
                f"image ids {ids_of_files[normal]} and {id_} have the same file_name {name!r}; "
                "list each file once",
            )
        elif not (image_dir / name).is_file():
            problems.add(
                "missing file",
                f"{label}: its file {str(image_dir / name)!r} does not exist; add the file "
                "or take the image and its boxes out of the json",
            )
        else:
            ids_of_files[normal] = id_
            images[id_] = ImageRecord(id_, name, width, height)
    return images


def _leads_outside(file_name: str) -> bool:
    windows = PureWindowsPath(file_name)
    normal = posixpath.normpath(file_name.replace("\\", "/"))
    return bool(windows.root or windows.drive) or normal.split("/")[0] in ("..", ".")


def _read_annotations(
    entries: list[object],
    images: dict[int, ImageRecord],
    categories: dict[int, Category],
    problems: _Problems,
    drop_broken: bool,
    report: Callable[[str], None],
) -> tuple[Annotation, ...]:
    file = problems.file
    broken = _Problems(file)
    annotations: list[Annotation] = []
    clipped = 0
    for id_, entry in sorted(_by_id(entries, "annotation", problems).items()):
        fault = _fault_beside_box(entry, images)
        if fault is not None:
            problems.add(fault[0], f"annotation id {id_} {fault[1]}")
            continue
        try:
            box = _box_of(entry, images[entry["image_id"]], categories)
        except BrokenBoxError as error:
            broken.add(error.kind, f"annotation id {id_} {error}")
            continue
        clipped += box.clipped
        annotations.append(_annotation(id_, entry, box.bbox))
    problems.stop_if_any()
    if not drop_broken:
        broken.stop_if_any("; correct it, or prepare with --drop-broken to leave it out")
    if broken.count:
        reasons = ", ".join(f"{count} {kind}" for kind, count in broken.count.items())
        report(f"{file}: dropped {broken.count.total()} broken boxes: {reasons}")
    if clipped:
        report(f"{file}: clipped {clipped} boxes that were over the image's edge by up to 1 px")
    return _without_id_zero(annotations, file, report)


def _fault_beside_box(
    entry: dict[str, Any], images: dict[int, ImageRecord]
) -> tuple[str, str] | None:
    """The kind and the wording of what is wrong with image_id, iscrowd or area."""
    image_id, iscrowd, area = entry.get("image_id"), entry.get("iscrowd", 0), entry.get("area", 0)
    if not _is_id(image_id) or image_id not in images:
        wrong = f"has the unknown image_id {reprlib.repr(image_id)}"
        return "unknown image", f"{wrong}; list the image or take the annotation out"
    if iscrowd not in (0, 1):
        wrong = f"has iscrowd {reprlib.repr(iscrowd)}"
        return "odd iscrowd", f"{wrong}; give 0 for one object, 1 for a crowd"
    if not is_number(area) or not 0 <= area < float("inf"):
        wrong = f"has area {reprlib.repr(area)}"
        return "odd area", f"{wrong}; give square pixels, or leave area out for width · height"
    return None


def _box_of(
    entry: dict[str, Any], image: ImageRecord, categories: dict[int, Category]
) -> CheckedBox:
    category_id = entry.get("category_id")
    if not _is_id(category_id) or category_id not in categories:
        wrong = f"has the unknown category_id {reprlib.repr(category_id)}"
        raise BrokenBoxError("of unknown category", f"{wrong}, not one of {sorted(categories)}")
    return check_box(entry.get("bbox"), image)


def _annotation(id_: int, entry: dict[str, Any], bbox: Box) -> Annotation:
    return Annotation(
        id=id_,
        image_id=entry["image_id"],
        category_id=entry["category_id"],
        bbox=bbox,
        iscrowd=int(entry.get("iscrowd", 0)),
        area=float(entry.get("area", bbox[2] * bbox[3])),
    )


def _without_id_zero(
    annotations: list[Annotation], file: Path, report: Callable[[str], None]
) -> tuple[Annotation, ...]:
    """Number annotations from 1 where one has id 0, which COCOeval takes to mean "no match"."""
    if not any(annotation.id == 0 for annotation in annotations):
        return tuple(annotations)
    report(f"{file}: annotation ids start at 0, which COCOeval mistakes; numbered anew from 1")
    return tuple(
        Annotation(number, a.image_id, a.category_id, a.bbox, a.iscrowd, a.area)
        for number, a in enumerate(annotations, start=1)
    )
