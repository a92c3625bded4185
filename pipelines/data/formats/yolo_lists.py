"""Images in folders and in lists, and the file of labels that belongs to each, in YOLO's form."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.formats.image_files import ENDINGS, inside, list_files
from pipelines.data.formats.split_names import named
from pipelines.data.formats.text_files import read_text
from pipelines.data.photographs import Photographs
from pipelines.system.errors import UserError

CLASS_FILES = ("classes.txt", "obj.names", "_darknet.labels")
"""What tools call their lists of class names; any other file `*.names` is one too."""


@dataclass(frozen=True)
class Layout:
    """The classes' names by index, and the image files of each split, under the folder."""

    names: tuple[str, ...]
    images: dict[str, list[Path]]


def is_class_file(path: Path) -> bool:
    """Whether a file is a list of class names, by its own name."""
    return path.name.casefold() in CLASS_FILES or path.suffix.lower() == ".names"


def images_in(place: Path) -> list[Path]:
    """The image files in a folder and in its folders.

    Raises:
        UserError: there is none.
    """
    found = list_files(place, ENDINGS, "**/*")
    if not found:
        raise UserError(f"{place}: has no images ({', '.join(ENDINGS)}); put some there")
    return found


def listed_images(folder: Path, base: Path, file: Path, photographs: Photographs) -> list[Path]:
    """The images that a text file lists, sorted.

    They are seen from the list's own folder or else from `base`; one that is not there is found by
    its name, as CVAT writes data/obj_train_data/a.jpg for obj_train_data/a.jpg.

    Raises:
        UserError: an image is not there, or outside the folder.
    """
    found: list[Path] = []
    for where, text in _lines(file):
        seen = next(
            (place / text for place in (file.parent, base) if os.path.isfile(place / text)), None
        )
        path = inside(folder, seen, where) if seen else photographs.find(text)
        if path is None or path.suffix.lower() not in ENDINGS:
            path = inside(folder, path or base / text, where)
            raise UserError(
                f"{where}: there is no image {str(path)[:200]!r}; add it or take the line out"
            )
        found.append(path)
    return sorted(found)


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_text(file, "shorten the list").splitlines(), start=1):
        if text := line.strip():
            yield f"{file}: line {number}", text


def label_file(folder: Path, image_file: Path) -> Path:
    """Where an image's labels are: the last folder images/ on the way becomes labels/.

    Without such a folder, or where nothing is there, they lie beside the image.
    """
    way = image_file.relative_to(folder).with_suffix(".txt")
    folders = [part.casefold() for part in way.parts[:-1]]
    if "images" not in folders:
        return folder / way
    last = len(folders) - 1 - folders[::-1].index("images")
    labels = _labels_beside(folder.joinpath(*way.parts[:last]))
    file = labels.joinpath(*way.parts[last + 1 :])
    beside = folder / way
    return beside if not file.is_file() and beside.is_file() else file


def _labels_beside(parent: Path) -> Path:
    return named(parent, "labels") or parent / "labels"
