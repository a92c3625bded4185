"""Read and check one split of a data set in COCO form, before pycocotools or training sees it.

Nothing is altered silently: what is repaired, clipped or dropped is reported, anything else that
is wrong stops the run with a UserError which names the file and the id.
"""

import json
import reprlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from pipelines.data.formats.coco_annotations import read_annotations
from pipelines.data.formats.coco_images import ImageReader
from pipelines.data.formats.coco_problems import Entry, Problems, by_key, key_of
from pipelines.data.formats.image_files import is_file
from pipelines.data.photographs import Photographs
from pipelines.data.records import Annotation, Box, Category, CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource
from pipelines.system.errors import UserError, note

__all__ = ["Annotation", "Box", "Category", "CocoSplit", "ImageRecord", "read_coco"]


def read_coco(
    annotation_file: Path,
    image_dir: Path,
    *,
    drop_broken: bool = False,
    report: Callable[[str], None] = note,
) -> CocoSplit:
    """Read and check a COCO json; images must exist in image_dir but are not opened.

    drop_broken: leave out broken boxes (no area, outside the image, not finite, not four numbers,
    unknown category) and report how many, rather than stop. Boxes over the edge are clipped as
    check_box does, and their number reported. A missing iscrowd is 0, a missing area
    width · height, a missing bbox the extent of the segmentation. Ids that are text become
    numbers. A category without boxes that is the supercategory of all others is left out.

    Raises UserError on anything else that is wrong with the file.
    """
    content = _read_json(annotation_file)
    images = ImageReader(annotation_file, image_dir)
    return _read(content, images, drop_broken, report)


def read_own_coco(
    annotation_file: Path,
    places: Sequence[Path],
    photographs: Photographs,
    *,
    drop_broken: bool = False,
    skip_broken_images: bool = False,
    report: Callable[[str], None] = note,
) -> FolderSource:
    """Read and check a COCO json as annotation tools write it; for the rest see read_coco.

    Args:
        annotation_file: the json.
        places: folders that its file names may be relative to; that with the most files is taken.
        photographs: where files are found by name that lie elsewhere, which is reported.
        drop_broken: see read_coco.
        skip_broken_images: leave out photographs that are missing or cannot be decoded, with their
            boxes, and report how many.
        report: told what was repaired or left out.

    Raises:
        UserError: anything else is wrong with the file.
    """
    content = _read_json(annotation_file)
    image_dir = _fullest(places, content["images"])
    images = ImageReader(annotation_file, image_dir, photographs, skip_broken=skip_broken_images)
    split = _read(content, images, drop_broken, report)
    photographs.tell(str(annotation_file), report)
    return FolderSource(split, images.base, upright=True)


def _read(
    content: dict[str, list[object]],
    image_reader: ImageReader,
    drop_broken: bool,
    report: Callable[[str], None],
) -> CocoSplit:
    file = image_reader.file
    problems = Problems(file)
    categories = _read_categories(content, problems, report)
    problems.stop_if_any()
    images = image_reader.read(content["images"], problems, report)
    problems.stop_if_any()
    annotations = read_annotations(
        content["annotations"], images, categories, problems, drop_broken, report
    )
    image_reader.tell_skipped(report)
    if all(annotation.iscrowd for annotation in annotations):
        raise UserError(f"{file}: no boxes in the split; annotate at least one object")
    return CocoSplit(
        tuple(sorted((image for image in images.values() if image), key=lambda image: image.id)),
        tuple(sorted(categories.values(), key=lambda category: category.id)),
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


def _fullest(places: Sequence[Path], entries: list[object]) -> Path:
    """The folder with the most of the images; of equal ones the first."""
    names = [entry.get("file_name") for entry in entries if isinstance(entry, dict)]

    def there(place: Path) -> int:
        return sum(isinstance(name, str) and is_file(place / name) for name in names)

    return max(places, key=there)


def _read_categories(
    content: dict[str, list[object]], problems: Problems, report: Callable[[str], None]
) -> dict[int | str, Category]:
    entries = content["categories"]
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
    categories: dict[int | str, Category] = {}
    names_seen: dict[str, int] = {}
    found = by_key(entries, "category", problems, report)
    for key, entry in found.items():
        name = entry.content.get("name")
        if not isinstance(name, str) or not name.strip():
            problems.add(
                "odd category name",
                f"{entry.label} has the name {reprlib.repr(name)}; give it a name in letters",
            )
        elif name in names_seen:
            problems.add(
                "duplicate category name",
                f"category ids {names_seen[name]} and {entry.id} have the same name {name!r}; "
                "give each category its own name",
            )
        else:
            names_seen[name] = entry.id
            categories[key] = Category(entry.id, name)
    root = _root_category(found, content["annotations"])
    if root in categories:
        left_out = categories.pop(root)
        report(
            f"{problems.file}: the category {left_out.name!r} has no box and is the supercategory "
            "of all others; it is left out"
        )
    return categories


def _root_category(found: dict[int | str, Entry], annotations: list[object]) -> int | str | None:
    """The category that Roboflow puts above the classes: without boxes, above all others."""
    used = {key_of(entry.get("category_id")) for entry in annotations if isinstance(entry, dict)}
    for key, root in found.items():
        name = root.content.get("name")
        above = [e.content.get("supercategory") for other, e in found.items() if other != key]
        if key not in used and above and all(told == name for told in above):
            return key
    return None
