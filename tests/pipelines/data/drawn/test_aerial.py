"""The aerial pictures are sized like NWPU VHR-10's, and boxed tightly.

Relative sizes of NWPU VHR-10's training boxes: 3.5 / 7.4 / 24 % at percentiles 5 / 50 / 95, six
boxes a picture; the tolerances allow for 200 pictures.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_convert, box_iou

from pipelines.data.drawn import aerial_objects as objects
from pipelines.data.drawn.aerial import CLASSES, draw_aerial
from pipelines.data.drawn.aerial_objects import Label
from pipelines.data.drawn.aerial_painting import photograph
from pipelines.data.drawn.aerial_site import Pose, Site, Zone
from pipelines.data.drawn.drawing import Scene

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
@settings(max_examples=40)
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
