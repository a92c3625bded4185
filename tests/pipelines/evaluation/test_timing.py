"""Figures of timings by hand, and how often a ratio's interval holds the true one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.timing import (
    ORIGINAL,
    Work,
    read_rounds,
    speed_ratio,
    summarise,
    write_rounds,
)
from pipelines.runs.spec import DetectorName, Precision

CUSTOM = DetectorName.SCALE_AWARE_SSD


def test_figures_of_hand_made_timings():
    timings = {
        Work(ORIGINAL, Precision.FP32, True): [10.0, 20.0, 30.0],
        Work(CUSTOM, Precision.FP32, True): [5.0, 20.0, 10.0],
        Work(ORIGINAL, Precision.BF16, True): [8.0, 8.0, 8.0],
        Work(CUSTOM, Precision.BF16, True): [4.0, 4.0, 2.0],
    }
    _, custom, _, custom_bf16 = summarise(timings).to_dict("records")
    # In order 5, 10, 20; the 95th percentile lies 0.9 of the way from 10 to 20.
    assert custom["median_ms"] == 10
    assert custom["p95_ms"] == pytest.approx(19)
    assert custom["frames_a_second"] == 100
    # Round by round 2, 1, 3: the median is 2, as it is of 20/10; the bf16 rounds 2, 2, 4.
    assert custom["ratio_to_original"] == 2
    assert custom_bf16["ratio_to_original"] == 2


def test_the_ratio_is_taken_round_by_round():
    original = [10.0, 100.0, 1000.0]
    timings = {
        Work(ORIGINAL, Precision.FP32, False): original,
        Work(CUSTOM, Precision.FP32, False): [1.0, 100.0, 500.0],
    }
    # Rounds 10, 1, 2; the ratio of the medians would be 1.
    assert summarise(timings)["ratio_to_original"].tolist() == [1, 2]


@given(st.lists(st.floats(0.1, 1e4), min_size=1, max_size=20), st.floats(0.1, 10))
def test_a_detector_that_takes_a_fixed_share_of_the_time_has_that_ratio(original, factor):
    timings = {
        Work(ORIGINAL, Precision.FP32, True): original,
        Work(CUSTOM, Precision.FP32, True): [taken / factor for taken in original],
    }
    assert summarise(timings)["ratio_to_original"].tolist() == pytest.approx([1, factor])


def test_a_ratio_of_six_rounds_lies_between_the_extremes():
    one, other = (Work(name, Precision.FP32, True) for name in "ab")
    timings = {one: [1, 1, 2, 1, 1, 4], other: [2, 3, 2, 5, 4, 3]}
    # Ratios 2, 3, 1, 5, 4, 0.75: median 2.5; 6 rounds keep all of them (2/64 lie outside).
    ratio = speed_ratio(timings, one, other)
    assert (ratio.estimate, ratio.low, ratio.high) == (2.5, 0.75, 5)
    reverse = speed_ratio(timings, other, one)
    assert (reverse.low, reverse.high) == pytest.approx((1 / 5, 1 / 0.75))


def test_other_work_on_the_machine_cancels_out():
    rng = np.random.default_rng(0)
    one, other = (Work(name, Precision.FP32, True) for name in "ab")
    covered = 0
    for _ in range(2000):
        load = rng.lognormal(0, 1, 10)
        own, its = load * rng.lognormal(0, 0.1, 10), 1.3 * load * rng.lognormal(0, 0.1, 10)
        ratio = speed_ratio({one: own.tolist(), other: its.tolist()}, one, other)
        covered += ratio.low <= 1.3 <= ratio.high
    # Ten rounds keep eight intervals of the binomial distribution's ten: 1 - 22/1024.
    assert covered / 2000 == pytest.approx(1 - 22 / 1024, abs=0.01)


def test_single_times_come_back_as_they_were(tmp_path):
    timings = {
        Work("a", Precision.FP32, True): [1.234, 20.0, 3.001],
        Work("a", Precision.BF16, False): [0.125, 7.0, 9.5],
        Work("b", Precision.FP32, False): [11.0, 12.0, 13.0],
    }
    write_rounds(timings, tmp_path / "rounds.csv")
    back = read_rounds(tmp_path / "rounds.csv")
    assert list(back.items()) == list(timings.items())
    assert all(isinstance(work.precision, Precision) for work in back)
