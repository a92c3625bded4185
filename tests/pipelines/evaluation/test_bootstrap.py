"""Resampled figures against pycocotools on repeated images."""

import numpy as np
import pytest

from pipelines.evaluation.bootstrap import burst_weights, image_weights, resample_run, weighted_ap
from pipelines.evaluation.coco import match_records, score_records
from tests.pipelines.random_cases import pycocotools_figures, random_case


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


def test_a_class_missing_from_a_replicate_is_left_out():
    dataset = {
        "images": [{"id": 1, "width": 99, "height": 99}, {"id": 2, "width": 99, "height": 99}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": [
            {
                "id": i,
                "image_id": i,
                "category_id": i,
                "bbox": [9, 9, 9, 9],
                "area": 81,
                "iscrowd": 0,
            }
            for i in (1, 2)
        ],
    }
    found = [{"image_id": 1, "category_id": 1, "bbox": [9, 9, 9, 9], "score": 0.9}]
    figures = weighted_ap(
        match_records(dataset, found), np.array([1, 2]), np.array([[2, 0], [1, 1], [0, 2]])
    )
    assert figures["AP"].tolist() == pytest.approx([100, 50, 0])


def test_a_burst_is_drawn_whole():
    bursts = np.array([3, 3, 3, 8, 8, 9])
    weights = burst_weights(bursts)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 4]).all()
    assert (weights[:, [0, 3, 5]].sum(axis=1) == 3).all()
    assert (burst_weights(bursts) == weights).all()
    assert (burst_weights(bursts + 1) != weights).any(), "other bursts have other draws"


def test_match_records_carry_bursts_and_their_samples_draw_them():
    dataset, detections = random_case(5)
    for image in dataset["images"]:
        image["burst"] = image["id"] // 3
    records = match_records(dataset, detections)
    assert (records["burst"] == records["image"] // 3).all()
    found = resample_run(records, replicates=50)
    assert found.bursts == frozenset({0, 1, 2})
    plain = resample_run(records.drop(columns="burst"), replicates=50)
    assert (plain.point, plain.bursts) == (found.point, None)
    images = np.unique(records["image"])
    expected = weighted_ap(records, images, burst_weights(images // 3, 50))
    assert (found.replicates["AP"] == expected["AP"]).all()
