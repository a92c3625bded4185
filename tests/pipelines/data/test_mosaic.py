from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipelines.data.mosaic import mosaic, seeded_order
from pipelines.data.records import Annotation, Box, Category, CocoSplit, ImageRecord
from pipelines.system.errors import UserError


@dataclass
class Plain:
    """Images of one colour each: the grey value 10 times the position."""

    split: CocoSplit

    def image(self, index: int) -> NDArray[np.uint8]:
        record = self.split.images[index]
        return np.full((record.height, record.width, 3), 10 * index, np.uint8)


def plain(sizes: Sequence[tuple[int, int]], boxes: Sequence[tuple[int, Box, int]]) -> Plain:
    """Images of these (width, height); boxes are (position of the image, bbox, iscrowd)."""
    images = [ImageRecord(100 + k, f"{k}.png", *size) for k, size in enumerate(sizes)]
    annotations = [
        Annotation(50 + k, 100 + image, 9, bbox, crowd, bbox[2] * bbox[3])
        for k, (image, bbox, crowd) in enumerate(boxes)
    ]
    return Plain(CocoSplit(tuple(images), (Category(9, "fruit"),), tuple(annotations)))


def test_boxes_are_scaled_and_shifted_into_their_tiles():
    boxes = [
        (0, (10.0, 20.0, 30.0, 40.0), 0),
        (1, (10.0, 20.0, 30.0, 40.0), 0),
        (2, (0.0, 0.0, 200.0, 100.0), 1),
        (3, (10.0, 20.0, 30.0, 40.0), 0),
    ]
    source = plain([(100, 100), (100, 100), (200, 100), (50, 100)], boxes)
    split = mosaic(source, 50, [3, 0, 2, 1]).split
    assert split.images == (ImageRecord(1, "mosaic-00001.png", 100, 100),)
    assert split.categories == source.split.categories
    assert split.annotations == (
        Annotation(1, 1, 9, (10.0, 10.0, 30.0, 20.0), 0, 600.0),
        Annotation(2, 1, 9, (55.0, 10.0, 15.0, 20.0), 0, 300.0),
        Annotation(3, 1, 9, (0.0, 50.0, 50.0, 50.0), 1, 2500.0),
        Annotation(4, 1, 9, (55.0, 60.0, 15.0, 20.0), 0, 300.0),
    )


def test_pixels_are_the_four_images_row_by_row():
    source = plain([(8, 8), (30, 9), (4, 4), (16, 2)], [(0, (0.0, 0.0, 4.0, 4.0), 0)])
    made = mosaic(source, 4, [3, 0, 2, 1])
    assert made.groups == ((3, 0, 2, 1),)
    image = made.image(0)
    assert image.dtype == np.uint8
    assert image.shape == (8, 8, 3)
    assert (image == np.repeat(np.repeat([[30, 0], [20, 10]], 4, 0), 4, 1)[..., None]).all()


def test_images_that_were_narrower_stand_in_the_middle_of_their_tiles():
    source = plain([(8, 8)] * 4, [(3, (0.0, 2.0, 8.0, 4.0), 0)])
    made = mosaic(source, 8, range(4), aspect=3 / 4)
    # 6 pixels wide, with one of grey on either side.
    (found,) = made.split.annotations
    assert (found.bbox, found.area) == ((9.0, 10.0, 6.0, 4.0), 24.0)
    left, right = [127, *[0] * 6, 127], [127, *[10] * 6, 127]
    assert (made.image(0)[:8, :, 0] == left + right).all()


def test_each_image_is_used_once_and_the_left_over_are_reported():
    source = plain([(8, 8)] * 14, [(k, (0.0, 0.0, 4.0, 4.0), 0) for k in range(14)])
    reports: list[str] = []
    order = seeded_order(14, seed=0)
    made = mosaic(source, 4, order, report=reports.append)
    used = [member for group in made.groups for member in group]
    assert used == order[:12]
    assert sorted(order) == list(range(14))
    assert len(made.split.annotations) == 12
    left_over = f"{order[12]}.png, {order[13]}.png"
    assert reports == [f"3 mosaics of 12 images; dropped the 2 left over: {left_over}"]


def test_nothing_is_reported_without_left_over():
    reports: list[str] = []
    mosaic(plain([(8, 8)] * 4, [(0, (0.0, 0.0, 4.0, 4.0), 0)]), 4, range(4), report=reports.append)
    assert reports == []


def test_fewer_than_four_images():
    with pytest.raises(UserError, match="needs four images but the split has 3"):
        mosaic(plain([(8, 8)] * 3, []), 4, [0, 1, 2])


def test_the_seed_fixes_the_order():
    assert seeded_order(8, seed=0) == [2, 4, 3, 6, 5, 0, 1, 7] == seeded_order(8, seed=0)
    assert seeded_order(8, seed=1) != seeded_order(8, seed=0)


@given(data=st.data(), tile=st.integers(1, 512))
def test_a_box_maps_back_from_its_tile(data, tile):
    sizes = data.draw(st.lists(st.tuples(*[st.integers(1, 2000)] * 2), min_size=4, max_size=4))
    share = st.floats(0, 1)
    boxes = []
    for position, (width, height) in enumerate(sizes):
        x, y = data.draw(share) * width, data.draw(share) * height
        size = (data.draw(share) * (width - x), data.draw(share) * (height - y))
        boxes.append((position, (x, y, *size), 0))
    source = plain(sizes, boxes)
    made = mosaic(source, tile, [0, 1, 2, 3]).split
    for position, (old, new) in enumerate(
        zip(source.split.annotations, made.annotations, strict=True)
    ):
        width, height = sizes[position]
        x, y, w, h = new.bbox
        column, row = position % 2, position // 2
        assert column * tile <= x <= (column + 1) * tile
        assert row * tile <= y <= (row + 1) * tile
        assert w == old.bbox[2] * tile / width
        assert h == old.bbox[3] * tile / height
        back = ((x - column * tile) * width / tile, (y - row * tile) * height / tile)
        assert back == pytest.approx(old.bbox[:2], rel=1e-9, abs=1e-9)
        assert new.area == pytest.approx(w * h)
