import pytest

from pipelines.data.formats.split_names import (
    named,
    split_called,
    split_files,
    split_folders,
    split_in,
)
from pipelines.system.errors import UserError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("instances_Train", "train"),
        ("TRAIN2017", "train"),
        ("my-set_validation_v2", "val"),
        ("obj_Validation_data", "val"),
        ("valid.coco", "val"),
        ("testing", "test"),
        ("trained", None),
        ("latest", None),
        ("train_val", None),
        ("default", None),
        ("", None),
    ],
)
def test_one_word_of_a_name_tells_its_split(name, split):
    assert split_in(name) == split


def test_a_folder_is_a_splits_only_if_its_name_says_nothing_else(tmp_path):
    for name in ("Train", "val2017", "test_images", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "test").write_text("no folder")
    found = split_folders(tmp_path)
    names = {split: path.name for split, path in found.items()}
    assert names == {"train": "Train", "val": "val2017"}
    assert split_called("test_images") is None
    (tmp_path / "valid").mkdir()
    with pytest.raises(UserError, match="has both val2017/ and valid/; keep one"):
        split_folders(tmp_path)


def test_files_of_splits(tmp_path):
    for name in ("Train.txt", "valid.TXT", "test.md", "notes.txt"):
        (tmp_path / name).write_text("")
    found = split_files(tmp_path, ".txt")
    assert [path.name for path in found.values()] == ["Train.txt", "valid.TXT"]


def test_a_name_as_it_is_goes_before_one_in_other_letters(tmp_path):
    for name in ("IMAGES", "images", "Labels"):
        (tmp_path / name).mkdir()
    assert named(tmp_path, "images") == tmp_path / "images"
    assert named(tmp_path, "labels") == tmp_path / "Labels"
    assert named(tmp_path, "other") is None
    assert named(tmp_path / "none", "images") is None
