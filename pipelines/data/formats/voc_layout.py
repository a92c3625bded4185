"""Where a user's own data set in PASCAL VOC's xml keeps its files, in the forms that tools write.

Annotations/, JPEGImages/ and ImageSets/Main/<split>.txt; or train/, valid/ and test/ with each xml
beside its image; or xml and images in one folder.
"""

from dataclasses import dataclass
from pathlib import Path

from pipelines.data.formats.image_files import inside, list_files, split_folders
from pipelines.data.formats.text_files import read_text
from pipelines.system.errors import UserError

LISTS = {"train": ("train", "trainval"), "val": ("val",), "test": ("test",)}
"""The lists in ImageSets/Main of each split; trainval is train where there is no other."""

_FOLDERS = (("Annotations", "JPEGImages"), ("annotations", "images"))


@dataclass(frozen=True)
class Part:
    """A split: its xml files, and the folder of their images."""

    xml_files: list[Path]
    image_dir: Path


def is_own_voc(folder: Path) -> bool:
    """Whether the folder has VOC's xml files in one of the three forms, and is no devkit."""
    places = [folder / "train", folder, *(folder / xml for xml, images in _FOLDERS)]
    return any(_xml_files(place) for place in places)


def find_parts(folder: Path) -> dict[str, Part]:
    """The parts train, and val and test where there are any.

    Raises UserError if a part has no xml files, or a list names one that is not there.
    """
    for xml_name, image_name in _FOLDERS:
        xml_dir, image_dir = folder / xml_name, folder / image_name
        if image_dir.is_dir() and _xml_files(xml_dir):
            return _listed_parts(folder, xml_dir, image_dir)
    places = split_folders(folder)
    if "train" in places and _xml_files(places["train"]):
        parts = {split: Part(_xml_files(place), place) for split, place in places.items()}
    else:
        parts = {"train": Part(_xml_files(folder), folder)}
    for part in parts.values():
        if not part.xml_files:
            raise UserError(
                f"{part.image_dir}: has no xml files; put each beside its image, "
                "or use Annotations/ and JPEGImages/"
            )
    return parts


def _xml_files(folder: Path) -> list[Path]:
    return list_files(folder, (".xml",)) if folder.is_dir() else []


def _listed_parts(folder: Path, xml_dir: Path, image_dir: Path) -> dict[str, Part]:
    """One part a list; without ImageSets/Main, all that is there is train."""
    lists = folder / "ImageSets" / "Main"
    if not lists.is_dir():
        return {"train": Part(_xml_files(xml_dir), image_dir)}
    parts = {}
    for split, names in LISTS.items():
        files = (lists / f"{name}.txt" for name in names)
        file = next((file for file in files if file.is_file()), None)
        if file is not None:
            parts[split] = Part(_listed_xml(folder, file, xml_dir), image_dir)
    if "train" not in parts:
        raise UserError(f"{lists}: has no train.txt or trainval.txt; list the images to train on")
    return parts


def _listed_xml(folder: Path, file: Path, xml_dir: Path) -> list[Path]:
    """The xml files that a list names, in its order."""
    known = {path.stem: path for path in _xml_files(xml_dir)}
    names: dict[str, None] = {}
    text = read_text(inside(folder, file, str(folder)), "shorten the list")
    for number, line in enumerate(text.splitlines(), start=1):
        name = line.strip()
        if not name:
            continue
        if name not in known:
            raise UserError(
                f"{file}: line {number}: {name[:80]!r} is no file of {xml_dir.name}/ without its "
                "ending; give one such name a line"
            )
        if name in names:
            raise UserError(f"{file}: lists {name[:80]!r} more than once; list each image once")
        names[name] = None
    if not names:
        raise UserError(f"{file}: lists no image; list some or take the file out")
    return [known[name] for name in names]
