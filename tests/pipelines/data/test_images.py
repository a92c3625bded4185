"""Decode image files to RGB pixels, with checks that name the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.data.formats.coco import read_coco
from pipelines.data.images import load_image, resize_image
from pipelines.data.records import ImageRecord
from pipelines.data.root import data_root
from pipelines.system.errors import UserError

LABORO = data_root() / "laboro_tomato"


@pytest.fixture
def stored(tmp_path):
    """Save an image under a name and give its path and a record of the size asked for."""

    def save(image, name, size=None, **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name, ImageRecord(5, name, *(size or image.size))

    return save


def test_missing_image(tmp_path):
    with pytest.raises(UserError, match=r"no\.png \(image id 5\): no such image file"):
        load_image(tmp_path / "no.png", ImageRecord(5, "no.png", 4, 4))


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.1, 0.5, 0.9])
def test_truncated_image(stored, name, kept):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path, record = stored(Image.fromarray(noise), name)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(UserError, match=rf"{name} \(image id 5\): cannot be decoded") as caught:
        load_image(path, record)
    assert "truncated or damaged" in str(caught.value)


def test_image_of_another_size(stored):
    path, record = stored(Image.new("RGB", (30, 20)), "a.png", size=(20, 30))
    with pytest.raises(UserError, match=r"\(image id 5\): is 30x20 px but the json says 20x30"):
        load_image(path, record)


@pytest.mark.parametrize(("limit", "side"), [(99, 10), (40, 10)])
def test_image_of_too_many_pixels(stored, monkeypatch, limit, side):
    path, record = stored(Image.new("RGB", (side, side)), "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(UserError, match=rf"bomb\.png \(image id 5\): is larger than {limit} pix"):
        load_image(path, record)


@pytest.mark.parametrize(
    ("mode", "colour", "name", "expected"),
    [
        ("RGB", (10, 20, 30), "a.png", (10, 20, 30)),
        ("L", 77, "a.png", (77, 77, 77)),
        ("1", 1, "a.png", (255, 255, 255)),
        ("LA", (77, 0), "a.png", (77, 77, 77)),
        ("RGBA", (10, 20, 30, 128), "a.png", (10, 20, 30)),
        ("CMYK", (255, 0, 0, 0), "a.tif", (0, 255, 255)),
        ("CMYK", (255, 0, 0, 0), "a.jpg", (0, 255, 255)),
    ],
)
def test_modes_become_rgb(stored, mode, colour, name, expected):
    pixels = load_image(*stored(Image.new(mode, (8, 6), colour), name))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (6, 8, 3)
    assert np.abs(pixels - np.array(expected, int)).max() <= 2 * name.endswith("jpg")


def test_palette_becomes_rgb(stored):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    assert np.unique(load_image(*stored(image, "a.png")).reshape(-1, 3), axis=0).tolist() == [
        [200, 100, 50]
    ]


@pytest.mark.parametrize(("mode", "name"), [("I;16", "a.png"), ("F", "a.tif"), ("I", "a.tif")])
def test_more_than_8_bits_is_refused(stored, mode, name):
    with pytest.raises(UserError, match=r"\(image id 5\): has more than 8 bits per channel"):
        load_image(*stored(Image.new(mode, (4, 4)), name))


ORIENTATION = 0x0112
CORNERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]], [[8, 8, 8], [7, 7, 7]]])


def with_orientation(value: int) -> tuple[Image.Image, dict[str, Any]]:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return Image.fromarray(CORNERS.astype(np.uint8)), {"exif": exif}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_as_stored_where_the_size_fits(stored, orientation):
    image, options = with_orientation(orientation)
    assert load_image(*stored(image, "a.png", **options)).tolist() == CORNERS.tolist()


@pytest.mark.parametrize(
    ("orientation", "first_row"),
    [
        (5, [[255, 0, 0], [0, 0, 255], [8, 8, 8]]),
        (6, [[8, 8, 8], [0, 0, 255], [255, 0, 0]]),
        (7, [[7, 7, 7], [9, 9, 9], [0, 255, 0]]),
        (8, [[0, 255, 0], [9, 9, 9], [7, 7, 7]]),
    ],
)
def test_exif_turns_the_image_where_only_the_turned_size_fits(stored, orientation, first_row):
    image, options = with_orientation(orientation)
    pixels = load_image(*stored(image, "a.png", size=(3, 2), **options))
    assert pixels.shape == (2, 3, 3)
    assert pixels[0].tolist() == first_row


def test_exif_of_a_half_turn_does_not_excuse_a_swapped_size(stored):
    image, options = with_orientation(3)
    with pytest.raises(UserError, match="is 2x3 px but the json says 3x2"):
        load_image(*stored(image, "a.png", size=(3, 2), **options))


def test_resize_averages_when_it_shrinks_and_leaves_the_same_size_alone():
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 4:] = 200
    assert resize_image(image, 8, 4) is image
    assert resize_image(image, 2, 1)[0, :, 0].tolist() == pytest.approx([25, 175], abs=10)
    stripes = np.tile(np.array([0, 200], np.uint8)[None, :, None], (8, 32, 3))
    assert resize_image(stripes, 8, 4)[:, 1:-1] == pytest.approx(100, abs=15)


@pytest.mark.skipif(not LABORO.is_dir(), reason=f"no {LABORO}")
def test_laboro_images_decode_to_their_recorded_size():
    reports: list[str] = []
    file = LABORO / "annotations" / "test.json"
    split = read_coco(file, LABORO / "images", report=reports.append)
    for record in split.images[::20]:
        pixels = load_image(Path(LABORO / "images" / record.file_name), record)
        assert pixels.shape == (640, 640, 3)
        assert pixels.std() > 10
