"""Photographs taken beside one of another split are found by their names."""

from dataclasses import replace
from pathlib import Path

from pipelines.data.mosaic import mosaic
from pipelines.data.records import Category, CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource
from pipelines.own_data.inspection.kinds import Kind
from pipelines.own_data.inspection.shot_rules import neighbouring_shots


def source(*numbers, prefix="IMG_"):
    """Photographs of these numbers, which are not decoded."""
    images = tuple(
        ImageRecord(k, f"{prefix}{number:04d}.jpg", 8, 8) for k, number in enumerate(numbers, 1)
    )
    return FolderSource(CocoSplit(images, (Category(1, "one"),), ()), Path("nowhere"))


TRAIN = source(1, 2, 3, 50)


def test_neighbours_in_another_split_are_counted_and_named():
    (found,) = neighbouring_shots({"train": TRAIN, "test": source(6, 20, 52, 90)})
    assert (found.kind, found.split, found.count) == (Kind.NEIGHBOURING_SHOT, "train, test", 2)
    assert found.sentence.startswith(
        "2 of the 4 photographs of test were taken beside one of train, by their names "
        "(within 3 numbers or 10 seconds)"
    )
    assert [example.file_name for example in found.examples] == ["IMG_0006.jpg", "IMG_0052.jpg"]
    assert found.kind.serious


def test_shots_far_apart_and_a_data_set_s_own_numbers_are_not_suspected():
    assert neighbouring_shots({"train": TRAIN, "test": source(7, 20, 90)}) == []
    assert (
        neighbouring_shots({"train": source(1, 3, prefix=""), "test": source(2, 4, prefix="")})
        == []
    )


def test_of_mosaics_the_photographs_they_show_are_looked_at():
    pool = source(1, 2, 3, 4, 101, 102, 103, 104)
    first, second = ([0, 1, 2, 3], [4, 5, 6, 7])
    far = {"train": mosaic(pool, 4, first), "test": mosaic(pool, 4, second)}
    assert neighbouring_shots(far) == []
    near = {"train": mosaic(pool, 4, [0, 1, 4, 5]), "test": mosaic(pool, 4, [2, 3, 6, 7])}
    assert [found.count for found in neighbouring_shots(near)] == [4]
    assert neighbouring_shots({"train": replace(TRAIN), "val": TRAIN})[0].count == 4
