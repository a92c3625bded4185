"""Prepared images are packed and become the same bytes again, or are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.cluster.bundle.photographs import pack_photographs, unpack_photographs
from pipelines.cluster.bundle.pixels import pack_pixels, unpack_pixels
from pipelines.data.mosaic import mosaic
from pipelines.data.mosaic import photographs as photographs_in
from pipelines.data.prepared import prepare
from pipelines.data.records import Category, CocoSplit, ImageRecord
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.data.sources import FolderSource
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256

SIZE = 32


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 5), colours=st.integers(1, 256))
def test_pixels_of_any_kind_come_back(tmp_path_factory, seed, count, colours):
    folder = tmp_path_factory.mktemp("pixels")
    pixels = np.random.default_rng(seed).integers(0, colours, (count, SIZE, SIZE, 3), np.uint8)
    np.save(folder / "before.npy", pixels)
    pack_pixels(pixels, folder / "packed", progress=False)
    unpack_pixels(folder / "packed", folder / "after.npy", file_sha256(folder / "before.npy"))
    assert (folder / "after.npy").read_bytes() == (folder / "before.npy").read_bytes()


def test_other_pixels_are_refused_and_nothing_is_left(tmp_path):
    pack_pixels(np.zeros((1, SIZE, SIZE, 3), np.uint8), tmp_path / "packed", progress=False)
    with pytest.raises(UserError, match="do not become the prepared ones; make the bundle anew"):
        unpack_pixels(tmp_path / "packed", tmp_path / "after.npy", "0" * 64)
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]


@pytest.fixture
def photographs(tmp_path) -> FolderSource:
    """Five JPEG files of odd sizes."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "photographs"
    folder.mkdir()
    records = []
    for number in range(1, 6):
        height, width = (int(side) for side in generator.integers(40, 90, 2))
        coarse = generator.integers(0, 256, (5, 7, 3), np.uint8)
        image = Image.fromarray(coarse).resize((width, height))
        image.save(folder / f"photograph {number}.jpg", quality=85)
        records.append(ImageRecord(number, f"photograph {number}.jpg", width, height))
    return FolderSource(CocoSplit(tuple(records), (Category(1, "one"),), ()), folder)


@pytest.mark.parametrize("as_mosaic", [False, True])
def test_photographs_become_what_was_prepared_of_them(photographs, tmp_path, as_mosaic):
    source = photographs
    if as_mosaic:
        source = mosaic(photographs, SIZE // 2, [4, 2, 0, 1], report=lambda _: None)
    prepare({"train": source}, tmp_path / "prepared", SIZE, progress=False)
    before = tmp_path / "prepared/train-images.npy"
    recipe, store = tmp_path / "recipe.json", tmp_path / "store"
    for _ in range(2):  # a second split may hold the same
        pack_photographs(source, recipe, store)
    assert len(list(store.iterdir())) == (4 if as_mosaic else 5)
    after = tmp_path / "after.npy"
    unpack_photographs(recipe, store, after, SIZE, file_sha256(before))
    assert after.read_bytes() == before.read_bytes()
    after.unlink()
    with pytest.raises(UserError, match="make the bundle with --pixels"):
        unpack_photographs(recipe, store, after, SIZE, "0" * 64)
    assert not list(tmp_path.glob("*.npy"))


def test_drawn_images_have_no_photographs():
    drawn = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(train=1, val=1, test=1)))
    assert photographs_in(drawn["train"]) == []
