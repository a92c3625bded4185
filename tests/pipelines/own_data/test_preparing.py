"""One prepared folder, wanted by many at once."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.data import preparing
from pipelines.data.dataset_spec import Tolerance
from pipelines.data.preparation import Preparation
from pipelines.data.prepared import load_prepared
from pipelines.data.tiling import Tiling
from pipelines.own_data.preparing import ensure_prepared
from pipelines.system.errors import UserError
from tests.pipelines.own_coco import write_coco


def test_all_who_want_it_at_once_get_it(tmp_path, monkeypatch):
    write_coco(tmp_path / "own")
    monkeypatch.setattr(preparing, "DATA", tmp_path / "data")
    with ThreadPoolExecutor(6) as pool:
        calls = [
            pool.submit(ensure_prepared, Preparation(str(tmp_path / "own"), 32)) for _ in range(6)
        ]
        folders = {call.result() for call in calls}
    assert len(folders) == 1
    assert len(load_prepared(folders.pop(), "train").images) == 20


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A data set of one's own, prepared below the same folder."""
    write_coco(tmp_path / "own")
    monkeypatch.setattr(preparing, "DATA", tmp_path / "data")
    return tmp_path / "own"


def test_what_was_prepared_is_kept_until_a_file_changes(own, capsys):
    folder = ensure_prepared(Preparation(str(own), 32))
    assert "train: 20 images, 20 boxes (fruit 20)" in capsys.readouterr().err
    made = (folder / "manifest.json").stat().st_mtime_ns
    assert ensure_prepared(Preparation(str(own), 32)) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns == made
    assert capsys.readouterr().err == ""
    file = own / "annotations" / "train.json"
    file.write_text(file.read_text().replace("[8, 8, 20, 20]", "[9, 9, 20, 20]", 1))
    ensure_prepared(Preparation(str(own), 32))
    assert "its files have changed; preparing it anew" in capsys.readouterr().err
    boxes = load_prepared(folder, "train").boxes(0)
    assert boxes.tolist() == [[4.5, 4.5, 14.5, 14.5]]


def test_broken_boxes_are_left_out_on_request_and_stay_out(own, capsys):
    file = own / "annotations" / "train.json"
    file.write_text(file.read_text().replace("[8, 8, 20, 20]", "[8, 8, 0, 20]", 1))
    with pytest.raises(UserError, match=r"no area.*--drop-broken"):
        ensure_prepared(Preparation(str(own), 32))
    assert not preparing.prepared_folder(Preparation(str(own), 32)).exists()
    folder = ensure_prepared(Preparation(str(own), 32), tolerance=Tolerance(drop_broken=True))
    assert "dropped 1 broken boxes" in capsys.readouterr().err
    assert sum(len(load_prepared(folder, "train").boxes(k)) for k in range(20)) == 19
    file.touch()
    ensure_prepared(Preparation(str(own), 32))
    assert "dropped 1 broken boxes" in capsys.readouterr().err


def test_tiles_lie_beside_what_is_squeezed_and_are_made_anew_too(own, capsys):
    file = own / "annotations" / "train.json"
    tiling = Tiling(32, 0.25)
    squeezed, folder = (
        ensure_prepared(Preparation(str(own), 32)),
        ensure_prepared(Preparation(str(own), 32, tiling=tiling)),
    )
    assert folder.name == squeezed.name.replace("-32", "-tiles0.25-32")
    # Tiles of a photograph of 64 px start at 0, 24 and 32, both ways.
    test = load_prepared(folder, "test")
    assert (len(test.images), len(test.scored.images)) == (9 * 20, 20)
    file.write_text(file.read_text().replace("[8, 8, 20, 20]", "[9, 9, 20, 20]", 1))
    capsys.readouterr()
    assert ensure_prepared(Preparation(str(own), 32, tiling=tiling)) == folder
    assert "its files have changed; preparing it anew" in capsys.readouterr().err
    assert load_prepared(folder, "train").boxes(0).tolist() == [[9, 9, 29, 29]]


def test_tiles_of_different_sizes_lie_beside_each_other():
    squeezed, same, larger = (
        preparing.prepared_folder(Preparation("mine", 32, tiling=tiling)).name
        for tiling in (None, Tiling(32, 0.25), Tiling(64, 0.25))
    )
    assert same == squeezed.replace("-32", "-tiles0.25-32")
    assert larger == squeezed.replace("-32", "-tiles64x0.25-32")


def test_dota_is_not_cut_again():
    with pytest.raises(UserError, match="dota is cut into tiles as published"):
        ensure_prepared(Preparation("dota", 512, tiling=Tiling(512)))


def test_what_is_not_prepared_is_told_with_its_command(own):
    words = r"run `python -m pipelines\.prepare \S+ 32 --tiles 32 --overlap 0\.25`"
    with pytest.raises(UserError, match=words):
        preparing.require_prepared(Preparation(str(own), 32, tiling=Tiling(32, 0.25)))


def test_a_folder_whose_path_reads_like_a_name_is_read_anew_too(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    folder = ensure_prepared(Preparation("own", 32))
    file = own / "annotations" / "train.json"
    file.write_text(file.read_text().replace("[8, 8, 20, 20]", "[9, 9, 20, 20]", 1))
    assert ensure_prepared(Preparation("own", 32)) == folder
    assert load_prepared(folder, "train").boxes(0).tolist() == [[4.5, 4.5, 14.5, 14.5]]


def test_what_was_accepted_is_counted_in_the_manifest_and_remembered(own):
    (own / "images" / "3.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"3\.png .*cannot be decoded"):
        ensure_prepared(Preparation(str(own), 32))
    folder = ensure_prepared(
        Preparation(str(own), 32), tolerance=Tolerance(skip_broken_images=True)
    )
    (own / "notes.txt").write_text("the folder has changed")
    assert ensure_prepared(Preparation(str(own), 32)) == folder
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["splits"]["train"]["images"] == 19
    reading = manifest["reading"]
    assert reading["skip_broken_images"]
    assert not reading["drop_broken"]
    assert reading["said"][0].startswith("annotations/train.json: left out 1 photographs")
    assert str(own) not in json.dumps(manifest)
