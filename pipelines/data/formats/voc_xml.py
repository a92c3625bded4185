"""Parse one image's annotations in PASCAL VOC's xml: its size and its objects, unchecked boxes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from pipelines.data.formats.boxes import BrokenBoxError
from pipelines.data.formats.text_files import read_text
from pipelines.system.errors import UserError

DIFFICULT = {"0": 0, "false": 0, "no": 0, "1": 1, "true": 1, "yes": 1}
"""What tools write, in small or capital letters."""

NO_DIFFICULT = "objects say nothing usable in `difficult` and are taken as not difficult"
"""What is reported of objects that leave it out, or open."""


@dataclass(frozen=True, slots=True)
class VocObject:
    """One object: where it stands, its class, its sides as written, and whether it is difficult.

    sides: xmin, ymin, xmax, ymax. difficult is 0 or 1, or None where it is missing or says
    neither, such as `Unspecified`.
    """

    where: str
    name: str
    sides: tuple[str, ...]
    difficult: int | None

    def corners(self) -> tuple[float, float, float, float]:
        """The sides as numbers; raises BrokenBoxError where one is none."""
        try:
            left, top, right, bottom = (float(text) for text in self.sides)
        except ValueError:
            told = ", ".join(text[:20] for text in self.sides)
            raise BrokenBoxError(
                "not of four numbers", f"has the corners ({told}), which are not four numbers"
            ) from None
        return left, top, right, bottom


def parse_xml(file: Path, mend: str) -> ElementTree.Element:
    """The root of an xml file without a document type; for `mend` see read_text.

    Text is decoded first, so that no declared encoding can hide a document type from the check.
    Raises UserError.
    """
    text = read_text(file, mend)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UserError(f"{file}: declares a document type or entities; take that out of the file")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"{file}: is not xml ({error}); {mend}") from None


def image_size(root: ElementTree.Element, file: Path) -> tuple[int, int]:
    """Width and height in pixels; raises UserError unless they are whole numbers from 1."""
    width, height = (root.findtext(f"size/{side}", "").strip() for side in ("width", "height"))
    if not all(re.fullmatch(r"[1-9][0-9]{0,8}(\.0{1,9})?", side) for side in (width, height)):
        raise UserError(
            f"{file}: has the image size {width[:20]!r} x {height[:20]!r}; "
            "give width and height in whole pixels from 1"
        )
    return int(float(width)), int(float(height))


def read_objects(root: ElementTree.Element, file: Path) -> Iterator[VocObject]:
    """The objects in the order of the file, without their parts."""
    for position, entry in enumerate(root.iterfind("object"), start=1):
        where = f"{file}: object {position}"
        difficult = DIFFICULT.get(entry.findtext("difficult", "").strip().casefold())
        sides = (entry.findtext(f"bndbox/{side}", "") for side in ("xmin", "ymin", "xmax", "ymax"))
        name = entry.findtext("name", "").strip()
        yield VocObject(where, name, tuple(sides), difficult)
