"""Intervals against closed forms, and that they cover as often as they say."""

import math

import numpy as np
import pandas as pd
import pytest

from pipelines.evaluation.bootstrap import RunSamples, burst_weights, image_weights
from pipelines.evaluation.intervals import (
    Spread,
    average_seeds,
    describe_difference,
    difference_row,
    mean_interval,
    pooled_spread,
    probability_better,
    seed_differences,
    widened_difference,
)


def samples(point, replicates):
    return RunSamples({"AP": point}, {"AP": np.asarray(replicates, float)})


def test_what_two_rows_share_cancels_out():
    shared = np.random.default_rng(0).normal(40, 5, 1000)
    row = {0: samples(43.0, shared + 3), 1: samples(44.0, shared + 4)}
    reference = {1: samples(40.0, shared), 0: samples(40.0, shared), 2: samples(0.0, shared - 40)}
    difference = widened_difference(row, reference, "AP")
    assert difference is not None
    assert difference.estimate == pytest.approx(3.5)
    # Only 3 and 4 differ, by a standard error of a half: t(1) = 12.7062.
    assert difference.high - 3.5 == pytest.approx(12.7062 / 2, abs=1e-4)
    assert 3.5 - difference.low == pytest.approx(12.7062 / 2, abs=1e-4)


def test_a_difference_of_differences_has_the_interval_of_its_own_values():
    images = np.random.default_rng(3).normal(0, 2, 1000)
    plain = {seed: samples(40.0, 40 + images) for seed in range(3)}
    first = {seed: samples(45.0 + seed, 45 + seed + images) for seed in range(3)}
    second = {seed: samples(41.0, 41 + images) for seed in range(3)}
    ours = widened_difference(difference_row(first, plain), difference_row(second, plain), "AP")
    assert ours is not None
    # 4, 5 and 6: t(2) = 4.3027 times a standard error of 1 / sqrt(3)
    assert ours.estimate == pytest.approx(5)
    assert ours.high - 5 == pytest.approx(4.3027 / math.sqrt(3), abs=1e-3)
    assert difference_row(first, {7: samples(0.0, images)}) == {}


def test_one_seed_s_interval_is_that_of_the_images():
    noise = np.random.default_rng(1).normal(0, 2, 100_000)
    difference = widened_difference(
        {0: samples(1.0, 1 + noise)}, {0: samples(0.0, 0 * noise)}, "AP"
    )
    assert difference is not None
    # 1 ± 1.96 · 2
    assert (difference.low, difference.high) == pytest.approx((-2.92, 4.92), abs=0.05)


def test_rows_without_a_common_seed_are_not_compared():
    row, reference = {0: samples(1.0, [1.0])}, {1: samples(1.0, [1.0])}
    assert describe_difference(widened_difference(row, reference, "AP")) == "—"


def test_one_value_has_no_spread():
    assert average_seeds([12.34]) == "12.3"
    assert average_seeds([1.0, 3.0]) == "2.0 ± 1.4"


def test_the_difference_is_written_with_its_interval():
    frame = pd.Series([0.0])
    difference = widened_difference(
        {0: samples(4.25, frame + 4.25)}, {0: samples(0.0, frame)}, "AP"
    )
    assert describe_difference(difference) == "+4.2 [+4.2, +4.2]"


def two_rows(generator, seeds, spread, weights):
    """A row and its reference of equal worth, on images of unequal difficulty, by lucky seeds."""
    images = weights.shape[1]
    gains = generator.normal(0, 1, images) + generator.normal(0, spread, (seeds, 1))
    gains += generator.normal(0, 0.5, (seeds, images))
    row = {s: samples(own.mean(), weights @ own / images) for s, own in enumerate(gains)}
    return row, {s: samples(0.0, np.zeros(len(weights))) for s in range(seeds)}


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.5), (5, 0.5), (5, 0.15), (15, 0.5)])
def test_the_widened_interval_covers_at_its_nominal_rate(seeds, spread):
    generator, weights = np.random.default_rng(seeds), image_weights(40, 200)
    pairs = [two_rows(generator, seeds, spread, weights) for _ in range(400)]
    intervals = [widened_difference(row, reference, "AP") for row, reference in pairs]
    covered = np.mean([i is not None and i.low <= 0 <= i.high for i in intervals])
    # Three standard errors of 400 trials.
    assert covered == pytest.approx(0.95, abs=0.033)


