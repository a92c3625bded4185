"""Resampled figures against pycocotools on repeated images; intervals against closed forms."""

import numpy as np
import pandas as pd
import pytest

from pipelines.scoring import match_records, score_records
from pipelines.statistics import (
    RunSamples,
    average_seeds,
    describe_difference,
    image_weights,
    paired_difference,
    resample_run,
    weighted_ap,
)
from tests.pipelines.test_scoring import pycocotools_figures, random_case


def repeated(dataset, detections, times):
    """The data set in which image i stands `times[i]` times, and its detections."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    results: list[dict[str, object]] = []
    for image, count in zip(dataset["images"], times, strict=True):
        for _ in range(count):
            new = len(images) + 1
            images.append({**image, "id": new})
            for old in dataset["annotations"]:
                if old["image_id"] == image["id"]:
                    annotations.append({**old, "id": len(annotations) + 1, "image_id": new})
            results += [
                {**found, "image_id": new}
                for found in detections
                if found["image_id"] == image["id"]
            ]
    return {**dataset, "images": images, "annotations": annotations}, results


@pytest.mark.parametrize("seed", range(4))
def test_a_weighted_image_counts_as_often_as_it_would_stand_in_the_data_set(seed):
    dataset, detections = random_case(seed)
    for i, found in enumerate(detections):
        found["score"] += 1e-6 * i  # no ties but between copies, whose order cannot matter
    times = np.random.default_rng(seed).integers(0, 4, (1, 8))
    records = match_records(dataset, detections)
    ours = weighted_ap(records, np.arange(1, 9), times)
    expected = pycocotools_figures(*repeated(dataset, detections, times[0]))
    assert ours["AP"][0] == pytest.approx(100 * expected[0], abs=1e-9)
    assert ours["AP50"][0] == pytest.approx(100 * expected[1], abs=1e-9)


def test_the_point_is_the_plain_figure():
    records = match_records(*random_case(11))
    figures = score_records(records).figures
    point = resample_run(records, replicates=3).point
    assert point["AP"] == pytest.approx(figures["AP"])
    assert point["AP50"] == pytest.approx(figures["AP50"])


def test_every_run_sees_the_same_draws():
    first, second = image_weights(22), image_weights(22)
    assert (first == second).all()
    assert (first.sum(axis=1) == 22).all()
    assert len(np.unique(first, axis=0)) > 990


def samples(point, replicates):
    return RunSamples({"AP": point}, {"AP": np.asarray(replicates, float)})


def test_what_two_rows_share_cancels_out():
    shared = np.random.default_rng(0).normal(40, 5, 1000)
    row = {0: samples(43.0, shared + 3), 1: samples(44.0, shared + 4)}
    reference = {1: samples(40.0, shared), 0: samples(40.0, shared), 2: samples(0.0, shared - 40)}
    difference = paired_difference(row, reference, "AP")
    assert difference is not None
    assert difference.estimate == pytest.approx(3.5)
    # Two seeds, drawn with replacement: means of 3, 3.5 and 4 alone.
    assert (difference.low, difference.high) == pytest.approx((3, 4))


def test_one_seed_s_interval_is_that_of_the_images():
    noise = np.random.default_rng(1).normal(0, 2, 100_000)
    difference = paired_difference({0: samples(1.0, 1 + noise)}, {0: samples(0.0, 0 * noise)}, "AP")
    assert difference is not None
    # 1 ± 1.96 · 2
    assert (difference.low, difference.high) == pytest.approx((-2.92, 4.92), abs=0.05)


def test_rows_without_a_common_seed_are_not_compared():
    row, reference = {0: samples(1.0, [1.0])}, {1: samples(1.0, [1.0])}
    assert describe_difference(paired_difference(row, reference, "AP")) == "—"


def test_a_class_missing_from_a_replicate_is_left_out():
    dataset = {
        "images": [{"id": 1, "width": 99, "height": 99}, {"id": 2, "width": 99, "height": 99}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": [
            {"id": i, "image_id": i, "category_id": i, "bbox": [9, 9, 9, 9], "area": 81,
             "iscrowd": 0}
            for i in (1, 2)
        ],
    }  # fmt: skip
    found = [{"image_id": 1, "category_id": 1, "bbox": [9, 9, 9, 9], "score": 0.9}]
    figures = weighted_ap(
        match_records(dataset, found), np.array([1, 2]), np.array([[2, 0], [1, 1], [0, 2]])
    )
    assert figures["AP"].tolist() == pytest.approx([100, 50, 0])


def test_one_value_has_no_spread():
    assert average_seeds([12.34]) == "12.3"
    assert average_seeds([1.0, 3.0]) == "2.0 ± 1.4"


def test_the_difference_is_written_with_its_interval():
    frame = pd.Series([0.0])
    difference = paired_difference({0: samples(4.25, frame + 4.25)}, {0: samples(0.0, frame)}, "AP")
    assert describe_difference(difference) == "+4.2 [+4.2, +4.2]"
