"""Which photographs were taken one after the other, by their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.bursts import (
    NUMBERS,
    SECONDS,
    bursts,
    cut,
    in_order,
    neighbours,
    shot,
    stretches,
)


@pytest.mark.parametrize(
    ("name", "place", "reach"),
    [
        ("IMG_0983.jpg", 983, NUMBERS),
        ("train/DSC00012.JPG", 12, NUMBERS),
        ("frame-7.png", 7, NUMBERS),
        ("IMG_0983_jpg.rf.3f2a9b1c77.jpg", 983, NUMBERS),
        ("IMG_19700101_000130.jpg", 90, SECONDS),
        ("PXL_19700102_000001123.jpg", 86401, SECONDS),
        ("19700101-000130.png", 90, SECONDS),
        ("IMG_19700101_000130_2.jpg", 90, SECONDS),
        ("IMG_19701399_990000.jpg", 990000, NUMBERS),
    ],
)
def test_what_a_name_tells(name, place, reach):
    found = shot(name)
    assert found is not None
    assert (found.place, found.reach) == (place, reach)


@pytest.mark.parametrize("name", ["000000000139.jpg", "2007_000027.jpg", "tomato.jpg", "1.png"])
def test_a_data_set_s_own_numbers_and_no_numbers_tell_nothing(name):
    assert shot(name) is None


def test_shots_of_other_series_are_no_neighbours():
    assert (
        neighbours(["a/IMG_1.jpg"], ["b/IMG_1.jpg", "a/DSC_1.jpg", "IMG_19700101_000001.jpg"]) == []
    )
    assert neighbours(["a/IMG_1.jpg", "a/IMG_9.jpg"], ["a/IMG_4.jpg"]) == [0]


def test_chains_join_up_to_the_reach_and_not_beyond():
    names = ["IMG_9.jpg", "IMG_1.jpg", "one.jpg", "IMG_4.jpg", "IMG_13.jpg", "IMG_7.jpg"]
    assert bursts(names) == [[1, 3, 5, 0], [4], [2]]


numbers = st.lists(st.integers(0, 60), max_size=20)


@given(numbers, numbers)
def test_neighbours_are_those_that_all_pairs_show(own, others):
    names, of_others = ([f"IMG_{n}.jpg" for n in part] for part in (own, others))
    expected = [k for k, n in enumerate(own) if any(abs(n - m) <= NUMBERS for m in others)]
    assert neighbours(names, of_others) == expected


@given(st.lists(st.integers(0, 200), unique=True, max_size=40))
def test_bursts_hold_every_photograph_once_and_neighbours_together(places):
    names = [f"IMG_{n}.jpg" for n in places]
    found = bursts(names)
    assert sorted(k for burst in found for k in burst) == list(range(len(names)))
    for burst in found:
        others = [names[k] for k in range(len(names)) if k not in burst]
        assert neighbours([names[k] for k in burst], others) == []


@given(st.lists(st.integers(0, 200), unique=True, max_size=40), st.integers(1, 8))
def test_stretches_are_bursts_cut_to_a_length(places, most):
    names = [f"IMG_{n}.jpg" for n in places]
    found = stretches(names, most)
    assert sorted(k for own in found for k in own) == list(range(len(names)))
    of_burst = {k: number for number, burst in enumerate(bursts(names)) for k in burst}
    assert all(len({of_burst[k] for k in own}) == 1 for own in found)
    whole = [burst for burst in bursts(names) if len(burst) <= most]
    assert all(burst in found for burst in whole)


@given(
    st.lists(st.integers(0, 500), unique=True, min_size=1, max_size=40),
    st.integers(1, 6),
    st.data(),
)
def test_parts_of_a_chain_follow_one_another(places, parts, data):
    names = [f"IMG_{n}.jpg" for n in sorted(places)]
    weights = [data.draw(st.floats(0, 50)) for _ in names]
    found = cut(names, weights, parts)
    assert [k for part in found for k in part] == list(range(len(names)))
    assert len(found) <= parts
    assert all(found)


def test_a_chain_is_cut_at_the_widest_gap_near_its_middle():
    names = [f"IMG_{n}.jpg" for n in (1, 2, 3, 4, 7, 8, 9, 10)]
    assert cut(names, [1] * 8, 2) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    names = [f"IMG_{n}.jpg" for n in (1, 2, 3, 6, 7, 8, 9, 10)]
    assert cut(names, [1] * 8, 2) == [[0, 1, 2], [3, 4, 5, 6, 7]]


def test_names_that_tell_nothing_stand_last():
    assert in_order(["x.jpg", "IMG_2.jpg", "IMG_1.jpg"]) == [2, 1, 0]
