"""Where a user's own data set in PASCAL VOC's xml keeps its files, in the forms that tools write.

Annotations/, JPEGImages/ and ImageSets/Main/<split>.txt; or train/, valid/ and test/ with each xml
beside its image; or xml and images in one folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.formats.image_files import inside, list_files
from pipelines.data.formats.split_names import named, split_files, split_folders
from pipelines.data.formats.text_files import read_text
from pipelines.system.errors import UserError

_XML_FOLDERS = ("Annotations", "annotation", "xml", "xmls")
_IMAGE_FOLDERS = ("JPEGImages", "images", "imgs")


@dataclass(frozen=True)
class Part:
    """A split: its xml files, and the folder of their images, which may lie deeper in it."""

    xml_files: list[Path]
    image_dir: Path


def is_own_voc(folder: Path) -> bool:
    """Whether the folder has VOC's xml files in one of the three forms, and is no devkit."""
    places = [*split_folders(folder).values(), named(folder, *_XML_FOLDERS)]
    return bool(_xml_files(folder)) or any(_xml_files(place, "**/*") for place in places if place)


def find_parts(folder: Path, report: Callable[[str], None]) -> dict[str, Part]:
    """The parts train, and val and test where there are any.

    Raises UserError if a part has no xml files, or a list names one that is not there.
    """
    xml_dir = named(folder, *_XML_FOLDERS)
    if xml_dir and _xml_files(xml_dir, "**/*"):
        return _listed_parts(folder, xml_dir, named(folder, *_IMAGE_FOLDERS) or folder, report)
    places = split_folders(folder)
    if "train" in places and _xml_files(places["train"], "**/*"):
        parts = {split: Part(_xml_files(place, "**/*"), place) for split, place in places.items()}
    else:
        parts = {"train": Part(_xml_files(folder), folder)}
    for part in parts.values():
        if not part.xml_files:
            raise UserError(
                f"{part.image_dir}: has no xml files; put each beside its image, "
                "or use Annotations/ and JPEGImages/"
            )
    return parts


def _xml_files(folder: Path, pattern: str = "*") -> list[Path]:
    return list_files(folder, (".xml",), pattern) if folder.is_dir() else []


def _listed_parts(
    folder: Path, xml_dir: Path, image_dir: Path, report: Callable[[str], None]
) -> dict[str, Part]:
    """One part a list, or a folder in Annotations/; without either, all that is there is train."""
    lists = _lists(folder, report)
    if lists:
        return {
            split: Part(_listed_xml(folder, file, xml_dir), image_dir)
            for split, file in lists.items()
        }
    places = split_folders(xml_dir)
    if "train" not in places:
        return {"train": Part(_xml_files(xml_dir, "**/*"), image_dir)}
    return {split: Part(_xml_files(place, "**/*"), image_dir) for split, place in places.items()}


def _lists(folder: Path, report: Callable[[str], None]) -> dict[str, Path]:
    """The lists in ImageSets/Main; `trainval`, or the only one there is, is train without other."""
    sets = named(folder, "ImageSets")
    main = sets and named(sets, "Main")
    if not main:
        return {}
    files = split_files(main, ".txt")
    if "train" in files:
        return files
    every = list_files(main, (".txt",))
    whole = named(main, "trainval.txt") or (every[0] if len(every) == 1 and not files else None)
    if whole is None:
        raise UserError(f"{main}: has no train.txt or trainval.txt; list the images to train on")
    if whole.stem != "trainval":
        report(f"{folder}: {whole.name} is the only list of images, so all of it is train")
    return {"train": whole, **files}


def _listed_xml(folder: Path, file: Path, xml_dir: Path) -> list[Path]:
    """The xml files that a list names, in its order."""
    known = {
        path.relative_to(xml_dir).with_suffix("").as_posix(): path
        for path in _xml_files(xml_dir, "**/*")
    }
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
