"""Prepared data are replaced whole or not at all; nothing half-written stays."""

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from pipelines.data.prepared import load_prepared, prepare
from pipelines.system.errors import UserError
from tests.pipelines.data.noise import Noise, everything_in


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
    from pipelines.data.drawn.scenes import CLASSES, draw_scene
    from pipelines.data.sources import DrawnSource
    from pipelines.system.errors import run_cli

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

    monkeypatch.setattr("pipelines.data.prepared_files.npy.write_array_header_1_0", full)
    with pytest.raises(UserError, match=r"p: cannot be written \(No space left on device\)"):
        prepare({"train": Noise()}, tmp_path / "p", 16, progress=False)
    assert list(tmp_path.iterdir()) == []
