"""The built-in data sets."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.data.drawn import aerial, scenes
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.registry import AerialSpec, DatasetSpec, ScenesSpec, open_dataset
from tests.pipelines.data.opened import sizes

FEW = DatasetSpec(
    "scenes",
    scenes=ScenesSpec(train=3, val=1, test=2, size=128),
    aerial=AerialSpec(train=3, val=1, test=2, size=128),
)


@pytest.mark.parametrize(
    ("spec", "counts", "size"),
    [(ScenesSpec(), (96, 16, 48), 512), (AerialSpec(), (192, 24, 48), 256)],
)
def test_drawn_data_have_their_default_counts(spec, counts, size):
    assert tuple(spec.counts.values()) == counts
    assert spec.size == size


@pytest.mark.parametrize(
    ("name", "draw", "class_names"),
    [
        ("scenes", scenes.draw_scene, scenes.CLASSES),
        ("aerial", aerial.draw_aerial, aerial.CLASSES),
    ],
)
def test_drawn_data_are_those_of_their_generator(tmp_path, name, draw, class_names):
    sources = open_dataset(replace(FEW, name=name))
    assert list(sources) == ["train", "val", "test"]
    assert sizes(sources) == {"train": 3, "val": 1, "test": 2}
    for split_name, first in (("train", 0), ("val", 1_000_000), ("test", 2_000_000)):
        split = sources[split_name].split
        assert [(c.id, c.name) for c in split.categories] == list(enumerate(class_names, start=1))
        for index, found in enumerate(split.annotations_by_image()):
            scene = draw(0, first + index, 128)
            assert np.array_equal(sources[split_name].image(index), scene.image)
            assert [a.bbox for a in found] == [tuple(box) for box in scene.boxes.tolist()]
            assert [a.category_id - 1 for a in found] == scene.classes.tolist()
    prepare(sources, tmp_path / "p", 128, progress=False)
    assert load_prepared(tmp_path / "p", "test").class_names == class_names


def test_the_aerial_pictures_of_a_split_do_not_depend_on_the_number_of_the_others():
    few = open_dataset(replace(FEW, name="aerial"))["test"]
    more = AerialSpec(train=5, val=4, test=2, size=128)
    again = open_dataset(DatasetSpec("aerial", aerial=more))["test"]
    assert again.split == few.split
    assert all(np.array_equal(again.image(k), few.image(k)) for k in range(2))


def test_a_scene_is_drawn_once(monkeypatch):
    drawn = []

    def counting(seed, index, size):
        drawn.append(index)
        return draw_scene(seed, index, size)

    draw_scene = scenes.draw_scene
    monkeypatch.setattr("pipelines.data.drawn.scenes.draw_scene", counting)
    train = open_dataset(FEW)["train"]
    assert drawn == []
    for _ in range(2):
        assert len(train.split.images) == 3
        assert train.image(2).shape == (128, 128, 3)
    assert drawn == [0, 1, 2]
