"""A folder's splits are joined and divided anew."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipelines.data.bursts import neighbours
from pipelines.data.dataset_spec import DatasetSpec, Fold
from pipelines.data.folded import folded, joined, whole
from pipelines.data.formats.folders import open_folder
from pipelines.data.mosaic import MosaicSource, photographs
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.registry import open_dataset
from pipelines.own_data.inspection.shot_rules import neighbouring_shots
from pipelines.system.errors import UserError

SPLITS = {"train": range(40), "test": range(40, 50)}
FOLDS = list(Fold)[1:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fifty photographs in ten chains of five, in COCO form; five chains reach over the splits."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "annotations").mkdir()
    generator = np.random.default_rng(0)
    numbers: dict[str, list[int]] = {"train": [], "test": []}
    for chain in range(10):
        for shot in range(5):
            name = "test" if shot == 4 and chain % 2 else "train"
            numbers[name].append(100 * chain + shot)
    for split, own in numbers.items():
        images, annotations = [], []
        (folder / "images" / split).mkdir(parents=True)
        for k, number in enumerate(own, start=1):
            name = f"IMG_{number:04d}.png"
            pixels = generator.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "images" / split / name)
            images.append({"id": k, "file_name": name, "width": 16, "height": 16})
            annotations.append(
                {
                    "id": k,
                    "image_id": k,
                    "category_id": 7,
                    "bbox": [2, 2, 6, 6],
                    "area": 36,
                    "iscrowd": 0,
                }
            )
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 7, "name": "fruit"}],
        }
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return folder


def names_of(source):
    return [path.name for path, _ in photographs(source)]


def opened(folder, fold):
    return open_dataset(DatasetSpec(str(folder), fold=fold), report=lambda _: None)


def test_its_own_splits_have_neighbours_and_its_folds_have_none(folder):
    own = neighbouring_shots(opened(folder, Fold.PUBLISHED))
    of_test = [found for found in own if found.split == "train, test"]
    assert [found.count for found in of_test] == [5]
    for fold in FOLDS:
        sources = opened(folder, fold)
        held_out = names_of(sources["val"]) + names_of(sources["test"])
        assert neighbours(names_of(sources["train"]), held_out) == []


def test_every_photograph_of_either_split_is_tested_once(folder):
    tested = [name for fold in FOLDS for name in names_of(opened(folder, fold)["test"])]
    assert len(tested) == len(set(tested)) == 50


def test_boxes_go_with_their_photographs(folder):
    split = joined(list(opened(folder, Fold.PUBLISHED).values())).split
    assert [image.id for image in split.images] == list(range(1, 51))
    assert [len(own) for own in split.annotations_by_image()] == [1] * 50


def test_bursts_are_kept_with_the_prepared_images(folder, tmp_path):
    sources = opened(folder, Fold.SECOND)
    prepare(sources, tmp_path / "prepared", 16, progress=False)
    test = load_prepared(tmp_path / "prepared", "test")
    bursts = [image.burst for image in test.coco.images]
    assert bursts == [image.burst for image in sources["test"].split.images]
    assert None not in bursts
    chains = [int(image.file_name[-8:-6]) for image in test.coco.images]
    assert len(set(zip(chains, bursts, strict=True))) == len(set(bursts))


def test_mosaics_hold_one_stretch_each_and_are_tested_once(folder):
    spec = DatasetSpec(str(folder), tile=8)
    own = open_folder(folder, whole(spec), report=lambda _: None)
    said: list[str] = []
    tested: list[str] = []
    for fold in FOLDS:
        sources = folded(own, replace(spec, fold=fold), 1, said.append)
        for source in sources.values():
            assert isinstance(source, MosaicSource)
            assert [source.image(0).shape, source.tile] == [(16, 16, 3), 8]
            assert len(source.split.images) == len(source.groups)
        assert neighbours(names_of(sources["train"]), names_of(sources["test"])) == []
        tested += names_of(sources["test"])
    # Ten chains of five: a mosaic each, and two of the ten photographs that are over; two are left
    assert len(tested) == len(set(tested)) == 48
    assert said.count("2 photographs make up no whole mosaic, in any fold") == len(FOLDS)


@pytest.mark.parametrize("name", ["scenes", "aerial", "voc"])
def test_data_without_photographs_of_one_s_own_have_no_folds(name):
    with pytest.raises(UserError, match=f"fold: {name} is tested on its own split alone"):
        open_dataset(DatasetSpec(name, fold=Fold.FIRST))
