import pytest
from PIL import Image

from pipelines.data.formats.voc_own import is_own_voc, read_own_voc
from pipelines.system.errors import UserError
from tests.pipelines.data.formats.voc_files import (
    SIZE,
    add,
    devkit,
    file_names,
    flat,
    thing,
    write_list,
)

__all__ = ["devkit", "flat"]


def test_lists_choose_the_images_in_their_order(devkit):
    assert is_own_voc(devkit)
    assert file_names(devkit) == {
        "train": ["JPEGImages/two 2.jpg", "JPEGImages/one.jpg"],
        "test": ["JPEGImages/three.jpg"],
    }


def test_trainval_is_train_where_there_is_no_other(devkit):
    write_list(devkit, "trainval", "one")
    write_list(devkit, "val", "three")
    assert [len(names) for names in file_names(devkit).values()] == [2, 1, 1]
    (devkit / "ImageSets" / "Main" / "train.txt").unlink()
    reports: list[str] = []
    assert file_names(devkit, reports)["train"] == ["JPEGImages/one.jpg"]
    assert reports == [
        f"{devkit}: 1 images have no xml, or are in no list, and are left out "
        "(first: 'JPEGImages/two 2.jpg')"
    ]


@pytest.mark.parametrize(
    ("xml", "images"), [("Annotations", "JPEGImages"), ("annotations", "images")]
)
def test_without_lists_all_is_train(tmp_path, xml, images):
    add(tmp_path / xml / "a.xml", tmp_path / images / "a.png", thing("cup", (1, 1, 9, 9)))
    assert is_own_voc(tmp_path)
    assert file_names(tmp_path) == {"train": [f"{images}/a.png"]}


@pytest.mark.parametrize("val", ["val", "valid"])
def test_folders_of_splits_hold_each_xml_beside_its_image(tmp_path, val):
    for split in ("train", val, "test"):
        place = tmp_path / split
        add(place / "x_jpg.rf.1.xml", place / "x_jpg.rf.1.jpg", thing(split, (1, 1, 9, 9)))
    sources = read_own_voc(tmp_path)
    assert is_own_voc(tmp_path)
    assert file_names(tmp_path) == {
        "train": ["train/x_jpg.rf.1.jpg"],
        "val": [f"{val}/x_jpg.rf.1.jpg"],
        "test": ["test/x_jpg.rf.1.jpg"],
    }
    assert {c.name for c in sources["test"].split.categories} == {"train", val, "test"}


def test_an_image_without_xml_is_left_out_and_reported(flat):
    Image.new("RGB", SIZE).save(flat / "z.png")
    reports: list[str] = []
    assert file_names(flat, reports) == {"train": ["a.jpg", "b.png"]}
    assert reports == [
        f"{flat}: 1 images have no xml, or are in no list, and are left out (first: 'z.png')"
    ]


def test_a_folder_without_xml_is_no_data_set_of_voc(tmp_path):
    Image.new("RGB", SIZE).save(tmp_path / "a.png")
    assert not is_own_voc(tmp_path)
    with pytest.raises(UserError, match="has no xml files"):
        read_own_voc(tmp_path)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["one", "../secret"], r"train.txt: line 2: '../secret' is no file of Annotations/"),
        (["one.jpg"], "'one.jpg' is no file of Annotations/ without its ending"),
        (["one", "one"], "lists 'one' more than once"),
        ([], "lists no image"),
    ],
)
def test_odd_lists_are_refused(devkit, lines, words):
    write_list(devkit, "train", *lines)
    with pytest.raises(UserError, match=words):
        read_own_voc(devkit)


def test_lists_without_one_to_train_on_are_refused(devkit):
    (devkit / "ImageSets" / "Main" / "train.txt").unlink()
    with pytest.raises(UserError, match=r"Main: has no train\.txt or trainval\.txt"):
        read_own_voc(devkit)


def test_two_folders_of_one_split_are_refused(tmp_path):
    for split in ("train", "val", "valid"):
        add(tmp_path / split / "a.xml", tmp_path / split / "a.png", thing("cup", (1, 1, 9, 9)))
    with pytest.raises(UserError, match="has both val/ and valid/; keep one"):
        read_own_voc(tmp_path)
