"""A data set in YOLO's form without a yaml, as CVAT, labelImg, Label Studio and darknet leave it.

Labels lie in labels/ or beside the photographs; a list of class names, one a line, must be there.
Splits are lists of images (train.txt, valid.txt), folders (images/train, train/, obj_train_data),
or else all is train.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from pipelines.data.formats.image_files import ENDINGS, inside, list_files
from pipelines.data.formats.split_names import named, split_files, split_folders, split_in
from pipelines.data.formats.text_files import read_class_names
from pipelines.data.formats.yolo_lists import (
    CLASS_FILES,
    Layout,
    images_in,
    is_class_file,
    label_file,
    listed_images,
)
from pipelines.data.photographs import Photographs
from pipelines.system.errors import UserError

_LOOKED_AT = 1000
"""Images whose labels are looked for, to tell the form."""

_DARKNET_FOLDER = re.compile(r"obj_(\w+)_data", re.IGNORECASE)
_NUMBERS = re.compile(rb"\s*\d+(\s+[-+.\deE]+){4,}\s*(\r?\n|$)")


def has_labels(folder: Path) -> bool:
    """Whether there is a list of class names and an image, or a file of labels for one."""
    images = list_files(folder, ENDINGS, "**/*")
    if _class_file(folder) and (named(folder, "labels") or named(folder, "obj.data")):
        return bool(images)
    return any(_is_labels(label_file(folder, image)) for image in islice(images, _LOOKED_AT))


def _is_labels(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return _NUMBERS.match(stream.read(500)) is not None
    except OSError:
        return False


def bare_layout(folder: Path, photographs: Photographs, report: Callable[[str], None]) -> Layout:
    """The classes and the images of each split.

    Raises:
        UserError: there is no list of class names, or no split train.
    """
    file = _class_file(folder)
    if file is None:
        raise UserError(
            f"{folder}: has labels in YOLO's form and no list of class names; write "
            f"{folder / CLASS_FILES[0]}, the name of class 0 in its first line, of class 1 in its "
            "second, and so on"
        )
    names = read_class_names(inside(folder, file, str(folder)))
    images = _listed(folder, photographs, report) or {
        split: images_in(inside(folder, place, str(folder)))
        for split, place in _places(folder).items()
    }
    if "train" not in images:
        place = named(folder, "images") or folder
        raise UserError(f"{place}: has no train/; put the images to train on there")
    return Layout(names, images)


def _class_file(folder: Path) -> Path | None:
    """The list of class names in the folder, in labels/, or beside the photographs."""
    places = [folder, *sorted(path for path in folder.glob("*") if path.is_dir())]
    for place in places:
        files = [path for path in sorted(place.glob("*")) if is_class_file(path) and path.is_file()]
        if len(files) > 1 and len({path.read_bytes().strip() for path in files}) > 1:
            raise UserError(
                f"{place}: has {files[0].name} and {files[1].name}, which name other classes; "
                "keep one"
            )
        if files:
            return files[0]
    return None


def _listed(
    folder: Path, photographs: Photographs, report: Callable[[str], None]
) -> dict[str, list[Path]]:
    found = {
        split: listed_images(folder, folder, inside(folder, file, str(folder)), photographs)
        for split, file in split_files(folder, ".txt").items()
    }
    photographs.tell(str(folder), report)
    for split, images in found.items():
        if not images:
            report(f"{folder}: its list of {split} is empty; the split is taken as absent")
    return {split: images for split, images in found.items() if images}


def _places(folder: Path) -> dict[str, Path]:
    """The folder of images of each split; without such folders, all that is there is train."""
    images = named(folder, "images")
    if images and images.is_dir():
        return split_folders(images) or {"train": images}
    darknet = {
        split: path
        for path in sorted(folder.iterdir())
        if _DARKNET_FOLDER.fullmatch(path.name) and (split := split_in(path.name))
    }
    return split_folders(folder) or darknet or {"train": folder}
