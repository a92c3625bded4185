"""Small-sample figures against closed forms, tables of power, and simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipelines.evaluation.small_samples import (
    best_of,
    median_interval,
    ratio_interval,
    seeds_needed,
    smallest_difference,
    spread_ratio,
    t_interval,
    welch_interval,
)


def test_student_s_interval_of_three_values():
    # mean 2, deviation 1, t(2) = 4.3027: half-width 4.3027 / sqrt(3)
    interval = t_interval([1, 2, 3])
    assert (interval.low, interval.high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)


def test_one_value_has_no_bounds():
    assert (t_interval([5]).low, t_interval([5]).high) == (-math.inf, math.inf)


def test_student_s_interval_covers_at_its_rate():
    draws = np.random.default_rng(0).normal(7, 2, (4000, 3))
    intervals = [t_interval(row) for row in draws]
    covered = np.mean([i.low <= 7 <= i.high for i in intervals])
    assert covered == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 1), (9, 2), (10, 2), (20, 6), (50, 18)])
def test_the_median_s_interval_lies_between_the_ranks_of_the_sign_test(n, k):
    # One above the sign test's two-sided 5 % points, as tables print them: 0, 0, 1, 1, 5, 17.
    interval = median_interval(np.random.default_rng(n).permutation(n) + 1.0)
    assert (interval.low, interval.high) == (k, n + 1 - k)
    assert interval.estimate == (n + 1) / 2


def test_five_values_bound_no_median():
    interval = median_interval([3, 1, 2, 5, 4])
    assert (interval.estimate, interval.low, interval.high) == (3, -math.inf, math.inf)


def test_the_median_s_interval_covers_a_skewed_distribution_s():
    draws = np.random.default_rng(1).exponential(1, (4000, 20))
    intervals = [median_interval(row) for row in draws]
    covered = np.mean([i.low <= math.log(2) <= i.high for i in intervals])
    # 1 - 2 * P(Binomial(20, 1/2) < 6) = 0.9586
    assert covered == pytest.approx(0.9586, abs=0.01)


def test_the_ratio_of_spreads_covers_at_its_rate():
    generator = np.random.default_rng(1)
    values, reference = generator.normal(0, 3, (2000, 4)), generator.normal(0, 2, (2000, 5))
    intervals = [
        spread_ratio(a.tolist(), b.tolist()) for a, b in zip(values, reference, strict=True)
    ]
    covered = np.mean([i.low <= 1.5 <= i.high for i in intervals])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_the_paper_s_own_fifteen_runs_cannot_tell_the_spreads_apart():
    # F(0.975; 14, 14) = 2.9786
    interval = ratio_interval(1.5 / 1.9, 15, 15)
    assert interval.low == pytest.approx(1.5 / 1.9 / math.sqrt(2.9786), abs=1e-4)
    assert interval.low < 1 < interval.high


def test_spreads_need_two_values_and_a_reference_that_varies():
    for values, reference in (([1.0], [1.0, 2.0]), ([1.0, 2.0], [3.0, 3.0])):
        with pytest.raises(ValueError, match="two values"):
            spread_ratio(values, reference)


def test_welch_s_interval_agrees_with_scipy_s_test():
    one, other = [1.0, 4.0, 5.0, 9.0], [2.0, 2.5, 3.5]
    deviations = [float(np.std(values, ddof=1)) for values in (one, other)]
    interval = welch_interval(4.75, deviations[0], 4, 8 / 3, deviations[1], 3)
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("effect", "n"), [(0.5, 34), (0.8, 15), (1.0, 10), (1.5, 6)])
def test_seeds_needed_are_those_of_published_tables_of_power(effect, n):
    # Paired t-test, power 0.8, two-sided 0.05 (for example G*Power's tables).
    assert seeds_needed(effect, 1.0) == n
    assert seeds_needed(-2 * effect, 2.0) == n


@settings(max_examples=25)
@given(st.integers(2, 60), st.floats(0.1, 20))
def test_the_smallest_difference_is_shown_by_so_many_seeds_and_not_by_fewer(n, deviation):
    smallest = smallest_difference(n, deviation)
    assert seeds_needed(smallest * 1.0001, deviation) == n
    assert seeds_needed(smallest * 0.9999, deviation) == n + 1


def test_the_smallest_difference_has_the_power_that_it_says():
    difference = smallest_difference(5, 2.0, power=0.8)
    draws = np.random.default_rng(2).normal(difference, 2, (6000, 5))
    shown = stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05
    assert shown.mean() == pytest.approx(0.8, abs=0.02)


def test_a_single_seed_shows_nothing_and_zero_is_never_shown():
    assert smallest_difference(1, 1.0) == math.inf
    with pytest.raises(ValueError, match="zero"):
        seeds_needed(0, 1.0)


def test_the_best_of_n_is_the_mean_of_all_draws_largest():
    values = [3.0, 8.0, 5.0, 5.5]
    for n in (1, 2, 3):
        draws = [max(draw) for draw in itertools.product(values, repeat=n)]
        assert best_of(values, n) == pytest.approx(np.mean(draws))


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=8), st.integers(1, 20))
def test_the_best_of_n_lies_between_the_mean_and_the_largest(values, n):
    assert np.mean(values) - 1e-9 <= best_of(values, n) <= max(values) + 1e-9
