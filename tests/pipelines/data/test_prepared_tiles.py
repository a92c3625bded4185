"""Prepared tiles: what is trained on, and what is scored."""

import json

import numpy as np
import pytest
from PIL import Image

from pipelines.data.prepared import Photographs, load_prepared, prepare
from pipelines.data.records import Box
from pipelines.data.tiling import Tiling
from pipelines.system.errors import UserError
from tests.pipelines.data.noise import Noise
from tests.pipelines.data.photographs import photos


def cut(tmp_path):
    """Noise of 100x60 px with two objects, cut into tiles of 40 px that share 10."""
    boxes: list[tuple[int, Box, int]] = [
        (0, (5.0, 5.0, 20.0, 10.0), 0),
        (0, (33.0, 10.0, 20.0, 10.0), 0),
    ]
    sources = {name: photos([(100, 60)], boxes) for name in ("train", "test")}
    prepare(sources, tmp_path / "p", 40, tiling=Tiling(40, 0.25), progress=False)
    return sources["test"], tmp_path / "p"


def test_tiles_for_training_and_whole_photographs_to_score(tmp_path):
    source, folder = cut(tmp_path)
    test = load_prepared(folder, "test")
    assert test.photographs == Photographs(source.split, Tiling(40, 0.25))
    assert test.scored == source.split
    assert len(test.images) == 6
    assert np.array_equal(test.images[0], source.image(0)[:40, :40])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["tiles"] == {"size": 40, "overlap": 0.25}
    assert manifest["splits"]["test"]["photographs"] == 1
    assert "photographs" not in manifest["splits"]["train"]


def test_training_hides_what_is_less_than_half_visible_and_drops_most_empty_tiles(tmp_path):
    source, folder = cut(tmp_path)
    train = load_prepared(folder, "train")
    assert train.photographs is None
    assert train.scored == train.coco
    # Of the second object the first tile holds 7 of 20 px, the next, from x = 30, all of it.
    names = [image.file_name for image in train.coco.images]
    assert names[:2] == ["P0.png@0,0", "P0.png@30,0"]
    assert len(names) == 4, "two of four without an object stay"
    assert (train.images[0, 10:20, 33:40] == 127).all()
    assert np.array_equal(train.images[0, :, :33], source.image(0)[:40, :33])
    assert train.boxes(0).tolist() == [[5, 5, 25, 15]]
    assert train.boxes(1).tolist() == [[3, 10, 23, 20]]


def test_whole_photographs_that_were_changed_are_refused(tmp_path):
    _, folder = cut(tmp_path)
    (folder / "test-photographs.json").write_text("{}")
    with pytest.raises(UserError, match=r"test-photographs\.json: has another checksum"):
        load_prepared(folder, "test")
    (folder / "test-photographs.json").unlink()
    with pytest.raises(UserError, match="cannot read the split 'test'"):
        load_prepared(folder, "test")


def test_a_folder_of_tiles_is_replaced_like_any_other(tmp_path):
    _, folder = cut(tmp_path)
    prepare({"train": Noise(), "test": Noise()}, folder, 16, progress=False)
    assert not (folder / "test-photographs.json").exists()
    assert load_prepared(folder, "test").photographs is None


def test_tiles_of_another_size_are_scaled_to_the_input(tmp_path):
    sources = {"test": photos([(100, 60)], [(0, (33.0, 10.0, 20.0, 10.0), 0)])}
    prepare(sources, tmp_path / "p", 20, tiling=Tiling(40, 0.25), progress=False)
    test = load_prepared(tmp_path / "p", "test")
    tile = Image.fromarray(sources["test"].image(0)[:40, 30:70])
    assert np.array_equal(
        test.images[1], np.asarray(tile.resize((20, 20), Image.Resampling.BILINEAR))
    )
    assert test.boxes(1).tolist() == [[1.5, 5, 11.5, 10]]
    assert test.to_image_frame(1, test.boxes(1)).tolist() == [[3, 10, 23, 20]]
