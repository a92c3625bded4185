"""Every rule of a verdict at and around its borders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.intervals import Interval
from pipelines.evidence.claims.verdicts import (
    Published,
    Verdict,
    judge_difference,
    judge_direction,
    judge_equality,
    judge_exactly,
    judge_frames,
    judge_no_worse,
    judge_speed,
    judge_value,
)

REPRODUCED, PARTLY, CONTRADICTED, INCONCLUSIVE, _ = Verdict


def between(low, high):
    return Interval((low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("published", "low", "high"),
    [
        (35, 34.5, 35.5),
        (34.8, 34.75, 34.85),
        (32.16, 32.155, 32.165),
        ([5, 7], 4.5, 7.5),
        ([-1, -2], -2.5, -0.5),
        ([1.5, 2.5], 1.45, 2.55),
    ],
)
def test_a_printed_figure_stands_for_all_that_rounds_to_it(published, low, high):
    parsed = Published.parse(published)
    assert (parsed.low, parsed.high) == pytest.approx((low, high))


def test_a_difference_carries_the_rounding_of_both_figures():
    whole, tenths = Published.difference(36, 35), Published.difference(34.8, 22.3)
    assert (whole.low, whole.high, whole.text) == (0, 2, "+1")
    assert (tenths.low, tenths.high) == pytest.approx((12.4, 12.6))
    assert tenths.text == "+12.5"
    assert Published.difference(35, 35).text == "0"


def test_a_ratio_carries_the_rounding_of_both_figures():
    ratio = Published.ratio(200, 153)
    assert (ratio.low, ratio.high) == pytest.approx((199.5 / 153.5, 200.5 / 152.5))
    assert ratio.text == "1.31"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (2.5, 6.0, REPRODUCED),  # contains 4
        (1.0, 5.1, PARTLY),  # contains it, but is wider than the difference itself
        (4.6, 6.0, PARTLY),  # beyond all that rounds to 4
        (4.4, 6.0, REPRODUCED),
        (0.1, 3.4, PARTLY),
        (-0.1, 9.0, INCONCLUSIVE),
        (0.0, 9.0, INCONCLUSIVE),
        (-9.0, -0.1, CONTRADICTED),
    ],
)
def test_a_difference_is_judged_by_side_and_size(low, high, verdict):
    published = Published.parse(4, signed=True)
    assert judge_difference(published, between(low, high)) is verdict
    mirrored = Published.parse(-4, signed=True)
    assert judge_difference(mirrored, between(-high, -low)) is verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-1.0, 1.0, REPRODUCED),
        (-1.1, 0.5, INCONCLUSIVE),
        (0.2, 1.5, INCONCLUSIVE),
        (1.1, 3.0, CONTRADICTED),
        (-3.0, -1.1, CONTRADICTED),
    ],
)
def test_a_published_zero_is_equality_within_a_point(low, high, verdict):
    assert judge_equality(between(low, high)) is verdict
    assert judge_difference(Published.difference(35, 35), between(low, high)) is verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-1.0, 9.0, REPRODUCED),
        (2.0, 9.0, REPRODUCED),
        (-1.1, 9.0, INCONCLUSIVE),
        (-9.0, -1.1, CONTRADICTED),
    ],
)
def test_no_worse_allows_a_point(low, high, verdict):
    assert judge_no_worse(between(low, high)) is verdict


def test_a_direction_has_no_size():
    assert judge_direction(-1, between(-90, -0.1)) is REPRODUCED
    assert judge_direction(1, between(-90, -0.1)) is CONTRADICTED
    assert judge_direction(1, between(-1, 3)) is INCONCLUSIVE


@given(st.floats(-20, 20), st.floats(0.01, 20), st.floats(-20, 20).filter(lambda x: abs(x) > 0.1))
def test_the_opposite_claim_never_has_the_same_sure_verdict(middle, half, published):
    ours = between(middle - half, middle + half)
    one, other = (judge_difference(Published(d, d, ""), ours) for d in (published, -published))
    sure = {REPRODUCED, PARTLY}
    assert (one in sure) + (other in sure) <= 1
    assert (one is INCONCLUSIVE) == (other is INCONCLUSIVE)


def test_one_seed_cannot_contradict_an_absolute_value():
    published = Published.parse(37.3)
    assert judge_value(published, between(36, 38), 1) is REPRODUCED
    assert judge_value(published, between(30, 36), 1) is INCONCLUSIVE
    assert judge_value(published, between(30, 36), 2) is CONTRADICTED


def test_arithmetic_must_round_to_what_is_printed():
    assert judge_exactly(Published.parse(9.6), 555 / 58) is REPRODUCED
    assert judge_exactly(Published.parse(2.4), 203 / 87) is CONTRADICTED
    assert judge_exactly(Published.parse(141), 139) is CONTRADICTED


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.25, 1.27, REPRODUCED),
        (1.15, 1.2, REPRODUCED),
        (1.1, 1.17, PARTLY),
        (1.5, 1.9, PARTLY),
        (0.98, 1.4, INCONCLUSIVE),
        (0.8, 0.97, CONTRADICTED),
    ],
)
def test_a_ratio_of_speeds_is_judged_by_side_and_a_tenth(low, high, verdict):
    # 200 against 153 in print: 1.300 to 1.315; a tenth below is 1.182, above 1.447.
    assert judge_speed(Published.ratio(200, 153), between(low, high)) is verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.96, 1.04, REPRODUCED),
        (0.96, 1.2, INCONCLUSIVE),
        (1.1, 1.2, CONTRADICTED),
        (0.6, 0.8, CONTRADICTED),
    ],
)
def test_equally_fast_is_within_a_twentieth(low, high, verdict):
    assert judge_speed(Published.ratio(153, 153), between(low, high)) is verdict


def test_frames_on_the_paper_s_device_are_right_to_a_tenth():
    assert judge_frames(Published.parse(200), 185) is REPRODUCED
    assert judge_frames(Published.parse(200), 260) is CONTRADICTED
