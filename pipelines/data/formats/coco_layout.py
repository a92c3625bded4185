"""Which COCO files a data set of one's own has, as annotation tools export it, and of which split.

Names of splits count with their usual prefixes and suffixes: `instances_Train.json`,
`train2017.json`, `my-set_validation.json`; or a json lies in a folder of the split's name, as
Roboflow exports. A json that is the only one is train.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pipelines.data.formats.image_files import list_files
from pipelines.data.formats.split_names import SPLIT_NAMES, named, split_folders, split_in
from pipelines.system.errors import UserError

ANNOTATION_FOLDERS = ("annotations", "annotation", "labels")
WITHOUT_BOXES = {"captions", "keypoints", "panoptic", "stuff", "image"}
"""Words in the names of COCO's files that are not of objects, such as image_info_test2017.json."""

USUAL = {"instances", "annotations", "coco"}
"""Words beside the split's in the names of files that are COCO's whatever is in them."""


def find_coco(folder: Path, report: Callable[[str], None]) -> dict[str, Path]:
    """The json of each split, in the order train, val, test; nothing if there is none.

    Raises:
        UserError: there are several for a split, or none of several is told to be train.
    """
    found = _by_split(folder)
    unnamed = found.pop("", [])
    for split, files in found.items():
        if len(files) > 1:
            told = " and ".join(str(file.relative_to(folder)) for file in files[:2])
            raise UserError(f"{folder}: has {told} for {split}; keep one of them")
    if not found and len(unnamed) > 1:
        told = ", ".join(str(file.relative_to(folder)) for file in unnamed[:4])
        raise UserError(
            f"{folder}: none of its json files tells its split ({told}); call them "
            "annotations/train.json, annotations/val.json and annotations/test.json"
        )
    if not found and unnamed:
        told = str(unnamed[0].relative_to(folder))
        report(f"{folder}: {told} is the only COCO json, so all of it is train")
        return {"train": unnamed[0]}
    if unnamed:
        told = str(unnamed[0].relative_to(folder))
        report(
            f"{folder}: {len(unnamed)} json files tell no split and are not used (first: {told!r})"
        )
    return {split: found[split][0] for split in SPLIT_NAMES if split in found}


def image_places(folder: Path, split: str, file: Path) -> list[Path]:
    """Where the images of a json may lie: each folder that is there, the likeliest first."""
    stem = re.sub(r"^instances_", "", file.stem, flags=re.IGNORECASE)
    names = (stem, split, *SPLIT_NAMES[split])
    images = named(folder, "images")
    places = [named(images, *names), images] if images else []
    places += [named(folder, *names)]
    if file.parent != folder and file.parent.name.casefold() not in ANNOTATION_FOLDERS:
        places = [file.parent, named(file.parent, "images"), *places]
    there = [place for place in places if place and place.is_dir()]
    return [*there, folder]


def _by_split(folder: Path) -> dict[str, list[Path]]:
    """The json files by split; under "" those that tell none."""
    found: dict[str, list[Path]] = {}
    annotations = named(folder, *ANNOTATION_FOLDERS)
    for file in _json_files(annotations) if annotations else []:
        split = split_in(file.stem)
        if (split and len(_words(file.stem) - USUAL) == 1) or _is_coco(file):
            found.setdefault(split or "", []).append(file)
    for split, place in split_folders(folder).items():
        own = [file for file in _json_files(place) if _is_coco(file)]
        found.setdefault(split, []).extend(own)
    for file in _json_files(folder):
        if _is_coco(file):
            found.setdefault(split_in(file.stem) or "", []).append(file)
    return {split: files for split, files in found.items() if files}


def _json_files(folder: Path) -> list[Path]:
    return list_files(folder, (".json",)) if folder.is_dir() else []


def _words(stem: str) -> set[str]:
    return set(re.findall(r"[a-z]+", stem.casefold()))


def _is_coco(file: Path) -> bool:
    """Whether the three lists are named in it; nothing is parsed, so that broken files count."""
    if _words(file.stem) & WITHOUT_BOXES:
        return False
    try:
        content = file.read_bytes()
    except OSError:
        return False
    return all(key in content for key in (b'"images"', b'"annotations"', b'"categories"'))
