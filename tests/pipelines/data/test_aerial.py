"""The aerial pictures are reproducible, sized like NWPU VHR-10's, and boxed tightly.

Relative sizes of NWPU VHR-10's training boxes: 3.5 / 7.4 / 24 % at percentiles 5 / 50 / 95, six
boxes a picture; the tolerances allow for 200 pictures.
"""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_convert, box_iou

from pipelines.data import aerial_objects as objects
from pipelines.data.aerial import CLASSES, draw_aerial
from pipelines.data.aerial_objects import Label
from pipelines.data.aerial_painting import photograph
from pipelines.data.aerial_site import Pose, Site, Zone
from pipelines.data.drawing import Scene

SIZE = 128
SEED = 7
MAKERS = {
    Label.PLANE: objects.plane,
    Label.SHIP: objects.ship,
    Label.STORAGE_TANK: objects.storage_tank,
    Label.VEHICLE: objects.vehicle,
    Label.TENNIS_COURT: objects.tennis_court,
    Label.HARBOR: objects.harbor,
    Label.BRIDGE: lambda rng: objects.bridge(rng, 0.3),
}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_aerial(SEED, index, SIZE) for index in range(200)]


def digest(drawn: list[Scene]) -> str:
    contents = [array.tobytes() for s in drawn for array in (s.image, s.boxes, s.classes)]
    return hashlib.sha256(b"".join(contents)).hexdigest()


def test_another_process_draws_the_same_bytes(scenes):
    program = (
        "import hashlib; from pipelines.data.aerial import draw_aerial\n"
        f"drawn = [draw_aerial({SEED}, index, {SIZE}) for index in (11, 4, 199)]\n"
        "contents = [a.tobytes() for s in drawn for a in (s.image, s.boxes, s.classes)]\n"
        "print(hashlib.sha256(b''.join(contents)).hexdigest())"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert told == digest([scenes[index] for index in (11, 4, 199)])


def test_seeds_and_indices_give_different_pictures(scenes):
    images = {scene.image.tobytes() for scene in scenes}
    assert len(images) == len(scenes)
    assert draw_aerial(SEED + 1, 0, SIZE).image.tobytes() not in images


def test_a_picture_keeps_its_layout_at_another_size(scenes):
    large = draw_aerial(SEED, 3, 3 * SIZE)
    np.testing.assert_allclose(large.boxes, 3 * scenes[3].boxes, rtol=1e-12)
    np.testing.assert_array_equal(large.classes, scenes[3].classes)
    shrunk = large.image.reshape(SIZE, 3, SIZE, 3, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - scenes[3].image).mean() < 12


@pytest.mark.parametrize("size", [127, 1025])
def test_a_size_outside_the_range_is_refused(size):
    with pytest.raises(ValueError, match="outside 128 to 1024"):
        draw_aerial(SEED, 0, size)


def test_types_and_boxes_inside_the_image(scenes):
    for scene in scenes:
        assert scene.image.shape == (SIZE, SIZE, 3)
        assert scene.image.dtype == np.uint8
        assert scene.boxes.dtype == np.float64
        assert scene.classes.dtype == np.int64
        assert scene.boxes.shape == (len(scene.classes), 4)
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] > 1).all()
        assert (scene.boxes[:, :2] + scene.boxes[:, 2:] <= SIZE + 1e-9).all()


def test_boxes_are_as_many_and_as_large_as_those_of_nwpu(scenes):
    counts = np.array([len(scene.boxes) for scene in scenes])
    assert counts.mean() == pytest.approx(6, abs=1)
    assert counts.min() >= 1
    boxes = np.concatenate([scene.boxes for scene in scenes])
    sizes = 100 * np.hypot(boxes[:, 2], boxes[:, 3]) / (SIZE * np.sqrt(2))
    low, middle, high = np.percentile(sizes, [5, 50, 95])
    assert low == pytest.approx(3.5, abs=0.6)
    assert middle == pytest.approx(7.4, abs=1)
    assert high == pytest.approx(24, abs=4)


def test_every_class_is_common_and_none_rules(scenes):
    classes = np.concatenate([scene.classes for scene in scenes])
    shares = np.bincount(classes, minlength=len(CLASSES)) / len(classes)
    assert len(shares) == len(CLASSES)
    assert shares.min() > 0.02
    assert shares.max() < 0.4


def test_ships_head_anywhere(scenes):
    boxes = np.concatenate([scene.boxes[scene.classes == Label.SHIP] for scene in scenes])
    slant = np.log(boxes[:, 2] / boxes[:, 3])
    assert (slant > 0.5).mean() > 0.15
    assert (slant < -0.5).mean() > 0.15


def test_no_object_covers_another(scenes):
    for scene in scenes:
        boxes = box_convert(torch.from_numpy(scene.boxes), "xywh", "xyxy")
        overlaps = box_iou(boxes, boxes) - torch.eye(len(boxes))
        assert overlaps.max() < 0.6


@given(
    label=st.sampled_from(Label),
    heading=st.floats(0, 2 * np.pi),
    length=st.floats(0.15, 0.5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_a_box_is_tight_around_what_is_drawn(label, heading, length, seed):
    size = 256
    laid = Site((0.3, 0.0, 0.3))
    thing = MAKERS[label](np.random.default_rng(seed))
    assert laid.put(thing, Pose(0.5, 0.5, heading, length), Zone.LAND, label)
    bare, occupied = Site(laid.soil), Site(laid.soil)
    occupied.things = [replace(laid.things[0], height=0.0)]
    without, with_thing = (
        photograph(site, np.random.default_rng(seed), np.random.default_rng(1), size).astype(int)
        for site in (bare, occupied)
    )
    rows, columns = np.nonzero(np.abs(with_thing - without).max(axis=2) > 12)
    drawn = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    (box_thing, _), *_ = laid.labelled
    np.testing.assert_allclose(drawn, np.array(box_thing.extent) * size, atol=3.5)


def test_what_is_taken_stays_free_of_others():
    site, rng = Site((0.3, 0.3, 0.3)), np.random.default_rng(0)
    pose = Pose(0.5, 0.5, 0.7, 0.2)
    assert site.put(objects.plane(rng), pose, Zone.LAND)
    assert not site.put(objects.tree(rng), pose, Zone.LAND)
    assert not site.put(objects.vehicle(rng), Pose(0.8, 0.8, 0.0, 0.1), Zone.WATER)
    assert not site.put(objects.plane(rng), Pose(0.99, 0.2, 0.0, 0.2), None)
    assert site.put(objects.tree(rng), pose.ahead(1.5), None)
