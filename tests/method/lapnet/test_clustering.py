"""Per-class anchors against hand calculation and properties of k-means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from method.lapnet.clustering import centred_iou, cluster_sides

SIDES = arrays(np.float64, st.tuples(st.integers(1, 40), st.just(2)), elements=st.floats(1, 500))


def test_iou_of_boxes_with_one_centre():
    # 10x20 and 20x10 share 10x10 of 300; 10x20 lies whole in 40x20.
    found = centred_iou(np.array([[10.0, 20]]), np.array([[20.0, 10], [40, 20], [10, 20]]))
    np.testing.assert_allclose(found, [[1 / 3, 1 / 4, 1]])


def test_two_groups_give_their_means():
    sides = np.array([[10.0, 10], [12, 10], [11, 13], [100, 50], [110, 54]])
    found = cluster_sides(sides, 2, seed=0)
    np.testing.assert_allclose(found.sides, [[11, 11], [105, 52]])
    ious = [100 / 121, 110 / 131, 121 / 143, 5000 / 5460, 5460 / 5940]
    assert found.mean_iou == pytest.approx(np.mean(ious))


@given(SIDES, st.integers(1, 12), st.integers(0, 3))
def test_anchors_come_in_order_reach_a_mean_iou_and_follow_the_seed(sides, count, seed):
    found = cluster_sides(sides, count, seed)
    assert found.sides.shape == (count, 2)
    assert (np.diff(found.sides.prod(axis=1)) >= 0).all()
    assert found.sides.min() >= sides.min() - 1e-9
    assert found.sides.max() <= sides.max() + 1e-9
    assert 0 < found.mean_iou <= 1 + 1e-12
    np.testing.assert_array_equal(cluster_sides(sides, count, seed).sides, found.sides)


@given(SIDES)
def test_an_anchor_for_every_object_fits_perfectly(sides):
    distinct = np.unique(sides, axis=0)
    assert cluster_sides(distinct, len(distinct), seed=0).mean_iou == pytest.approx(1)


def test_a_class_without_objects_has_no_anchors():
    with pytest.raises(ValueError, match="without objects"):
        cluster_sides(np.zeros((0, 2)), 3, seed=0)
