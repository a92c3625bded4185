"""Matches by hand, and equal to what pycocotools matches."""

import numpy as np
import pytest

from pipelines.data.records import CocoSplit
from pipelines.evaluation.coco import match_records
from pipelines.own_data.run_page.matches import NONE, match_images
from tests.pipelines.own_data.run_page.two_photographs import A1, make_split, results
from tests.pipelines.random_cases import random_case


def test_two_photographs_by_hand():
    first, second = match_images(make_split(), results())
    assert first.found.tolist() == [0, NONE, NONE, NONE, NONE, NONE]
    assert first.missed.tolist() == [False, True, True]
    assert second.found.tolist() == [0]
    assert second.missed.tolist() == [False, True]
    # LOCATION with A2 and BOTH with B1: half of each, 50 / 150
    assert first.overlaps[2].tolist() == pytest.approx([0, 1 / 3, 0])
    assert first.overlaps[4].tolist() == pytest.approx([0, 0, 1 / 3])


def test_a_threshold_of_each_class_leaves_the_matches_of_the_rest():
    first, _ = match_images(make_split(), results())
    used = first.above(np.array([0.75, 0.5]))
    assert used.scores.tolist() == [0.9, 0.8]
    assert used.true.tolist() == [True, False]
    assert used.missed.tolist() == [False, True, True]


def test_what_lies_on_a_crowd_region_is_neither_true_nor_false():
    split = make_split(objects=[(2, 1, A1)], crowds=[(1, 1, (0.0, 0.0, 50.0, 50.0))])
    first, _ = match_images(split, results())
    # A1, DUPLICATE, LOCATION and half and more of CLASS's and BOTH's areas lie on it
    assert first.ignored.tolist() == [True, True, True, True, True, False]
    assert first.false.tolist() == [False, False, False, False, False, True]


@pytest.mark.parametrize("seed", range(12))
def test_as_many_are_true_and_ignored_as_by_pycocotools_in_each_image_and_class(seed):
    dataset, detections = random_case(seed)
    named = [{**image, "file_name": f"{image['id']}.png"} for image in dataset["images"]]
    split = CocoSplit.from_coco({**dataset, "images": named})
    records = match_records(dataset, detections)
    records = records[records["score"].notna()]
    for record, matches in zip(split.images, match_images(split, detections), strict=True):
        for label, category in enumerate(split.categories):
            own = records[(records["image"] == record.id) & (records["class"] == category.name)]
            mine = matches.labels == label
            assert matches.scores[mine].tolist() == own["score"].tolist()
            for name, kind in (("true_all", matches.true), ("ignored_all", matches.ignored)):
                assert kind[mine].tolist() == [value & 1 == 1 for value in own[name]]
