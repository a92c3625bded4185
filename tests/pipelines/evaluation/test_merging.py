"""Merging: each object once, where it is in the photograph."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from method.detection import Detections
from pipelines.data.prepared import Photographs, PreparedSplit
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.data.tiling import Tiling
from pipelines.evaluation.coco import match_split, score_records
from pipelines.evaluation.merging import merge_tiles, whole_photographs

TILING = Tiling(100, 0.3)
WIDTH, HEIGHT = 240, 170
"""Tiles start at 0, 70, 140 across and at 0, 70 down."""


def oracle(boxes, labels, tiling, width, height, score=lambda tile, number: 0.9):
    """What a perfect detector finds in each tile: the visible part of every object."""
    found = []
    for tile, (left, top) in enumerate(tiling.corners(width, height)):
        shown = (boxes - [left, top, left, top]).clip(0, tiling.size)
        seen = np.flatnonzero((shown[:, 2:] - shown[:, :2] > 0).all(axis=1))
        scores = [score(tile, int(k)) for k in seen]
        found.append(
            Detections(
                torch.tensor(shown[seen], dtype=torch.float32).reshape(-1, 4),
                torch.tensor(scores, dtype=torch.float32),
                torch.tensor(np.asarray(labels)[seen], dtype=torch.int64),
            )
        )
    return found


def merged(boxes, labels=None, tiling=TILING, width=WIDTH, height=HEIGHT, **scored):
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    labels = labels or [1] * len(boxes)
    result = merge_tiles(
        oracle(boxes, labels, tiling, width, height, **scored), tiling, width, height
    )
    return sorted(zip(result.labels.tolist(), result.boxes.round(decimals=2).tolist(), strict=True))


@pytest.mark.parametrize(
    "box",
    [
        [10, 10, 30, 30],  # in one tile
        [72, 20, 92, 40],  # whole in two
        [60, 20, 80, 40],  # whole in one, cut by the next
        [75, 75, 95, 95],  # whole in four
        [60, 60, 90, 90],  # as large as the overlap, on a corner
        [60, 20, 120, 40],  # larger than the overlap: whole in none
        [60, 60, 120, 110],  # larger both ways, cut by four tiles
        [0, 150, 20, 170],  # at the photograph's edge
        [220, 0, 240, 20],
    ],
)
def test_an_object_is_found_once_with_its_whole_box(box):
    assert merged([box]) == [(1, box)]


def test_neighbours_stay_apart():
    row = [[x, 30, x + 20, 50] for x in range(0, 240, 20)]
    assert merged(row) == [(1, box) for box in row]


def test_classes_are_merged_apart():
    box = [60, 20, 120, 40]
    assert merged([box, box], labels=[1, 2]) == [(1, box), (2, box)]


def test_a_small_photograph_is_one_tile_whose_padding_holds_nothing():
    boxes = np.array([[10.0, 10, 30, 30], [60, 60, 90, 90]])
    (found,) = oracle(boxes, [1, 1], TILING, 50, 40)
    result = merge_tiles([found], TILING, 50, 40)
    assert result.boxes.tolist() == [[10, 10, 30, 30]]


def test_nothing_found_is_nothing():
    assert merged([]) == []


def test_the_best_score_stays_and_comes_first():
    boxes = np.array([[60.0, 20, 120, 40], [10, 10, 30, 30]])
    found = oracle(
        boxes,
        [1, 1],
        TILING,
        WIDTH,
        HEIGHT,
        lambda tile, k: [0.5, 0.7][tile % 2] if k == 0 else 0.6,
    )
    result = merge_tiles(found, TILING, WIDTH, HEIGHT)
    assert result.boxes.tolist() == boxes.tolist()
    assert result.scores.tolist() == pytest.approx([0.7, 0.6])


def test_weak_boxes_beside_the_parts_of_an_object_do_not_keep_them_apart():
    box = [60.0, 20, 120, 40]
    found = oracle(np.array([box]), [1], TILING, WIDTH, HEIGHT)
    weak = torch.tensor([[66.0, 24, 98, 36]])  # IoU with the first part: 32 * 12 / 800
    found[0] = Detections(
        torch.cat([found[0].boxes, weak]), torch.tensor([0.9, 0.02]), torch.tensor([1, 1])
    )
    result = merge_tiles(found, TILING, WIDTH, HEIGHT)
    assert result.boxes[0].tolist() == box
    assert (result.scores[1:] < 0.1).all()


@st.composite
def photographs(draw):
    """A tiling, the size of a photograph, and objects up to the overlap that do not touch."""
    tiling = Tiling(draw(st.integers(40, 120)), draw(st.sampled_from([0.2, 0.25, 0.4, 0.5, 0.7])))
    width, height = draw(st.integers(20, 400)), draw(st.integers(20, 400))
    cell = tiling.shared + 2
    boxes: list[list[int]] = []
    for x in range(0, width - cell + 1, cell):
        for y in range(0, height - cell + 1, cell):
            if len(boxes) < 12 and draw(st.booleans()):
                sides = draw(st.tuples(*[st.integers(4, tiling.shared)] * 2))
                left, top = (
                    start + draw(st.integers(0, tiling.shared - side))
                    for start, side in zip((x, y), sides, strict=True)
                )
                boxes.append([left, top, left + sides[0], top + sides[1]])
    return tiling, width, height, boxes


@settings(max_examples=200, deadline=None)
@given(case=photographs(), seed=st.integers(0, 2**16))
def test_every_object_up_to_the_overlap_is_there_once_whatever_the_scores(case, seed):
    tiling, width, height, boxes = case
    rng = np.random.default_rng(seed)
    found = merged(boxes, None, tiling, width, height, score=lambda *_: float(rng.uniform(0.1, 1)))
    assert found == sorted((1, [float(v) for v in box]) for box in boxes)


@settings(max_examples=100, deadline=None)
@given(
    box=st.tuples(st.integers(0, 170), st.integers(0, 100), st.integers(8, 70), st.integers(8, 70)),
    seed=st.integers(0, 2**16),
)
def test_an_object_that_fits_a_tile_but_not_the_overlap_is_there_once_too(box, seed):
    x, y, width, height = box
    rng = np.random.default_rng(seed)
    score = lambda *_: float(rng.uniform(0.1, 1))  # noqa: E731
    assert merged([[x, y, x + width, y + height]], score=score) == [
        (1, [x, y, x + width, y + height])
    ]


@settings(max_examples=100, deadline=None)
@given(case=photographs(), seed=st.integers(0, 2**16))
def test_boxes_that_differ_a_little_from_tile_to_tile_are_still_one(case, seed):
    tiling, width, height, boxes = case
    rng = np.random.default_rng(seed)
    exact = oracle(np.asarray(boxes, float).reshape(-1, 4), [1] * len(boxes), tiling, width, height)
    found = []
    for one in exact:
        sides = (one.boxes[:, 2:] - one.boxes[:, :2]).amin(dim=1, keepdim=True)
        shift = torch.tensor(rng.uniform(-0.04, 0.04, one.boxes.shape), dtype=torch.float32)
        moved = (one.boxes + shift * sides).clamp(0, tiling.size)
        found.append(Detections(moved, one.scores, one.labels))
    result = merge_tiles(found, tiling, width, height)
    centres = (result.boxes[:, :2] + result.boxes[:, 2:]) / 2
    inside = [
        int(((centres >= torch.tensor(b[:2])) & (centres <= torch.tensor(b[2:]))).all(1).sum())
        for b in boxes
    ]
    assert inside == [1] * len(boxes)
    assert len(centres) == len(boxes)


# ---- COCO results of a split


def cut_split(objects):
    """Two photographs of 240×170 in TILING, empty but for `objects` (position, xywh)."""
    records = (ImageRecord(5, "a.png", WIDTH, HEIGHT), ImageRecord(9, "b.png", WIDTH, HEIGHT))
    annotations = tuple(
        Annotation(k, records[position].id, 3, box, 0, box[2] * box[3])
        for k, (position, box) in enumerate(objects, start=1)
    )
    whole = CocoSplit(records, (Category(3, "ripe"),), annotations)
    tiles = tuple(ImageRecord(k, f"{k}", 100, 100) for k in range(1, 13))
    split = CocoSplit(tiles, whole.categories, ())
    return PreparedSplit(np.zeros((12, 100, 100, 3), np.uint8), split, Photographs(whole, TILING))


def result(image, box, score=0.5):
    return {"image_id": image, "category_id": 3, "bbox": list(box), "score": score}


def test_results_in_tiles_become_results_in_photographs():
    split = cut_split([(1, (60.0, 20.0, 60.0, 20.0))])
    # Tiles 7 and 8 are the first two of the second photograph, from x = 0 and x = 70.
    found = [result(7, (60, 20, 40, 20), 0.4), result(8, (0, 20, 50, 20), 0.8)]
    assert whole_photographs(split, found) == [result(9, (60, 20, 60, 20), 0.8)]
    records = match_split(split, whole_photographs(split, found))
    assert score_records(records).figures["AP"] == pytest.approx(100)


def test_without_tiles_results_stay_as_they_are():
    split = cut_split([])
    plain = PreparedSplit(split.images, split.coco)
    found = [result(7, (60, 20, 40, 20))]
    assert whole_photographs(plain, found) == found


def test_more_objects_than_a_hundred_of_a_class_can_all_be_found():
    """COCO counts 100 detections an image; a photograph of many tiles may have more objects."""
    boxes = [(4.0 * x, 8.0 * y, 3.0, 6.0) for x in range(60) for y in range(5)]
    split = cut_split([(0, box) for box in boxes])
    found = [result(5, box, 0.9 - k / 1000) for k, box in enumerate(boxes)]
    figures = score_records(match_split(split, found)).figures
    assert figures["AP"] == pytest.approx(100)
    assert figures["AR100"] == pytest.approx(100 * 100 / 300)
