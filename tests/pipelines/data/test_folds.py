"""Every photograph is tested once, and none is trained on beside one that is held out."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.data.bursts import neighbours
from pipelines.data.folds import FOLDS, fold_split


def case(seed, photographs=120, chains=6):
    """Names in chains of numbered photographs, and boxes of three classes in each."""
    generator = np.random.default_rng(seed)
    chain = np.sort(generator.integers(0, chains, photographs))
    steps = generator.integers(1, 4, photographs).cumsum()
    names = [f"IMG_{1000 * c + n:05d}.jpg" for c, n in zip(chain, steps, strict=True)]
    return names, generator.poisson([5, 2, 1], (photographs, 3))


@given(st.integers(0, 10_000), st.sampled_from([1, 4]))
@example(984, 4)  # what follows the tested photographs are their neighbours alone
@settings(max_examples=15)
def test_folds_share_out_all_photographs_and_keep_neighbours_apart(seed, group_size):
    names, counts = case(seed)
    tested: list[int] = []
    for fold in range(FOLDS):
        split = fold_split(names, counts, fold, group_size=group_size)
        parts = {
            name: [p for group in getattr(split, name) for p in group]
            for name in ("train", "val", "test")
        }
        held_out = parts["val"] + parts["test"]
        assert parts["train"]
        assert parts["val"]
        assert not set(parts["train"]) & set(held_out)
        assert neighbours([names[p] for p in parts["train"]], [names[p] for p in held_out]) == []
        assert neighbours([names[p] for p in parts["val"]], [names[p] for p in parts["test"]]) == []
        held_back = len(names) - sum(map(len, parts.values()))
        assert held_back == split.buffered + split.left_over
        assert {len(g) for g in split.test} == {group_size}
        tested += parts["test"]
    assert len(tested) == len(set(tested)) == len(names) - split.left_over
    assert split.left_over < group_size


def test_folds_are_even_in_boxes_and_classes():
    names, counts = case(3, photographs=400, chains=5)
    share = counts.sum(axis=0) / FOLDS
    for fold in range(FOLDS):
        test = [p for g in fold_split(names, counts, fold).test for p in g]
        # The first deal that comes is off by 0.23
        assert np.abs(counts[test].sum(axis=0) / share - 1).max() < 0.1


def test_a_deal_depends_on_the_seed_alone():
    names, counts = case(1)
    first, again = (fold_split(names, counts, 2, seed=5) for _ in range(2))
    assert first == again
    assert any(fold_split(names, counts, 2, seed=s).test != first.test for s in (6, 7))


def test_images_of_one_stretch_share_its_number():
    names, counts = case(1)
    splits = [fold_split(names, counts, fold) for fold in range(FOLDS)]
    assert all(split.bursts == splits[0].bursts for split in splits)
    owners = {g: n for n, split in enumerate(splits) for g in split.test}
    for burst in set(splits[0].bursts.values()):
        assert len({owners[g] for g, b in splits[0].bursts.items() if b == burst}) == 1


def test_ten_photographs_of_one_moment_leave_nothing_to_train_on():
    names = [f"IMG_20200101_00000{second}.jpg" for second in range(10)]
    with pytest.raises(ValueError, match="nothing is left to train on"):
        fold_split(names, np.ones((10, 1), np.int64), 0, group_size=2)


def test_too_few_photographs_are_refused():
    with pytest.raises(ValueError, match="4 photographs are too few for 5 folds"):
        fold_split(["a.jpg", "b.jpg", "c.jpg", "d.jpg"], np.ones((4, 1), np.int64), 0)
