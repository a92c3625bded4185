"""TIDE's errors and the confusion matrix by hand, and against another program where it is there."""

import json

import numpy as np
import pytest

from pipelines.data.records import CocoSplit
from pipelines.own_data.run_page.errors import (
    ErrorKind,
    average_precision,
    confusion,
    error_types,
)
from pipelines.own_data.run_page.matches import match_images
from tests.pipelines.own_data.run_page.two_photographs import (
    A1,
    B1,
    B2,
    CLASS,
    FOUND,
    TRUE_A,
    make_split,
    results,
)
from tests.pipelines.random_cases import random_case


def errors(found=FOUND, **changes):
    """Count and cost of each error."""
    images = match_images(make_split(**changes), results(found))
    return {error.kind: (error.count, error.cost) for error in error_types(images, 2)}


def test_each_error_once_by_hand():
    """In units of 1/101, a recall step: a has AP50 51 (precision 1 up to a recall of 1/2), b 17
    (precision 1/2 up to 1/3, 34 steps). A gain counts half, as there are two classes.

    - class mended: b has true, false, true of 3: 34 + 33 · 2/3 = 56, a gain of 39.
    - location mended: a has true, false, true of 2: 51 + 50 · 2/3, a gain of 100/3.
    - background left out: b has one true alone: 34, a gain of 17.
    - missed left out: b has false, true of 2: 51 / 2, a gain of 8.5.
    - what comes after the last true one costs nothing.
    """
    cost = {
        ErrorKind.CLASS: 39,
        ErrorKind.LOCATION: 100 / 3,
        ErrorKind.BOTH: 0,
        ErrorKind.DUPLICATE: 0,
        ErrorKind.BACKGROUND: 17,
        ErrorKind.MISSED: 8.5,
    }
    found = errors()
    assert {kind: count for kind, (count, _) in found.items()} == dict.fromkeys(ErrorKind, 1)
    assert {kind: gain for kind, (_, gain) in found.items()} == pytest.approx(
        {kind: 100 * gain / 2 / 101 for kind, gain in cost.items()}
    )


def test_of_two_that_mean_one_object_the_better_is_mended_and_the_other_left_out():
    # One object of b, two detections of a on it: mended, b has one true of one.
    found = errors([CLASS, (1, 1, B1, 0.5)], objects=[(1, 2, B1)])
    assert found[ErrorKind.CLASS] == (2, pytest.approx(100))
    assert found[ErrorKind.MISSED][0] == 0


def test_a_wrong_class_on_an_object_that_is_found_is_left_out():
    # a has false, true of 1: 1/2 up to a recall of 1. Without the false one: 1.
    found = errors([(1, 1, B1, 0.95), TRUE_A, (1, 2, B1, 0.5)], objects=[(1, 1, A1), (1, 2, B1)])
    assert found[ErrorKind.CLASS] == (1, pytest.approx(25))


def test_without_detections_all_is_missed():
    found = errors([])
    assert found.pop(ErrorKind.MISSED) == (5, 100)
    assert set(found.values()) == {(0, 0)}


def test_average_precision_by_hand():
    # Of 4 objects: true, false, true. 1 up to 1/4 (26 steps), 2/3 up to 1/2 (25), then 0.
    scores, true = np.array([0.2, 0.9, 0.5]), np.array([True, True, False])
    assert average_precision(scores, true, 4) == pytest.approx((26 + 25 * 2 / 3) / 101)
    assert average_precision(np.array([]), np.array([], bool), 4) == 0


@pytest.mark.parametrize("seed", range(8))
def test_the_errors_are_those_of_hotcoco(seed, tmp_path):
    hotcoco = pytest.importorskip("hotcoco")
    dataset, detections = random_case(seed)
    for place, found in enumerate(detections):  # no two scores alike: their order is no rule
        found["score"] = found["score"] * 0.9 + place * 1e-5
    for image in dataset["images"]:
        image["file_name"] = f"{image['id']}.png"
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(dataset, default=float))
    truth = hotcoco.COCO(str(path))
    evaluation = hotcoco.COCOeval(truth, truth.load_res(detections), "bbox")
    evaluation.evaluate()
    theirs = evaluation.tide_errors()
    short = dict(zip(ErrorKind, ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"), strict=True))
    for own in error_types(match_images(CocoSplit.from_coco(dataset), detections), 3):
        assert own.count == theirs["counts"][short[own.kind]]
        assert own.cost == pytest.approx(100 * theirs["delta_ap"][short[own.kind]], abs=1e-6)


def test_confusion_by_hand():
    images = match_images(make_split(), results())
    # a: A1 found, A2 missed. b: B1 taken for a, B2 found, B3 missed.
    # Background: the duplicate, LOCATION and BOTH for a, BACKGROUND for b.
    assert confusion(images, 2).tolist() == [[1, 0, 1], [1, 1, 1], [3, 1, 0]]


def test_of_several_that_lie_on_an_object_of_another_class_the_nearest_is_its_confusion():
    near = (1, 1, (40.0, 0.0, 10.0, 9.0), 0.5)  # 0.9
    far = (1, 1, (40.0, 0.0, 10.0, 8.0), 0.9)  # 0.8
    images = match_images(make_split(objects=[(1, 2, B1), (2, 2, B2)]), results([far, near]))
    assert confusion(images, 2).tolist() == [[0, 0, 0], [1, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("seed", range(6))
def test_the_matrix_counts_every_object_and_every_detection_once(seed):
    dataset, detections = random_case(seed)
    named = [{**image, "file_name": "x"} for image in dataset["images"]]
    split = CocoSplit.from_coco({**dataset, "images": named})
    images = match_images(split, detections)
    matrix = confusion(images, 3)
    objects = [sum(int((i.objects == k).sum()) for i in images) for k in range(3)]
    counted = [sum(int((i.labels[~i.ignored] == k).sum()) for i in images) for k in range(3)]
    assert matrix[:-1].sum(axis=1).tolist() == objects
    assert matrix[:, :-1].sum(axis=0).tolist() == counted
