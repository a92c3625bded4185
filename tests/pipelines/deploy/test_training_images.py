"""What is hashed of a training is what a network sees of the same photographs later."""

import numpy as np
import pytest

from pipelines.data.cutting import network_images
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.tiling import Tiling
from pipelines.deploy.training_images import image_hashes, training_hashes
from pipelines.runs.spec import RunSpec
from tests.pipelines.own_coco import write_coco

RANDOM = np.random.default_rng(0)


def draw(height, width):
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_each_image_has_a_hash_and_one_of_a_single_colour_none():
    images = [draw(8, 8) for _ in range(3)]
    empty = np.full((8, 8, 3), (0, 9, 200), np.uint8)
    assert len(image_hashes([*images, images[0].copy(), empty])) == 3
    assert image_hashes([images[0]]) < image_hashes(images)


@pytest.mark.parametrize("tiling", [None, Tiling(64, 0.2), Tiling(40, 0.2)])
def test_a_prepared_photograph_is_recognised_and_another_is_not(tmp_path, tiling):
    write_coco(tmp_path / "own")
    sources = open_dataset(DatasetSpec(str(tmp_path / "own")), report=lambda line: None)
    prepare(sources, tmp_path / "data", 64, tiling=tiling, progress=False)
    known = image_hashes(load_prepared(tmp_path / "data", "train").images)
    for name, is_known in (("train", True), ("test", False)):
        source = sources[name]
        seen = [
            bool(known & image_hashes(network_images(source.image(index), 64, tiling)))
            for index in range(len(source.split.images))
        ]
        assert seen == [is_known] * len(seen)


def test_data_that_are_not_prepared_here_give_none_and_it_is_said(capsys):
    assert training_hashes(RunSpec(dataset="/no/such/folder")) == frozenset()
    assert "/no/such/folder is not prepared here: val will not reco" in capsys.readouterr().err
