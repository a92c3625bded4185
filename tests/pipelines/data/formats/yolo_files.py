"""Small data sets in YOLO's text for the tests: written, and read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.data.formats.yolo import read_yolo
from pipelines.system.errors import UserError

ORIENTATION = 0x0112
YAML = "names: [cup, plate]\ntrain: images/train\nval: images/val\n"


def add(folder: Path, image: str, labels: str | None, size: tuple[int, int] = (40, 20)) -> Path:
    """An image of the folder, and its labels where Ultralytics looks for them."""
    file = folder / image
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "green").save(file)
    label = folder / image.replace("images/", "labels/").rpartition(".")[0]
    label.parent.mkdir(parents=True, exist_ok=True)
    label = label.with_name(f"{label.name}.txt")
    if labels is not None:
        label.write_text(labels)
    return label


def turned(folder: Path, image: str, orientation: int, size: tuple[int, int] = (40, 20)) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(folder / image, exif=exif)


def write_small(root: Path) -> None:
    """Two images to train on and one to validate, of two classes."""
    add(root, "images/train/b.png", "1 0.5 0.5 0.5 0.5\n0 0.25 0.5 0.25 0.25\n")
    add(root, "images/train/a.jpg", "0 0.5 0.5 1 1\n", (30, 10))
    add(root, "images/val/c.png", "1 0.75 0.75 0.5 0.5")
    (root / "data.yaml").write_text(YAML)


@contextmanager
def good_or_refused(file: str) -> Iterator[None]:
    """Either the body succeeds, or the error is for the user and names the file."""
    refused = ""
    try:
        yield
    except UserError as error:
        refused = str(error)
    assert not refused or file in refused


def boxes(folder: Path, split: str = "train", **options: bool) -> list[list[float]]:
    sources = read_yolo(folder, report=lambda message: None, **options)
    return [list(a.bbox) for a in sources[split].split.annotations]
