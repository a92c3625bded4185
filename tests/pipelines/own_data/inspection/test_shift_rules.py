"""Shifts between splits: the tests are scipy's where objects are independent, else more careful."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from pipelines.own_data.inspection.kinds import Kind
from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.shift_rules import compare_shares, compare_sizes
from pipelines.own_data.inspection.suspicions import suspicions

FIRST, SECOND = np.array([60, 30, 10]), np.array([40, 45, 25])


def one_object_an_image(totals):
    """Images×classes."""
    return np.repeat(np.eye(len(totals), dtype=np.int64), totals, axis=0)


def repeated(objects, times):
    """Every object as often in its image."""
    return replace(
        objects,
        ids=np.repeat(objects.ids, times),
        image=np.repeat(objects.image, times),
        label=np.repeat(objects.label, times),
        boxes=np.repeat(objects.boxes, times, axis=0),
    )


@pytest.fixture
def two_splits(clean):
    """One object an image, of sizes that differ a little between the two."""
    rng = np.random.default_rng(0)
    for name, scale in (("train", 1.0), ("test", 1.2)):
        sides = scale * np.exp(rng.normal(3, 0.4, 40))
        clean[name].objects = [(i, 0, (0.0, 0.0, s, s)) for i, s in enumerate(sides)]
    return [Objects.of(name, clean[name].split) for name in ("train", "test")]


def test_of_independent_objects_the_shares_are_compared_as_scipy_does():
    p, moved = compare_shares(one_object_an_image(FIRST), one_object_an_image(SECOND))
    assert p == pytest.approx(chi2_contingency([FIRST, SECOND], correction=False).pvalue)
    # 60, 30, 10 % against 36.4, 40.9, 22.7 %
    assert moved == pytest.approx(0.6 - 40 / 110)


@pytest.mark.parametrize("times", [2, 7])
def test_copies_in_the_same_image_make_no_difference_of_shares_surer(times):
    tables = one_object_an_image(FIRST), one_object_an_image(SECOND)
    alone = compare_shares(*tables)
    assert compare_shares(*(times * table for table in tables)) == pytest.approx(alone)


def test_of_independent_objects_the_sizes_are_compared_almost_as_scipy_does(two_splits):
    first, second = two_splits
    p, distance = compare_sizes(first, second)
    expected = ks_2samp(first.sizes, second.sizes)
    assert distance == expected.statistic
    assert p == pytest.approx(expected.pvalue, rel=0.25)


def test_copies_in_the_same_image_make_no_difference_of_sizes_surer(two_splits):
    copies = [repeated(own, 5) for own in two_splits]
    assert compare_sizes(*copies) == pytest.approx(compare_sizes(*two_splits))


def test_pears_of_one_image_are_no_shift_but_as_many_of_twenty_are(clean):
    apples = [(i, 0, (10.0, 10.0, 60.0, 50.0)) for i in range(40)]
    one = [(0, 1, (9.0 * n, 100.0, 60.0, 50.0)) for n in range(20)]
    twenty = [(n, 1, (9.0 * n, 100.0, 60.0, 50.0)) for n in range(20)]
    clean["train"].objects = apples + twenty[:1]
    clean["val"].objects, clean["test"].objects = apples + twenty, apples + one
    shifts = [s for s in suspicions(clean, input_size=200) if s.kind is Kind.CLASS_SHIFT]
    assert [s.split for s in shifts] == ["val"]
    # 20 of 60 are pears, 1 of 41 in train
    assert shifts[0].sentence.startswith("31 % of the objects would have to change class")


def test_splits_without_objects_or_with_one_class_are_compared_with_nothing(clean):
    clean["val"].objects = []
    for own in clean.values():
        own.names, own.objects = ("apple",), [o for o in own.objects if o[1] == 0]
    assert {s.kind for s in suspicions(clean, input_size=200)} == {Kind.EMPTY_IMAGE}
    clean["train"].objects = []
    found = {s.kind for s in suspicions(clean, input_size=200)}
    assert found == {Kind.EMPTY_IMAGE, Kind.UNTRAINED_CLASS}
