"""Drawn data sets are reproducible, the same at any size, and boxed within their images."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from pipelines.data.drawn import aerial, scenes
from pipelines.data.drawn.drawing import boxes_in_image
from pipelines.system.paths import REPOSITORY

SIZE, SEED, COUNT = 128, 7, 60


@pytest.fixture(scope="module", params=[scenes.draw_scene, aerial.draw_aerial])
def draw(request):
    return request.param


@pytest.fixture(scope="module")
def drawn(draw):
    return [draw(SEED, index, SIZE) for index in range(COUNT)]


def digest(some):
    contents = [array.tobytes() for s in some for array in (s.image, s.boxes, s.classes)]
    return hashlib.sha256(b"".join(contents)).hexdigest()


def test_another_process_draws_the_same_bytes_in_any_order(draw, drawn):
    program = (
        f"from {draw.__module__} import {draw.__name__}\n"
        "from tests.pipelines.data.drawn.test_drawing import digest\n"
        f"print(digest([{draw.__name__}({SEED}, index, {SIZE}) for index in (11, 4, 59)]))"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == digest([drawn[index] for index in (11, 4, 59)])


def test_seeds_and_indices_give_different_pictures(draw, drawn):
    images = {scene.image.tobytes() for scene in drawn}
    assert len(images) == len(drawn)
    assert draw(SEED + 1, 0, SIZE).image.tobytes() not in images
    assert draw(0, SEED, SIZE).image.tobytes() != draw(SEED, 0, SIZE).image.tobytes()


def test_a_picture_keeps_its_layout_at_another_size(draw, drawn):
    large = draw(SEED, 3, 3 * SIZE)
    np.testing.assert_allclose(large.boxes, 3 * drawn[3].boxes, rtol=0, atol=0.0401)
    np.testing.assert_array_equal(large.classes, drawn[3].classes)
    shrunk = large.image.reshape(SIZE, 3, SIZE, 3, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - drawn[3].image).mean() < 12


def test_boxes_are_clipped_to_the_image_and_rounded_to_hundredths_of_a_pixel():
    corners = [(0.1, 0.2, 0.3 + 1e-15, 0.5), (-0.25, 0.5, 0.123456, 1.5)]
    boxes = boxes_in_image(corners, 200)
    assert boxes.tolist() == [[20, 40, 40, 60], [0, 100, 24.69, 100]]
    assert boxes_in_image([], 200).shape == (0, 4)


@pytest.mark.parametrize("size", [127, 1025])
def test_a_size_outside_the_range_is_refused(draw, size):
    with pytest.raises(ValueError, match="outside 128 to 1024"):
        draw(SEED, 0, size)


def test_types_and_boxes_inside_the_image(draw, drawn):
    classes = sys.modules[draw.__module__].CLASSES
    for scene in drawn:
        assert scene.image.shape == (SIZE, SIZE, 3)
        assert scene.image.dtype == np.uint8
        assert scene.boxes.dtype == np.float64
        assert scene.classes.dtype == np.int64
        assert scene.boxes.shape == (len(scene.classes), 4)
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] > 1).all()
        assert (scene.boxes[:, :2] + scene.boxes[:, 2:] <= SIZE + 1e-9).all()
        assert set(scene.classes) <= set(range(len(classes)))
