"""A small devkit in VOC's format, written file by file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

PARTS = (
    "<part><name>head</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax>"
    "</bndbox></part>"
)


def object_xml(
    name: str,
    corners: Sequence[object],
    *,
    difficult: object = 0,
    before: str = "",
    after: str = "",
) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return (
        f"<object>{before}<name>{name}</name><pose>Left</pose><truncated>1</truncated>"
        f"<difficult>{difficult}</difficult><bndbox>{box}</bndbox>{after}</object>"
    )


@dataclass
class Devkit:
    """A small devkit in VOC's format."""

    path: Path

    def xml(self, year: str, name: str) -> Path:
        return self.path / year / "Annotations" / f"{name}.xml"

    def list(self, year: str, part: str) -> Path:
        return self.path / year / "ImageSets" / "Main" / f"{part}.txt"

    def jpeg(self, year: str, name: str) -> Path:
        return self.path / year / "JPEGImages" / f"{name}.jpg"

    def add(self, year: str, part: str, name: str, size: tuple[int, int], *objects: str) -> None:
        for file in (self.xml(year, name), self.list(year, part), self.jpeg(year, name)):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, "green").save(self.jpeg(year, name))
        with self.list(year, part).open("a") as names:
            names.write(f"{name}\n")
        width, height = size
        self.xml(year, name).write_text(
            f"<annotation><folder>{year}</folder><filename>{name}.jpg</filename>"
            f"<source><database>The {year} Database</database></source>"
            f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
            f"<segmented>0</segmented>{''.join(objects)}</annotation>"
        )

    def alter(self, old: str, new: str) -> Path:
        """Replace a text once in the first file of VOC2007's trainval."""
        file = self.xml("VOC2007", "000001")
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))
        return file
