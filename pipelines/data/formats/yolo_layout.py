"""Where a data set in YOLO's form keeps its images, and what its classes are called.

By a yaml as Ultralytics documents it, or without one as `yolo_bare` looks for them.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipelines.data.formats.image_files import (
    inside,
    list_files,
)
from pipelines.data.formats.split_names import SPLIT_NAMES
from pipelines.data.formats.text_files import check_class_names, read_text
from pipelines.data.formats.yolo_bare import bare_layout, has_labels
from pipelines.data.formats.yolo_lists import Layout, images_in, listed_images
from pipelines.data.photographs import Photographs
from pipelines.system.errors import UserError

LARGEST_YAML = 2**18
"""Bytes; a thousand class names take a tenth of that."""

_DEEPEST = 8
_STARTS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_ENDS = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_ADVICE = "give the yaml that Ultralytics documents: names, train, val, and test if there is one"


def is_yolo(folder: Path) -> bool:
    """Whether the folder has a data.yaml, another yaml with names, or images with labels."""
    return bool(_yaml_files(folder)) or has_labels(folder)


def find_layout(folder: Path, report: Callable[[str], None]) -> Layout:
    """Find the classes and the images of train, and of val and test if there are any.

    Raises UserError if the yaml or a list is broken, names something outside, or no train images;
    a val or test that is not there is taken as absent, and reported.
    """
    files = _yaml_files(folder)
    if len(files) > 1:
        told = ", ".join(file.name for file in files)
        raise UserError(f"{folder}: has several yaml files ({told}); call the right one data.yaml")
    photographs = Photographs(folder)
    if not files:
        return bare_layout(folder, photographs, report)
    file = files[0]
    content = _read_yaml(folder, file)
    names = _names(content, file)
    base = _base(folder, content.get("path"), file, report)
    images = {}
    for split, keys in SPLIT_NAMES.items():
        value = next((content[key] for key in keys if content.get(key) is not None), None)
        if value is None:
            continue
        where = f"{file}: {split}"
        if split != "train" and (absent := _absent(folder, base, value)):
            report(f"{where}: {absent!r} is not there; the split is taken as absent")
        else:
            images[split] = _images_of(folder, base, value, where, photographs, report)
    if "train" not in images:
        raise UserError(f"{file}: names no train images; {_ADVICE}")
    photographs.tell(str(file), report)
    return Layout(names, images)


def _yaml_files(folder: Path) -> list[Path]:
    named = folder / "data.yaml"
    if named.is_file():
        return [named]
    return [file for file in list_files(folder, (".yaml", ".yml")) if _has_names(file)]


def _has_names(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            start = stream.read(LARGEST_YAML)
    except OSError:
        return False
    return re.search(rb"^[\"']?names[\"']?\s*:", start, re.MULTILINE) is not None


def _read_yaml(folder: Path, file: Path) -> dict[Any, Any]:
    """Parse a yaml that is plain, as those of data sets are; see _check_plain."""
    text = read_text(inside(folder, file, str(folder)), _ADVICE, LARGEST_YAML)
    try:
        _check_plain(text, file)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        told = " ".join(str(error).split())[:200]
        raise UserError(f"{file}: is not yaml ({told}); {_ADVICE}") from None
    if not isinstance(content, dict):
        raise UserError(f"{file}: has no names; {_ADVICE}")
    if "kpt_shape" in content:
        raise UserError(f"{file}: is for key points (kpt_shape); export it for detection, as boxes")
    return content


def _check_plain(text: str, file: Path) -> None:
    """Refuse what can grow without bound or ask for more than data: aliases, tags, deep nesting."""
    depth = 0
    for token in yaml.scan(text):
        depth += isinstance(token, _STARTS)
        depth -= isinstance(token, _ENDS)
        if isinstance(token, yaml.AliasToken | yaml.TagToken):
            raise UserError(f"{file}: has an alias (*) or a tag (!); write the values out")
        if depth > _DEEPEST:
            raise UserError(f"{file}: is nested more than {_DEEPEST} deep; write it flatter")


def _names(content: dict[Any, Any], file: Path) -> tuple[str, ...]:
    names = content.get("names")
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise UserError(f"{file}: names does not number its {len(names)} classes from 0 on")
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list):
        raise UserError(f"{file}: has no list of names; {_ADVICE}")
    for index, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise UserError(
                f"{file}: names: number {index} is no text but a {type(name).__name__} in yaml; "
                "put the class's name in quotes"
            )
    number = content.get("nc", len(names))
    if number != len(names):
        raise UserError(
            f"{file}: nc is {str(number)[:20]!r} but there are {len(names)} names; correct one"
        )
    return check_class_names([str(name).strip() for name in names], f"{file}: names")


def _base(folder: Path, path: object, file: Path, report: Callable[[str], None]) -> Path:
    """The folder that the splits' paths are relative to; one of another machine is not used."""
    if path is None:
        return folder
    if not isinstance(path, str):
        raise UserError(f"{file}: path is no text; give a folder, or leave it out")
    if not os.path.isdir(folder / path):
        report(f"{file}: its path {path[:200]!r} is not there; the yaml's own folder is taken")
        return folder
    return inside(folder, folder / path, f"{file}: path")


def _absent(folder: Path, base: Path, value: object) -> str | None:
    """The path that a split is said to lie at, if nothing is there and nothing is beside it."""
    if not isinstance(value, str) or not value or len(value) > 200 or "\0" in value:
        return None
    ways = (base / value, base / value.removeprefix("../"), folder / value.removeprefix("../"))
    return None if any(os.path.lexists(way) for way in ways) else value


def _images_of(
    folder: Path,
    base: Path,
    value: object,
    where: str,
    photographs: Photographs,
    report: Callable[[str], None],
) -> list[Path]:
    """The images of a split: of a folder, a list in a text file, or several of those."""
    images: dict[Path, None] = {}
    for text in value if isinstance(value, list) else [value]:
        if not isinstance(text, str) or not text:
            raise UserError(f"{where} is no path; {_ADVICE}")
        place = _place(folder, base, text, where, report)
        if os.path.isdir(place):
            found = images_in(place)
        elif place.suffix == ".txt" and os.path.isfile(place):
            found = listed_images(folder, base, place, photographs)
        else:
            raise UserError(
                f"{where}: there is no folder and no list {str(place)[:200]!r}; "
                "correct the path or take it out"
            )
        for image in found:
            if image in images:
                raise UserError(f"{where}: has {str(image)!r} twice; name each image once")
            images[image] = None
    if not images:
        raise UserError(f"{where} names no images; correct the path or take it out")
    return list(images)


def _place(folder: Path, base: Path, text: str, where: str, report: Callable[[str], None]) -> Path:
    """Exports of Roboflow write ../train/images for train/images, as Ultralytics knows."""
    within = base / text.removeprefix("../")
    if text.startswith("../") and base == folder and os.path.exists(within):
        report(f"{where}: {text[:200]!r} is taken to mean {text[3:200]!r}")
        return inside(folder, within, where)
    return inside(folder, base / text, where)
