"""Which images train, validate and test, where a folder says so and where it does not."""

import itertools
import json
import shutil

import pytest

from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.system.errors import UserError
from tests.pipelines.data.opened import file_names, ignore, sizes


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("train2017", "val2017")])
def test_folder_without_val(write_set, train, test):
    root = write_set(**{train: 20, test: 5})
    sources = open_dataset(DatasetSpec(str(root)))
    assert list(sources) == ["train", "val", "test"]
    assert sizes(sources) == {"train": 17, "val": 3, "test": 5}
    both = file_names(sources["train"]) | file_names(sources["val"])
    assert both == {f"{train}-{k}.png" for k in range(20)}
    for source in sources.values():
        assert len(source.split.annotations) == len(source.split.images)
        assert source.image(0).shape == (8, 8, 3)


def test_the_validation_split_is_fixed_by_its_seed(write_set):
    root = str(write_set(train=20, test=1))
    val = file_names(open_dataset(DatasetSpec(root))["val"])
    assert file_names(open_dataset(DatasetSpec(root))["val"]) == val
    assert file_names(open_dataset(DatasetSpec(root, split_seed=1))["val"]) != val


def test_no_validation_split(write_set):
    sources = open_dataset(DatasetSpec(str(write_set(train=3, test=1)), validation_fraction=0))
    assert sizes(sources) == {"train": 3, "test": 1}


def test_a_val_of_its_own_is_used(write_set):
    sources = open_dataset(DatasetSpec(str(write_set(train=20, val=4, test=1))))
    assert list(sources) == ["train", "val", "test"]
    assert sizes(sources) == {"train": 20, "val": 4, "test": 1}


def test_too_few_images_for_a_validation_split(write_set):
    with pytest.raises(UserError, match="1 train images are too few to take a val split"):
        open_dataset(DatasetSpec(str(write_set(train=1, test=1))))


def test_without_a_test_split_val_is_measured_on(write_set):
    root = write_set(train=20, val=4)
    reports: list[str] = []
    sources = open_dataset(DatasetSpec(str(root)), report=reports.append)
    assert sizes(sources) == {"train": 17, "val": 3, "test": 4}
    assert file_names(sources["test"]) == {f"val-{k}.png" for k in range(4)}
    assert reports == [
        f"{root}: train: COCO of annotations/train.json, 20 photographs in images/",
        f"{root}: val: COCO of annotations/val.json, 4 photographs in images/",
        f"{root}: has no test split, so results are measured on its val",
        f"{root}: has no val split; 3 of its train images are held out for one",
    ]


def test_what_is_held_out_of_one_s_own_photographs_is_few_stretches_of_neighbours(write_set):
    sources = open_dataset(DatasetSpec(str(write_set(train=200))), report=ignore)
    tested = sorted(int(name[6:-4]) for name in file_names(sources["test"]))
    assert 32 <= len(tested) <= 40  # a fifth, in stretches of at most eight
    runs = 1 + sum(b - a > 1 for a, b in itertools.pairwise(tested))
    assert runs <= 8


def test_from_a_lone_train_split_test_and_val_are_held_out(write_set):
    root = write_set(train=50)
    reports: list[str] = []
    sources = open_dataset(DatasetSpec(str(root)), report=reports.append)
    assert list(sources) == ["train", "val", "test"]
    assert sizes(sources) == {"train": 34, "val": 6, "test": 10}
    assert set.union(*map(file_names, sources.values())) == {f"train-{k}.png" for k in range(50)}
    assert reports == [
        f"{root}: train: COCO of annotations/train.json, 50 photographs in images/",
        f"{root}: has no test split; 10 of its images are held out for one",
        f"{root}: has no val split; 6 of its train images are held out for one",
    ]
    again = open_dataset(DatasetSpec(str(root)), report=ignore)
    assert all(file_names(again[name]) == file_names(sources[name]) for name in sources)


def test_a_folder_without_train(write_set):
    with pytest.raises(UserError, match="has no train split"):
        open_dataset(DatasetSpec(str(write_set(test=2))))


def test_splits_with_other_categories(write_set):
    root = write_set(train=4, test=2)
    file = root / "annotations" / "test.json"
    file.write_text(file.read_text().replace('"fruit"', '"leaf"'))
    with pytest.raises(UserError, match="test has other categories than train"):
        open_dataset(DatasetSpec(str(root)))


def test_images_of_test_in_train_are_reported(write_set):
    root = write_set(train=4, test=2)
    shutil.copy(root / "annotations" / "train.json", root / "annotations" / "test.json")
    reports: list[str] = []
    open_dataset(DatasetSpec(str(root)), report=reports.append)
    assert f"{root}: 4 images of test are in train too: 'train-0.png'" in reports


def test_equal_names_in_two_image_folders_are_not_the_same_image(write_set):
    root = write_set(train=4, test=2)
    (root / "images").rename(root / "train")
    shutil.copytree(root / "train", root / "test")
    shutil.copy(root / "annotations" / "train.json", root / "annotations" / "test.json")
    reports: list[str] = []
    assert sizes(open_dataset(DatasetSpec(str(root)), report=reports.append))["test"] == 4
    assert not any("in train too" in report for report in reports)


def test_a_validation_split_of_crowd_regions_alone_is_refused(write_set):
    root = write_set(train=2, test=1)
    file = root / "annotations" / "train.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["iscrowd"] = 1
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="2 train images are too few to take a val split"):
        open_dataset(DatasetSpec(str(root), validation_fraction=0.5))
