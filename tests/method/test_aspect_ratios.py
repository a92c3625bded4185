"""The sets of aspect ratios that are tried, for objects of known shapes."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from method.aspect_ratios import SPREADS, SQUARE, candidate_ratios


def boxes_of(ratios):
    """Boxes of height 20 and these ratios of width to height."""
    ratios = torch.tensor(ratios)
    corner = torch.arange(len(ratios))[:, None].expand(-1, 2) * 1.0
    return torch.cat([corner, corner + 20 * torch.stack([ratios, ratios * 0 + 1], dim=1)], dim=1)


def test_squares_need_nothing_but_the_square():
    assert candidate_ratios(boxes_of([1.0, 1.0, 1.04, 0.97])) == [SQUARE]


def test_one_shape_is_tried_alone_beside_the_square_and_both_ways():
    sets = candidate_ratios(boxes_of([2.0] * 9))
    assert sets == [(1.0,), (2.0,), (0.5, 2.0), (0.5, 1.0, 2.0)]


def test_a_small_group_has_its_own_ratio():
    # Nine in ten lie, the tenth stand.
    assert (0.33, 2.0) in candidate_ratios(boxes_of([2.0] * 18 + [1 / 3] * 2))


def test_three_groups_have_three_ratios():
    assert (0.33, 1.0, 2.5) in candidate_ratios(boxes_of([1 / 3] * 5 + [1.0] * 5 + [2.5] * 5))


def test_objects_of_next_to_no_height_count_as_ten_times_as_wide():
    sets = candidate_ratios(boxes_of([2000.0] * 5))
    assert (10.0,) in sets
    assert all(0.1 <= ratio <= 10 for ratios in sets for ratio in ratios)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_sets_are_few_small_and_led_by_the_square(ratios):
    sets = candidate_ratios(boxes_of(ratios))
    assert sets[0] == SQUARE
    assert len(sets) == len(set(sets)) <= 10
    assert [len(s) for s in sets] == sorted(len(s) for s in sets)
    assert all(1 <= len(s) <= 3 and list(s) == sorted(set(s)) for s in sets)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=30))
def test_pairs_serve_objects_either_way(ratios):
    """Of the longer side over the shorter at each percentile, on a logarithmic scale."""
    logs = np.abs(np.log(np.array(ratios, np.float64)))
    for own in (ratios, [1 / ratio for ratio in ratios]):
        found = candidate_ratios(boxes_of(own))
        for longer in np.exp(np.percentile(logs, SPREADS)):
            alike = [ratio for *_, ratio in found if abs(ratio - longer) < 0.06]
            assert any((round(1 / ratio, 2), ratio) in found or ratio == 1 for ratio in alike)
