"""Small data sets in PASCAL VOC's xml for the tests of own data: written, and read by names."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from pipelines.data.formats.voc_own import read_own_voc

SIZE = (40, 20)


def thing(name: str, corners: Sequence[object], difficult: int = 0) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return (
        f"<object><name>{name}</name><difficult>{difficult}</difficult>"
        f"<bndbox>{box}</bndbox></object>"
    )


def annotation(*objects: str, size: tuple[int, int] = SIZE, filename: str = "other.png") -> str:
    return (
        f"<annotation><filename>{filename}</filename><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height><depth>3</depth></size>{''.join(objects)}</annotation>"
    )


def add(xml: Path, image: Path, *objects: str) -> None:
    for path in (xml, image):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE, "green").save(image)
    xml.write_text(annotation(*objects))


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Xml and images in one folder."""
    root = tmp_path / "set"
    add(root / "b.xml", root / "b.png", thing("plate", (11, 6, 30, 15)))
    add(root / "a.xml", root / "a.jpg", thing("cup", (1, 1, 40, 20)), thing("cup", (2, 3, 4, 5), 1))
    return root


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    """VOC's own folders, with a train list of two, and test."""
    root = tmp_path / "set"
    for name in ("one", "two 2", "three"):
        xml, image = root / "Annotations" / f"{name}.xml", root / "JPEGImages" / f"{name}.jpg"
        add(xml, image, thing("cup", (1, 1, 9, 9)))
    write_list(root, "train", "two 2", "one")
    write_list(root, "test", "three")
    return root


def write_list(root: Path, name: str, *lines: str) -> Path:
    file = root / "ImageSets" / "Main" / f"{name}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def file_names(folder: Path, reports: list[str] | None = None) -> dict[str, list[str]]:
    sources = read_own_voc(folder, report=(reports if reports is not None else []).append)
    return {
        split: [image.file_name for image in source.split.images]
        for split, source in sources.items()
    }
