"""Tiles as a source of images; where they lie is in test_tiling.py."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import Annotation, CocoSplit, ImageRecord
from pipelines.data.tiles import Tile, tiled
from pipelines.system.errors import UserError
from tests.pipelines.data.opened import ignore
from tests.pipelines.data.photographs import Photos, photos

WHOLE, SHARED, SPREAD, CROWD, GRAZING = range(5)
BY_HAND = [
    (0, (5.0, 5.0, 20.0, 10.0), 0),
    (0, (25.0, 10.0, 20.0, 10.0), 0),
    (0, (50.0, 22.0, 30.0, 30.0), 0),
    (0, (0.0, 30.0, 40.0, 30.0), 1),
    (0, (39.5, 45.0, 10.0, 10.0), 0),
]


def hand_source() -> Photos:
    return photos([(100, 60)], BY_HAND)


# ---- where tiles lie


def test_tiles_overlap_and_the_last_of_a_row_and_column_end_at_the_edge():
    made = tiled(hand_source(), 40, 10, report=ignore)
    assert made.tiles == tuple(Tile(0, x, y) for y in (0, 20) for x in (0, 30, 60))
    assert made.split.images[1:3] == (
        ImageRecord(2, "P0.png@30,0", 40, 40),
        ImageRecord(3, "P0.png@60,0", 40, 40),
    )
    assert [image.id for image in made.split.images] == [1, 2, 3, 4, 5, 6]


def test_the_papers_setting_on_a_usual_image():
    source = photos([(2000, 1024)], [(0, (0.0, 0.0, 9.0, 9.0), 0)])
    made = tiled(source, 1024, 200, report=ignore)
    assert [(tile.left, tile.top) for tile in made.tiles] == [(0, 0), (824, 0), (976, 0)]


# ---- which objects belong to them


def test_objects_are_cut_by_the_rule():
    source = hand_source()
    split = tiled(source, 40, 10, report=ignore).split
    assert split.categories == source.split.categories
    assert [(a.image_id, a.category_id, a.bbox, a.iscrowd, a.area) for a in split.annotations] == [
        (1, WHOLE, (5, 5, 20, 10), 0, 200),
        (1, SHARED, (25, 10, 15, 10), 0, 150),
        (1, CROWD, (0, 30, 40, 10), 1, pytest.approx(400)),
        (2, SHARED, (0, 10, 15, 10), 0, 150),
        (2, SPREAD, (20, 22, 20, 18), 1, pytest.approx(360)),
        (2, CROWD, (0, 30, 10, 10), 1, pytest.approx(100)),
        (3, SPREAD, (0, 22, 20, 18), 1, pytest.approx(360)),
        (4, CROWD, (0, 10, 40, 30), 1, 1200),
        (5, SPREAD, (20, 2, 20, 30), 1, pytest.approx(600)),
        (5, CROWD, (0, 10, 10, 30), 1, 300),
        (5, GRAZING, (9.5, 25, 10, 10), 0, 100),
        (6, SPREAD, (0, 2, 20, 30), 1, pytest.approx(600)),
    ]
    assert [a.id for a in split.annotations] == list(range(1, 13))


@pytest.mark.parametrize(("least_share", "crowd"), [(0.75, 0), (0.7501, 1)])
def test_the_least_share_is_included(least_share, crowd):
    split = tiled(hand_source(), 40, 10, least_share=least_share, report=ignore).split
    assert {a.iscrowd for a in split.annotations if a.category_id == SHARED} == {crowd}


def test_the_area_of_an_object_is_cut_in_proportion():
    source = photos([(100, 60)], [(0, (25.0, 10.0, 20.0, 10.0), 0)])
    (old,) = source.split.annotations
    outlined = Annotation(old.id, old.image_id, old.category_id, old.bbox, 0, 120.0)
    source.split = CocoSplit(source.split.images, source.split.categories, (outlined,))
    areas = [a.area for a in tiled(source, 40, 10, report=ignore).split.annotations]
    assert areas == [90, 90]


@st.composite
def cuts(draw):
    """Width and height of an image, and a size and an overlap of tiles."""
    width, height, size = draw(st.tuples(*[st.integers(10, 100)] * 2, st.integers(8, 60)))
    return width, height, size, draw(st.integers(1, size - 4))


@given(case=cuts(), least_share=st.floats(0.01, 1), data=st.data())
def test_an_object_of_sides_up_to_the_overlap_is_whole_in_a_tile(case, least_share, data):
    width, height, size, overlap = case
    w, h = (data.draw(st.floats(0.2, min(overlap, length))) for length in (width, height))
    x, y = data.draw(st.floats(0, 1)) * (width - w), data.draw(st.floats(0, 1)) * (height - h)
    source = photos([(width, height)], [(0, (x, y, w, h), 0)])
    made = tiled(source, size, overlap, least_share=least_share, report=ignore)
    back = [
        (a.bbox[0] + tile.left, a.bbox[1] + tile.top, *a.bbox[2:])
        for tile, found in zip(made.tiles, made.split.annotations_by_image(), strict=True)
        for a in found
        if not a.iscrowd
    ]
    assert pytest.approx((x, y, w, h), abs=1e-9) in back


@given(case=cuts(), percent=st.integers(1, 100), data=st.data())
def test_what_lies_in_a_tile_is_what_counting_its_pixels_says(case, percent, data):
    width, height, size, overlap = case
    x, y = data.draw(st.tuples(st.integers(0, width - 1), st.integers(0, height - 1)))
    w, h = data.draw(st.tuples(st.integers(1, width - x), st.integers(1, height - y)))
    # The second object, of one pixel, belongs to a tile whatever becomes of the first.
    source = photos([(width, height)], [(0, (x, y, w, h), 0), (0, (0, 0, 1, 1), 0)])
    made = tiled(source, size, overlap, least_share=percent / 100, report=ignore)
    painted = np.zeros((height, width), bool)
    painted[y : y + h, x : x + w] = True
    for tile, found in zip(made.tiles, made.split.annotations_by_image(), strict=True):
        rows, columns = painted[tile.top : tile.top + size, tile.left : tile.left + size].nonzero()
        parts = [a for a in found if a.category_id == 0]
        assert len(parts) == (len(rows) > 0)
        if not parts:
            continue
        left, top = columns.min(), rows.min()
        box = (left, top, columns.max() + 1 - left, rows.max() + 1 - top)
        assert parts[0].bbox == box
        assert parts[0].area == pytest.approx(len(rows))
        assert parts[0].iscrowd == (100 * len(rows) < percent * w * h)


# ---- tiles without an object


@pytest.mark.parametrize(
    ("most_empty", "names", "report"),
    [
        (math.inf, 6, "6 tiles of 1 images; kept 3 of 3 without an object; 1 of 4 objects belong"),
        (1, 6, "6 tiles of 1 images; kept 3 of 3 without an object; 1 of 4 objects belong"),
        (0.7, 5, "5 tiles of 1 images; kept 2 of 3 without an object; 1 of 4 objects belong"),
        (0, 3, "3 tiles of 1 images; kept 0 of 3 without an object; 1 of 4 objects belong"),
    ],
)
def test_tiles_without_an_object_are_kept_or_dropped_and_counted(most_empty, names, report):
    reports: list[str] = []
    made = tiled(hand_source(), 40, 10, most_empty=most_empty, report=reports.append)
    assert len(made.split.images) == len(made.tiles) == names
    assert len(reports) == 1
    assert reports[0].startswith(report)


def test_of_tiles_without_an_object_some_of_every_part_stay():
    boxes = [(0, (5.0, 5.0, 9.0, 9.0), 0), (0, (45.0, 5.0, 9.0, 9.0), 0)]
    made = tiled(photos([(400, 40)], boxes), 40, 0, most_empty=1.5, report=ignore)
    assert [tile.left for tile in made.tiles] == [0, 40, 80, 240, 360], "the first, middle and last"


def test_dropped_tiles_leave_the_others_as_they_were():
    whole = tiled(hand_source(), 40, 10, report=ignore)
    made = tiled(hand_source(), 40, 10, most_empty=0, report=ignore)
    assert [image.file_name for image in made.split.images] == [
        "P0.png@0,0",
        "P0.png@30,0",
        "P0.png@30,20",
    ]
    for new, old in ((0, 0), (1, 1), (2, 4)):
        assert np.array_equal(made.image(new), whole.image(old))
        now, before = (s.split.annotations_by_image()[k] for s, k in ((made, new), (whole, old)))
        assert [(a.category_id, a.bbox, a.iscrowd) for a in now] == [
            (a.category_id, a.bbox, a.iscrowd) for a in before
        ]


# ---- pixels


def test_pixels_are_slices_of_the_image():
    source = hand_source()
    pixels = source.image(0)
    made = tiled(source, 40, 10, report=ignore)
    for index, tile in enumerate(made.tiles):
        image = made.image(index)
        assert image.dtype == np.uint8
        assert np.array_equal(image, pixels[tile.top : tile.top + 40, tile.left : tile.left + 40])


def test_a_small_image_is_padded_with_black_and_its_boxes_stay():
    source = photos([(30, 50)], [(0, (4.0, 6.0, 20.0, 30.0), 0)])
    made = tiled(source, 40, 10, report=ignore)
    assert made.tiles == (Tile(0, 0, 0), Tile(0, 0, 10))
    assert list(made.split.annotations[0].bbox) == [4, 6, 20, 30]
    padded = np.pad(source.image(0)[10:], ((0, 0), (0, 10), (0, 0)))
    assert np.array_equal(made.image(1), padded)


def test_smaller_parts_are_painted_over_but_not_what_a_kept_object_covers():
    # Of the second object, 20 x 10 px from (30, 10), the first tile holds 10 px: less than 0.7.
    boxes = [(0, (25.0, 5.0, 12.0, 10.0), 0), (0, (30.0, 10.0, 20.0, 10.0), 0)]
    source = photos([(100, 40)], boxes)
    made = tiled(source, 40, 20, hide_parts=True, report=ignore)
    (kept, part) = made.split.annotations_by_image()[0]
    assert (kept.iscrowd, part.iscrowd, part.bbox) == (0, 1, (30, 10, 10, 10))
    expected = source.image(0)[:40, :40].copy()
    expected[10:20, 30:40] = 127
    expected[10:15, 30:37] = source.image(0)[10:15, 30:37]
    assert np.array_equal(made.image(0), expected)
    assert np.array_equal(tiled(source, 40, 20, report=ignore).image(0), source.image(0)[:, :40])


def test_regions_that_the_source_ignores_are_not_painted_over():
    source = hand_source()
    made = tiled(source, 40, 10, hide_parts=True, report=ignore)
    assert np.array_equal(made.image(3), source.image(0)[20:60, :40]), "CROWD covers most of it"


def test_each_image_is_decoded_once_for_its_tiles_and_one_is_kept():
    source = photos([(100, 60), (50, 50), (40, 40)], BY_HAND)
    made = tiled(source, 40, 10, report=ignore)
    for index in range(len(made.tiles)):
        made.image(index)
    assert source.decoded == [0, 1, 2]
    made.image(0)
    assert source.decoded == [0, 1, 2, 0]


def test_a_tile_may_be_painted_on_without_spoiling_the_next():
    made = tiled(hand_source(), 40, 10, report=ignore)
    before = made.image(1)
    made.image(0)[:] = 0
    assert np.array_equal(made.image(1), before)


def test_tiles_are_a_source_like_any_other(tmp_path):
    source = photos([(100, 60), (30, 20)], [*BY_HAND, (1, (3.0, 4.0, 20.0, 10.0), 0)])
    made = tiled(source, 40, 10, report=ignore)
    prepare({"train": made}, tmp_path / "p", 20, progress=False)
    assert source.decoded == [0, 1]
    split = load_prepared(tmp_path / "p", "train")
    assert split.coco == made.split
    assert split.images.shape == (7, 20, 20, 3)
    assert split.boxes(0).tolist() == [[2.5, 2.5, 12.5, 7.5], [12.5, 5, 20, 10]]
    assert split.labels(6).tolist() == [6]
    assert split.boxes(6).tolist() == [[1.5, 2, 11.5, 7]]


# ---- what is refused


@pytest.mark.parametrize(
    ("size", "overlap", "least_share", "words"),
    [
        (0, 0, 0.7, "tiles of 0 px with an overlap of 0 px cannot be cut"),
        (40, 40, 0.7, "tiles of 40 px with an overlap of 40 px cannot be cut"),
        (40, -1, 0.7, "overlap of -1 px"),
        (40, 10, 0.0, "least_share 0.0 is not a share"),
        (40, 10, 1.1, "least_share 1.1 is not a share"),
        (40, 10, float("nan"), "least_share nan is not a share"),
    ],
)
def test_odd_parameters(size, overlap, least_share, words):
    with pytest.raises(UserError, match=words):
        tiled(hand_source(), size, overlap, least_share=least_share, report=ignore)


@pytest.mark.parametrize("most_empty", [0, math.inf])
def test_objects_that_are_all_larger_than_a_tile(most_empty):
    source = photos([(100, 60)], [(0, (0.0, 0.0, 100.0, 60.0), 0)])
    with pytest.raises(UserError, match=r"no object belongs to a tile of 40 px by 0\.7"):
        tiled(source, 40, 10, most_empty=most_empty, report=ignore)