def test_percentiles_of_one_seed_cover_what_images_alone_decide():
    weights = image_weights(100)
    covered = 0
    for gains in np.random.default_rng(7).normal(0, 1, (600, 100)):
        row = {0: samples(gains.mean(), weights @ gains / 100)}
        interval = widened_difference(row, {0: samples(0.0, np.zeros(len(weights)))}, "AP")
        covered += interval is not None and interval.low <= 0 <= interval.high
    assert covered / 600 == pytest.approx(0.95, abs=0.03)


def test_one_seed_s_percentiles_miss_the_spread_between_seeds():
    generator, weights = np.random.default_rng(3), image_weights(40, 200)
    pairs = [two_rows(generator, 1, 0.5, weights) for _ in range(400)]
    intervals = [widened_difference(row, reference, "AP") for row, reference in pairs]
    assert np.mean([i is not None and i.low <= 0 <= i.high for i in intervals]) < 0.75


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_row_s_mean_has_the_interval_of_its_difference_from_nothing(seeds):
    noise = np.random.default_rng(1).normal(0, 2, 500)
    row = {s: samples(1.0 + s, 1 + s + noise) for s in range(seeds)}
    nothing = {s: samples(0.0, 0 * noise) for s in range(seeds)}
    assert mean_interval(row, "AP") == widened_difference(row, nothing, "AP")
    assert mean_interval({}, "AP") is None


def test_without_noise_of_images_the_widened_interval_is_student_s():
    flat = np.zeros(100)
    row = {s: samples(v, flat + v) for s, v in enumerate((1.0, 2.0, 3.0))}
    reference = {s: samples(0.0, flat) for s in range(3)}
    interval = widened_difference(row, reference, "AP")
    assert interval is not None
    # t(2) = 4.3027, over sqrt(3)
    assert (interval.low, interval.high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)


def test_the_probability_of_being_better_is_the_normal_distribution_s():
    noise = np.random.default_rng(5).normal(0, 2, 100_000)
    row, reference = {0: samples(1.0, 1 + noise)}, {0: samples(0.0, 0 * noise)}
    # Φ(1 / 2) = 0.6915
    assert probability_better(row, reference, "AP") == pytest.approx(0.6915, abs=0.005)
    assert probability_better(reference, reference, "AP") == 0.5
    assert probability_better(row, {1: reference[0]}, "AP") is None


def test_differences_are_taken_seed_by_seed():
    row = {2: samples(5.0, [0.0]), 0: samples(1.0, [0.0])}
    reference = {0: samples(4.0, [0.0]), 2: samples(3.0, [0.0]), 1: samples(9.0, [0.0])}
    assert seed_differences(row, reference, "AP").tolist() == [-3, 2]


def test_the_pooled_spread_by_hand():
    # Squares around the means: 2 of (1, 3) and 2 of (4, 6, 5); three degrees of freedom.
    spread = pooled_spread([[1, 3], [9], [4, 6, 5]])
    assert spread is not None
    assert spread.deviation == pytest.approx(math.sqrt(4 / 3))
    assert spread.freedom == 3
    assert spread.of_difference.deviation == pytest.approx(math.sqrt(8 / 3))
    assert pooled_spread([[1], [2]]) is None


def test_one_seed_borrows_the_spread_of_the_rows_with_several():
    flat = np.zeros(100)
    row, reference = {0: samples(5.0, flat + 5)}, {0: samples(0.0, flat)}
    interval = widened_difference(row, reference, "AP", Spread(1.0, 4))
    assert interval is not None
    # t of 4 degrees of freedom, 2.776, times the square root of 2.
    assert interval.high - 5 == pytest.approx(2.776 * math.sqrt(2), abs=1e-3)
    assert interval.low == pytest.approx(10 - interval.high)


