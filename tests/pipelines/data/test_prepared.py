import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from pipelines.data.mosaic import mosaic
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.data.sources import ImageSource
from pipelines.errors import UserError


@dataclass
class Noise:
    """Two images, 40x20 and 20x30, of seeded noise; counts how often each is decoded."""

    seed: int = 0
    fails_at: int = -1

    def __post_init__(self) -> None:
        self.decoded = [0, 0]

    @property
    def split(self) -> CocoSplit:
        return CocoSplit(
            (ImageRecord(3, "a.png", 40, 20), ImageRecord(4, "b.png", 20, 30)),
            (Category(2, "unripe"), Category(7, "ripe")),
            (
                Annotation(11, 3, 7, (10.0, 5.0, 20.0, 10.0), 0, 200.0),
                Annotation(12, 3, 2, (0.0, 0.0, 40.0, 20.0), 1, 800.0),
                Annotation(13, 3, 2, (0.0, 0.0, 40.0, 20.0), 0, 700.0),
            ),
        )

    def image(self, index: int) -> NDArray[np.uint8]:
        if index == self.fails_at:
            raise UserError("b.png: cannot be decoded")
        self.decoded[index] += 1
        record = self.split.images[index]
        rng = np.random.default_rng([self.seed, index])
        return rng.integers(0, 256, (record.height, record.width, 3), dtype=np.uint8)


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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


# ---- replacing, and leaving nothing half-written


def test_a_broken_image_leaves_nothing_behind(tmp_path):
    with pytest.raises(UserError, match=r"b\.png: cannot be decoded"):
        prepare({"train": Noise(), "test": Noise(fails_at=1)}, tmp_path / "p", 16, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "truncated", "size"])
def test_a_broken_file_of_a_coco_folder_leaves_nothing_behind(folder, tmp_path, damage):
    source = folder.source()
    file = folder.images / "b.png"
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:60])
    else:
        Image.new("RGB", (5, 5)).save(file)
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"b\.png \(image id 4\)"):
        prepare({"train": source}, tmp_path / "out" / "p", 16, progress=False)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_existing_set_is_replaced_only_by_a_whole_one(tmp_path):
    folder = tmp_path / "p"
    prepare({"train": Noise(), "val": Noise()}, folder, 16, progress=False)
    before = everything_in(folder)
    with pytest.raises(UserError):
        prepare({"train": Noise(1, fails_at=1)}, folder, 16, progress=False)
    assert everything_in(folder) == before
    prepare({"train": Noise(1)}, folder, 8, progress=False)
    assert set(everything_in(folder)) == {"manifest.json", "train.json", "train-images.npy"}
    assert load_prepared(folder, "train").input_size == 8
    assert os.listdir(tmp_path) == ["p"]


@pytest.mark.parametrize("present", ["notes.txt", "manifest.json"])
def test_a_folder_with_other_things_is_left_alone(tmp_path, present):
    (tmp_path / present).write_text("{}")
    with pytest.raises(UserError, match=str(tmp_path)):
        prepare({"train": Noise()}, tmp_path, 16, progress=False)
    assert os.listdir(tmp_path) == [present]


def test_a_stranger_in_a_prepared_folder_is_not_deleted(tmp_path):
    prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    (tmp_path / "p" / "model.pt").write_text("precious")
    with pytest.raises(UserError, match=r"holds 'model\.pt', which is no part"):
        prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    assert (tmp_path / "p" / "model.pt").read_text() == "precious"


def test_an_empty_folder_is_filled_and_a_file_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    prepare({"train": Noise()}, tmp_path / "empty", 16, progress=False)
    assert len(load_prepared(tmp_path / "empty", "train").images) == 2
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        prepare({"train": Noise()}, tmp_path / "file", 16, progress=False)


@pytest.mark.parametrize(("splits", "size"), [({"../train": Noise()}, 16), ({"train": Noise()}, 0)])
def test_odd_arguments(tmp_path, splits, size):
    with pytest.raises(UserError):
        prepare(splits, tmp_path / "p", size, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_do_not_write_the_same_folder(tmp_path):
    partial = tmp_path / ".p.partial"
    partial.mkdir()
    lock = os.open(partial, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with pytest.raises(UserError, match="another process is writing this folder"):
            prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    finally:
        os.close(lock)
    assert partial.is_dir()


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    before = everything_in(tmp_path / "p")
    (tmp_path / ".p.partial").mkdir()
    (tmp_path / ".p.partial" / "half.npy").write_text("half")
    (tmp_path / "p").rename(tmp_path / ".p.old")
    with pytest.raises(UserError):
        prepare({"train": Noise(fails_at=1)}, tmp_path / "p", 16, progress=False)
    assert everything_in(tmp_path / "p") == before
    (tmp_path / ".p.old").mkdir()
    prepare({"train": Noise(1)}, tmp_path / "p", 16, progress=False)
    assert os.listdir(tmp_path) == ["p"]
    assert set(everything_in(tmp_path / "p")) == set(before)


SLOW_PREPARATION = """
    import signal, sys, time
    from pathlib import Path
    from pipelines.data.prepared import prepare
    from pipelines.data.scenes import CLASSES, draw_scene
    from pipelines.data.sources import DrawnSource
    from pipelines.errors import run_cli

    # A shell that starts the tests in the background has its children ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Slow(DrawnSource):
        def image(self, index):
            print(index, flush=True)
            time.sleep(60 * index)
            return super().image(index)

    source = Slow(draw_scene, CLASSES, seed=0, first=0, count=2, size=128)
    run_cli(lambda: prepare({"train": source}, Path(sys.argv[1]), 128, progress=False))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_process_leaves_nothing_behind(tmp_path, number, code):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW_PREPARATION), tmp_path / "p"],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert [process.stdout.readline(), process.stdout.readline()] == ["0\n", "1\n"]
    assert os.listdir(tmp_path) == [".p.partial"]
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert list(tmp_path.iterdir()) == []
    assert errors == ("interrupted\n" if number == signal.SIGINT else "")


def test_a_full_disk_is_an_error_for_the_user(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.data.prepared.npy.write_array_header_1_0", full)
    with pytest.raises(UserError, match=r"p: cannot be written \(No space left on device\)"):
        prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    assert list(tmp_path.iterdir()) == []


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
