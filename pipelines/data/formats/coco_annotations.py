"""The list of annotations in a COCO json: checked, their boxes inside the images."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.data.formats.boxes import (
    BrokenBoxError,
    CheckedBox,
    check_box,
    is_number,
    told_clipped,
)
from pipelines.data.formats.coco_problems import Entry, Problems, by_key, key_of
from pipelines.data.formats.segmentation import extent
from pipelines.data.records import Annotation, Box, Category, ImageRecord

Images = Mapping[int | str, ImageRecord | None]
Categories = Mapping[int | str, Category]


def read_annotations(
    entries: list[object],
    images: Images,
    categories: Categories,
    problems: Problems,
    drop_broken: bool,
    report: Callable[[str], None],
) -> tuple[Annotation, ...]:
    """The annotations, by id; those of images that are None are left out.

    Raises:
        UserError: an entry is broken, and if it is a box alone, drop_broken is not set.
    """
    file = problems.file
    broken = Problems(file)
    annotations: list[Annotation] = []
    overs: list[float] = []
    outlined = 0
    found = by_key(entries, "annotation", problems, report)
    for entry in sorted(found.values(), key=lambda entry: entry.id):
        fault = _fault_beside_box(entry.content, images)
        if fault is not None:
            problems.add(fault[0], f"{entry.label} {fault[1]}")
            continue
        image = images[_key(entry.content.get("image_id"))]
        if image is None:
            continue
        try:
            category = _category(entry.content, categories)
            bbox = entry.content.get("bbox")
            if by_outline := not bbox and entry.content.get("segmentation"):
                bbox = extent(entry.content["segmentation"], image)
            box = check_box(bbox, image)
        except BrokenBoxError as error:
            broken.add(error.kind, f"{entry.label} {error}")
            continue
        outlined += bool(by_outline)
        overs += [box.over] * box.clipped
        annotations.append(_annotation(entry, image, category, box))
    problems.stop_if_any()
    if not drop_broken:
        broken.stop_if_any("; correct it, or prepare with --drop-broken to leave it out")
    if broken.count:
        reasons = ", ".join(f"{count} {kind}" for kind, count in broken.count.items())
        report(f"{file}: dropped {broken.count.total()} broken boxes: {reasons}")
    if outlined:
        report(f"{file}: {outlined} annotations have no bbox; their segmentation's extent is taken")
    if overs:
        report(f"{file}: {told_clipped(len(overs), max(overs))}")
    return _without_id_zero(annotations, file, report)


def _key(value: object) -> int | str:
    """What an annotation refers to; -1, which nothing has, if it is no id."""
    key = key_of(value)
    return -1 if key is None else key


def _fault_beside_box(entry: dict[str, Any], images: Images) -> tuple[str, str] | None:
    """The kind and the wording of what is wrong with image_id, iscrowd or area."""
    image_id, iscrowd, area = entry.get("image_id"), entry.get("iscrowd", 0), entry.get("area", 0)
    if _key(image_id) not in images:
        wrong = f"has the unknown image_id {reprlib.repr(image_id)}"
        return "unknown image", f"{wrong}; list the image or take the annotation out"
    if iscrowd not in (0, 1, None):
        wrong = f"has iscrowd {reprlib.repr(iscrowd)}"
        return "odd iscrowd", f"{wrong}; give 0 for one object, 1 for a crowd"
    if area is not None and (not is_number(area) or not 0 <= area < float("inf")):
        wrong = f"has area {reprlib.repr(area)}"
        return "odd area", f"{wrong}; give square pixels, or leave area out for width · height"
    return None


def _category(entry: dict[str, Any], categories: Categories) -> Category:
    category_id = entry.get("category_id")
    category = categories.get(_key(category_id))
    if category is None:
        wrong = f"has the unknown category_id {reprlib.repr(category_id)}"
        known = sorted(categories, key=lambda key: (isinstance(key, str), key))
        raise BrokenBoxError("of unknown category", f"{wrong}, not one of {known}")
    return category


def _annotation(
    entry: Entry, image: ImageRecord, category: Category, box: CheckedBox
) -> Annotation:
    area = entry.content.get("area")
    bbox: Box = box.bbox
    return Annotation(
        id=entry.id,
        image_id=image.id,
        category_id=category.id,
        bbox=bbox,
        iscrowd=int(entry.content.get("iscrowd") or 0),
        area=bbox[2] * bbox[3] if area is None else float(area),
    )


def _without_id_zero(
    annotations: list[Annotation], file: Path, report: Callable[[str], None]
) -> tuple[Annotation, ...]:
    """Number annotations from 1 where one has id 0, which COCOeval takes to mean "no match"."""
    if not any(annotation.id == 0 for annotation in annotations):
        return tuple(annotations)
    report(f"{file}: annotation ids start at 0, which COCOeval mistakes; numbered anew from 1")
    return tuple(
        replace(annotation, id=number) for number, annotation in enumerate(annotations, start=1)
    )
