"""What is written of a source of images, and read again."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.data.mosaic import mosaic
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.data.sources import ImageSource
from pipelines.system.errors import UserError
from tests.pipelines.data.noise import Noise, everything_in


def test_files_and_manifest(tmp_path):
    source = Noise()
    folder = tmp_path / "new" / "prepared"
    prepare({"train": source, "test": Noise(1)}, folder, 16, progress=False)
    files = everything_in(folder)
    names = {"manifest.json", "train.json", "train-images.npy", "test.json", "test-images.npy"}
    assert set(files) == names
    assert os.listdir(folder.parent) == ["prepared"]
    assert json.loads(files["train.json"]) == source.split.to_coco()
    manifest = json.loads(files["manifest.json"])
    assert manifest["input_size"] == 16
    assert list(manifest["splits"]) == ["train", "test"]
    assert manifest["splits"]["train"] == {
        "images": 2,
        "boxes": 2,
        "crowd_regions": 1,
        "boxes_per_class": {"unripe": 1, "ripe": 1},
        "images_sha256": hashlib.sha256(files["train-images.npy"]).hexdigest(),
        "annotations_sha256": hashlib.sha256(files["train.json"]).hexdigest(),
    }


def test_pixels_are_the_stretched_images_each_decoded_once(tmp_path):
    source = Noise()
    prepare({"train": source}, tmp_path / "p", 16, progress=False)
    assert source.decoded == [1, 1]
    images = np.load(tmp_path / "p" / "train-images.npy")
    assert images.dtype == np.uint8
    assert images.shape == (2, 16, 16, 3)
    for index in (0, 1):
        stretched = Image.fromarray(source.image(index)).resize((16, 16), Image.Resampling.BILINEAR)
        assert np.array_equal(images[index], np.asarray(stretched))


def test_images_of_the_input_size_are_kept_to_the_bit(tmp_path):
    class Square(Noise):
        @property
        def split(self) -> CocoSplit:
            return CocoSplit((ImageRecord(1, "a.png", 16, 16),), (Category(1, "ripe"),), ())

    source = Square()
    prepare({"train": source}, tmp_path / "p", 16, progress=False)
    assert np.array_equal(load_prepared(tmp_path / "p", "train").images[0], source.image(0))


def test_the_same_sources_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        prepare({"train": Noise()}, tmp_path / name, 16, progress=False)
    assert everything_in(tmp_path / "one") == everything_in(tmp_path / "two")


def test_progress_bar_shows_the_time_left(tmp_path, capfd):
    prepare({"train": Noise()}, tmp_path / "p", 16)
    assert "train: 100%" in capfd.readouterr().err
    prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    assert capfd.readouterr().err == ""


# ---- reading


def test_boxes_and_labels_are_in_input_pixels_without_crowds(tmp_path):
    prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    split = load_prepared(tmp_path / "p", "train")
    assert split.input_size == 16
    assert split.class_names == ("unripe", "ripe")
    assert split.category_ids == (2, 7)
    assert split.coco == Noise().split
    boxes, labels = split.boxes(0), split.labels(0)
    assert boxes.dtype == np.float32
    assert boxes.tolist() == [[4, 4, 12, 12], [0, 0, 16, 16]]
    assert labels.dtype == np.int64
    assert labels.tolist() == [2, 1]
    assert split.boxes(1).shape == (0, 4)
    assert split.labels(1).shape == (0,)
    boxes[:] = -1
    assert split.boxes(0).tolist() == [[4, 4, 12, 12], [0, 0, 16, 16]]


def test_to_image_frame_undoes_the_stretching(tmp_path):
    prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    split = load_prepared(tmp_path / "p", "train")
    assert split.to_image_frame(0, split.boxes(0)).tolist() == [[10, 5, 30, 15], [0, 0, 40, 20]]
    assert split.to_image_frame(1, np.array([[8.0, 8, 16, 16]])).tolist() == [[10, 15, 20, 30]]
    assert split.to_image_frame(1, np.zeros((0, 4), np.float32)).shape == (0, 4)


def test_images_are_mapped_and_serve_torch_without_a_copy(tmp_path):
    prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    before = everything_in(tmp_path / "p")
    split = load_prepared(tmp_path / "p", "train")
    assert isinstance(split.images, np.memmap)
    batch = torch.from_numpy(split.images[0:2]).permute(0, 3, 1, 2)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    batch += 1
    assert everything_in(tmp_path / "p") == before


def move_away(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def cut_pixels(folder: Path) -> None:
    with (folder / "train-images.npy").open("r+b") as file:
        file.truncate(1000)


def other_pixels(folder: Path) -> None:
    np.save(folder / "train-images.npy", np.zeros((2, 8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (move_away, r"manifest\.json: not there"),
        (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json: not there"),
        (lambda folder: (folder / "manifest.json").write_text("{"), r"manifest\.json: cannot be"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "is no manifest of format"),
        (lambda folder: (folder / "train.json").unlink(), "cannot read the split 'train'"),
        (lambda folder: (folder / "train-images.npy").unlink(), "cannot read the split 'train'"),
        (cut_pixels, "cannot read the split 'train'"),
        (lambda folder: (folder / "train-images.npy").write_text(""), "cannot read the split"),
        (other_pixels, r"train-images\.npy: has another shape"),
        (lambda folder: (folder / "train.json").write_text("{}"), r"train\.json: has another chec"),
    ],
)
def test_incomplete_folder(tmp_path, spoil, words):
    prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    spoil(tmp_path / "p")
    with pytest.raises(UserError, match=words + ".*prepare the data set again") as caught:
        load_prepared(tmp_path / "p", "train")
    assert str(tmp_path / "p") in str(caught.value)


def test_unknown_split(tmp_path):
    prepare({"train": Noise(), "test": Noise()}, tmp_path / "p", 16, progress=False)
    with pytest.raises(UserError, match="has no split 'val'; it has train, test"):
        load_prepared(tmp_path / "p", "val")


def test_mosaics_are_sources_like_any_other(tmp_path):
    class Four(Noise):
        @property
        def split(self) -> CocoSplit:
            images = tuple(ImageRecord(k, f"{k}.png", 20, 20) for k in range(4))
            boxes = (Annotation(1, 2, 1, (0.0, 10.0, 20.0, 10.0), 0, 200.0),)
            return CocoSplit(images, (Category(1, "ripe"),), boxes)

        def image(self, index):
            return np.full((20, 20, 3), index, np.uint8)

    source: ImageSource = mosaic(Four(), 8, [0, 1, 2, 3])
    prepare({"train": source}, tmp_path / "p", 16, progress=False)
    split = load_prepared(tmp_path / "p", "train")
    assert split.images[0, ::8, ::8, 0].tolist() == [[0, 1], [2, 3]]
    assert split.boxes(0).tolist() == [[0, 12, 8, 16]]
