"""Read and check a user's own data set in DOTA's form, as the DOTA devkit writes it.

Folders train/, val/ and test/, each with images/ and labelTxt/; or these two, all of it train.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipelines.data.formats.dota import MOST_PIXELS, UNMARKED_FIELDS, add_part, object_lines
from pipelines.data.formats.image_files import list_files
from pipelines.data.formats.split_builder import SplitBuilder, numbered_categories
from pipelines.data.formats.split_names import named, split_folders
from pipelines.data.formats.text_files import check_class_names
from pipelines.data.sources import FolderSource
from pipelines.system.errors import UserError, note

_LABELS = "labeltxt"

Part = tuple[Path, Path]
"""The folders of the images and of the label files."""


def is_own_dota(folder: Path) -> bool:
    """Whether the folder, or one of its splits, has DOTA's two folders."""
    return any(_part(place) for place in (folder, *split_folders(folder).values()))


def read_own_dota(
    folder: Path,
    *,
    drop_broken: bool = False,
    skip_broken_images: bool = False,
    report: Callable[[str], None] = note,
) -> dict[str, FolderSource]:
    """Read and check the splits that have labels; for the rest see read_dota.

    Classes are those that occur, by name; category ids count from 1.

    Args:
        folder: of the data set.
        drop_broken: see read_dota.
        skip_broken_images: leave out photographs that cannot be decoded, and report how many.
        report: told what was repaired or left out.

    Raises:
        UserError: anything else is wrong with the files.
    """
    parts = _parts(folder, report)
    names = _class_names(folder, parts)
    sources = {}
    for split, (images, labels) in parts.items():
        builder = SplitBuilder(str(images.parent), drop_broken, skip_broken_images)
        add_part(images, labels, names, builder)
        found = builder.finish(numbered_categories(names), report)
        sources[split] = FolderSource(found, images, MOST_PIXELS)
    return sources


def _parts(folder: Path, report: Callable[[str], None]) -> dict[str, Part]:
    places = split_folders(folder) or {"train": folder}
    parts = {split: part for split, place in places.items() if (part := _part(place))}
    for split in places.keys() - parts.keys():
        report(f"{places[split]}: has no images/ with labelTxt/; the split is taken as absent")
    if not parts and (part := _part(folder)):
        return {"train": part}
    return parts


def _part(place: Path) -> Part | None:
    images = named(place, "images")
    labels = named(place, _LABELS) or _versioned_labels(place)
    return (images, labels) if images and labels else None


def _versioned_labels(place: Path) -> Path | None:
    """`labelTxt-v1.5/` or, in it, `DOTA-v1.5_train/`, or `labelTxt-v1.0/labelTxt/`."""
    alike = [path for path in sorted(place.iterdir()) if path.name.casefold().startswith(_LABELS)]
    if len(alike) > 1:
        raise UserError(f"{place}: has both {alike[0].name}/ and {alike[1].name}/; keep one")
    if not alike or not alike[0].is_dir():
        return None
    if list_files(alike[0], (".txt",)):
        return alike[0]
    return next((path for path in sorted(alike[0].iterdir()) if path.is_dir()), alike[0])


def _class_names(folder: Path, parts: dict[str, Part]) -> tuple[str, ...]:
    names = {
        fields[UNMARKED_FIELDS - 1]
        for _, labels in parts.values()
        for file in list_files(labels, (".txt",))
        for _, line in object_lines(file)
        if len(fields := line.split()) in (UNMARKED_FIELDS, UNMARKED_FIELDS + 1)
    }
    return check_class_names(sorted(names), f"{folder}: its label files")