def test_one_seed_with_borrowed_spread_covers_at_its_nominal_rate():
    generator, weights = np.random.default_rng(3), image_weights(40, 200)
    covered = 0
    for _ in range(400):
        row, reference = two_rows(generator, 1, 0.5, weights)
        # The spread of a difference is 0.5 here: that of a figure is less by the square root of 2.
        spread = Spread(float(generator.normal(0, 0.5 / math.sqrt(2), 9).std(ddof=1)), 8)
        interval = widened_difference(row, reference, "AP", spread)
        covered += interval is not None and interval.low <= 0 <= interval.high
    assert covered / 400 == pytest.approx(0.95, abs=0.033)


def test_two_seeds_share_the_pooled_spread_and_five_have_their_own():
    flat, spread = np.zeros(100), Spread(1.0, 4)
    reference = {s: samples(0.0, flat) for s in range(5)}
    two = widened_difference(
        {s: samples(v, flat + v) for s, v in enumerate((1.0, 9.0))}, reference, "AP", spread
    )
    assert two is not None
    assert two.high - two.estimate == pytest.approx(2.776, abs=1e-3)
    five = {s: samples(v, flat + v) for s, v in enumerate((1.0, 2.0, 3.0, 4.0, 5.0))}
    assert widened_difference(five, reference, "AP", spread) == widened_difference(
        five, reference, "AP"
    )


FOLDS, BURSTS, SHOTS = 5, 4, 5
"""As the folds of the study have them, about: four stretches of five mosaics."""


Row = dict[int, RunSamples]


def row_over_folds(
    generator: np.random.Generator, of_burst: float, of_image: float, of_seed: float
) -> tuple[Row, Row]:
    """A row worth as much as its reference, whose gain differs by burst, image and training."""
    row: Row = {}
    reference: Row = {}
    for fold in range(FOLDS):
        bursts = np.repeat(np.arange(BURSTS) + BURSTS * fold, SHOTS)
        gains = np.repeat(generator.normal(0, of_burst, BURSTS), SHOTS)
        gains = gains + generator.normal(0, of_image, len(bursts)) + generator.normal(0, of_seed)
        drawn = DRAWN[fold] @ gains / len(bursts)
        names = frozenset(bursts.tolist())
        row[fold] = RunSamples({"AP": gains.mean()}, {"AP": drawn}, names)
        reference[fold] = RunSamples({"AP": 0.0}, {"AP": np.zeros(len(drawn))}, names)
    return row, reference


DRAWN = [
    burst_weights(np.repeat(np.arange(BURSTS) + BURSTS * fold, SHOTS), 200) for fold in range(FOLDS)
]


@pytest.mark.parametrize(
    ("of_burst", "of_image", "of_seed"), [(1, 1, 0.5), (2, 0.5, 0.2), (0, 2, 1), (1, 1, 2)]
)
def test_an_interval_over_folds_covers_as_often_as_it_says(of_burst, of_image, of_seed):
    generator = np.random.default_rng(0)
    spread, covered, trials = 40, 0, 1500
    for _ in range(trials):
        pair = row_over_folds(generator, of_burst, of_image, of_seed)
        # As many rows with several seeds know it; that of a difference is √2 times as large
        known = of_seed * math.sqrt(generator.chisquare(spread) / spread / 2)
        interval = widened_difference(*pair, "AP", Spread(known, spread))
        assert interval is not None
        covered += interval.low <= 0 <= interval.high
    assert 0.93 <= covered / trials <= 0.97


def test_without_a_known_spread_folds_have_student_s_interval_of_their_own():
    pair = row_over_folds(np.random.default_rng(1), 1, 1, 1)
    gains = [pair[0][fold].point["AP"] for fold in range(FOLDS)]
    half = 2.776 * np.std(gains, ddof=1) / math.sqrt(FOLDS)  # t of 4 degrees of freedom
    interval = widened_difference(*pair, "AP")
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(
        (np.mean(gains) - half, np.mean(gains) + half), abs=1e-3
    )
