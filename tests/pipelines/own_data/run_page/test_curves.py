"""Curves, thresholds and calibration by hand."""

import math

import numpy as np
import pytest

from pipelines.evaluation.coco import match_records
from pipelines.own_data.run_page.curves import (
    NEVER,
    calibration,
    class_curves,
    score_told,
)
from tests.pipelines.own_data.run_page.two_photographs import A1, A2, FOUND, make_split, results


def records(found=FOUND, **changes):
    return match_records(make_split(**changes).to_coco(), results(found))


def test_precision_recall_and_f1_of_two_classes_by_hand():
    curves = class_curves(records())
    a, b = curves["a"], curves["b"]
    # a: one true, then four false, of two objects
    assert a.scores.tolist() == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert a.precision.tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert a.recall.tolist() == [0.5] * 5
    assert a.f1.tolist() == pytest.approx([2 / 3, 2 / 4, 2 / 5, 2 / 6, 2 / 7])
    assert (a.best, a.threshold) == (0, 0.9)
    # b: one false, then one true, of three objects
    assert b.precision.tolist() == [0, 0.5]
    assert b.recall.tolist() == pytest.approx([0, 1 / 3])
    assert b.f1.tolist() == pytest.approx([0, 2 / 5])
    assert (b.best, b.threshold) == (1, 0.3)


def test_detections_of_one_score_are_kept_or_left_together():
    found = [(1, 1, A1, 0.5), (1, 1, (80.0, 80.0, 5.0, 5.0), 0.5), (1, 1, A2, 0.4)]
    curve = class_curves(records(found))["a"]
    assert curve.scores.tolist() == [0.5, 0.4]
    assert curve.precision.tolist() == pytest.approx([1 / 2, 2 / 3])
    assert curve.f1.tolist() == pytest.approx([2 / 4, 4 / 5])
    assert curve.threshold == 0.4


def test_a_class_of_which_nothing_true_is_found_has_no_threshold():
    curves = class_curves(records([]))
    assert {name: own.threshold for name, own in curves.items()} == {"a": NEVER, "b": NEVER}
    wrong = class_curves(records([(1, 1, A1, 0.5)], objects=[(1, 2, A1)]))["a"]
    assert (wrong.objects, wrong.best) == (0, None)
    assert math.isnan(wrong.recall[0])


@pytest.mark.parametrize(
    ("score", "told"), [(0.4567, "0.45"), (0.999, "0.99"), (1.0, "1.00"), (NEVER, "–")]
)
def test_a_threshold_is_told_so_that_it_keeps_what_it_kept(score, told):
    assert score_told(score) == told


def test_calibration_by_hand():
    # Seven detections in seven bins, true at 0.9 and 0.3 alone: gaps of 0.1, 0.8, 0.7, 0.6, 0.5,
    # 0.4 and 0.7; those of the true ones are promises that are kept more than they say.
    found = calibration(records())
    assert found.counts.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1]
    assert found.shares[2:].tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert found.scores[2:].tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert np.isnan(found.shares[:2]).all()
    assert found.error == pytest.approx(3.8 / 7)
    assert found.bias == pytest.approx((0.4 + 0.5 + 0.6 + 0.7 + 0.8 - 0.1 - 0.7) / 7)


def test_detections_below_a_tenth_and_none_at_all_say_nothing_of_calibration():
    found = calibration(records([(1, 1, A1, 0.09), (1, 1, A2, 0.1)]))
    assert found.counts.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert found.error == pytest.approx(0.9)
    assert math.isnan(calibration(records([])).error)
