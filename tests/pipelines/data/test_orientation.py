"""One photograph in all eight EXIF orientations: prepared and predicted on the same way up."""

import json
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipelines.data.images import EXIF_ORIENTATION
from pipelines.data.orientation import turned_box
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.deploy.predict.frames import File, read_frames

WIDTH, HEIGHT = 12, 8
BOX = (3, 1, 5, 4)
AS_STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
"""How a camera stores a picture under each tag: the inverse of what a viewer does with it."""


def picture() -> NDArray[np.uint8]:
    """Noise, with a white object in the box."""
    pixels = np.random.default_rng(0).integers(0, 200, (HEIGHT, WIDTH, 3), np.uint8)
    x, y, width, height = BOX
    pixels[y : y + height, x : x + width] = 255
    return pixels


def save(path: Path, orientation: int) -> NDArray[np.uint8]:
    """Store the picture under a tag; returns the stored pixels."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    stored = np.ascontiguousarray(AS_STORED[orientation](picture()))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(stored).save(path, exif=exif)
    return stored


def white(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """The box around the white object."""
    ys, xs = np.nonzero((pixels == 255).all(axis=2))
    return int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1


def write_coco(root: Path, *, as_stored: bool) -> None:
    """Each orientation once in train, in the frame that viewers show or that of the pixels."""
    images, annotations = [], []
    for orientation in AS_STORED:
        stored = save(root / "images" / f"{orientation}.png", orientation)
        seen = stored if as_stored else picture()
        height, width = seen.shape[:2]
        name = f"{orientation}.png"
        images.append({"id": orientation, "file_name": name, "width": width, "height": height})
        annotations.append(
            {"id": orientation, "image_id": orientation, "category_id": 1, "bbox": white(seen)}
        )
    categories = [{"id": 1, "name": "cup"}]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations").mkdir()
    for split in ("train", "test"):
        (root / "annotations" / f"{split}.json").write_text(json.dumps(coco))


def write_yolo(root: Path) -> None:
    x, y, width, height = BOX
    centre = (x + width / 2) / WIDTH, (y + height / 2) / HEIGHT
    for split in ("train", "test"):
        for orientation in AS_STORED:
            save(root / split / "images" / f"{orientation}.png", orientation)
            label = root / split / "labels" / f"{orientation}.txt"
            label.parent.mkdir(exist_ok=True)
            label.write_text(f"0 {centre[0]} {centre[1]} {width / WIDTH} {height / HEIGHT}\n")
    (root / "data.yaml").write_text("names: [cup]\ntrain: train/images\ntest: test/images\n")


def write_voc(root: Path) -> None:
    x, y, width, height = BOX
    for split in ("train", "test"):
        for orientation in AS_STORED:
            save(root / split / f"{orientation}.png", orientation)
            (root / split / f"{orientation}.xml").write_text(
                f"<annotation><size><width>{WIDTH}</width><height>{HEIGHT}</height></size><object>"
                f"<name>cup</name><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
                f"<xmax>{x + width}</xmax><ymax>{y + height}</ymax></bndbox></object></annotation>"
            )


FORMS = {
    "coco": lambda root: write_coco(root, as_stored=False),
    "coco, drawn on the stored pixels": lambda root: write_coco(root, as_stored=True),
    "yolo": write_yolo,
    "voc": write_voc,
}


@pytest.mark.parametrize("form", FORMS)
def test_training_scoring_and_predict_see_it_the_same_way_up(tmp_path, form):
    root = tmp_path / "own"
    root.mkdir()
    FORMS[form](root)
    reports: list[str] = []
    sources = open_dataset(DatasetSpec(str(root), validation_fraction=0), report=reports.append)
    prepare(sources, tmp_path / "prepared", 24, progress=False)
    for split in ("train", "test"):
        prepared = load_prepared(tmp_path / "prepared", split)
        upright = np.asarray(Image.fromarray(picture()).resize((24, 24), Image.Resampling.BILINEAR))
        for k in range(8):
            assert prepared.images[k].tolist() == upright.tolist()
            assert prepared.coco.annotations[k].bbox == pytest.approx(BOX)
    for path in root.rglob("*.png"):
        (frame,) = read_frames(File(path, PurePosixPath(path.name)))
        assert frame.pixels.tolist() == picture().tolist()
    turned = [line for line in reports if "pass over their EXIF orientation" in line]
    assert len(turned) == ("stored" in form)


@pytest.mark.parametrize("orientation", AS_STORED)
def test_a_box_is_turned_with_the_pixels(orientation):
    stored = AS_STORED[orientation](picture())
    size = stored.shape[1], stored.shape[0]
    assert turned_box(white(stored), size, orientation) == BOX
