"""HEIC photographs, as telephones take them, and under another name, as they are passed on."""

import json

import numpy as np
import pytest
from PIL import Image
from pillow_heif import from_pillow

from pipelines.data.dataset_spec import DatasetSpec
from pipelines.data.formats.image_files import read_header
from pipelines.data.registry import open_dataset
from pipelines.deploy.predict.frames import find_files, read_frames

WIDTH, HEIGHT, QUARTER_TURN = 96, 64, 6
UPRIGHT = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
UPRIGHT[: HEIGHT // 2, : WIDTH // 2] = (200, 30, 30)
"""Red at the top left."""


@pytest.fixture
def folder(tmp_path):
    """A data set whose photograph was taken with the telephone on its side."""
    image = Image.fromarray(np.rot90(UPRIGHT))
    exif = Image.Exif()
    exif[0x0112] = QUARTER_TURN
    (tmp_path / "images").mkdir()
    for name in ("one.heic", "two.jpg"):
        photograph = from_pillow(image)
        photograph[0].info["exif"] = exif.tobytes()
        photograph.save(tmp_path / "images" / name, format="HEIF", quality=-1)
    box = {"category_id": 1, "bbox": [0, 0, 40, 30], "area": 1200, "iscrowd": 0}
    names = ("one.heic", "two.jpg")
    values = {
        "images": [
            {"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT}
            for n, name in enumerate(names)
        ],
        "annotations": [{**box, "id": n + 1, "image_id": n} for n in range(len(names))],
        "categories": [{"id": 1, "name": "red"}],
    }
    (tmp_path / "annotations").mkdir()
    for split in ("train", "val", "test"):
        (tmp_path / "annotations" / f"{split}.json").write_text(json.dumps(values))
    return tmp_path


def test_training_and_predict_see_it_upright(folder):
    source = open_dataset(DatasetSpec(str(folder)), report=lambda _: None)["train"]
    frames = [frame for file in find_files([folder / "images"]) for frame in read_frames(file)]
    for seen in (source.image(0), source.image(1), *(frame.pixels for frame in frames)):
        assert seen.shape == UPRIGHT.shape
        assert np.abs(seen.astype(int) - UPRIGHT).mean() < 4
    assert len(frames) == 2


def test_its_header_is_read_under_any_name(folder):
    for path in sorted((folder / "images").iterdir()):
        header = read_header(path)
        assert (header.upright, header.orientation) == ((WIDTH, HEIGHT), 1)
