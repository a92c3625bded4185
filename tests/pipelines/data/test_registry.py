"""Which data set a name, a folder and the options mean."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pipelines.data.dataset_spec import Tolerance
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.registry import AerialSpec, DatasetSpec, ScenesSpec, open_dataset
from pipelines.data.root import DEFAULT_ROOT, data_root
from pipelines.system.errors import UserError
from tests.pipelines.data.opened import file_names, ignore, sizes

# ---- names and places


def test_unknown_name_lists_the_right_ones():
    with pytest.raises(
        UserError,
        match=r"data set 'imagenet'; give one of scenes, aerial, laboro-mosaics, laboro, nwpu, "
        "coco-mini, tomatod, laboro-big, voc, coco, dota, or the path of a folder in the form of",
    ):
        open_dataset(DatasetSpec("imagenet"))


@pytest.mark.parametrize("path", ["no/such", "./such", "/such", "~/no-such-folder"])
def test_missing_path(path):
    with pytest.raises(UserError, match=r"such.*: no such data set folder; correct the path"):
        open_dataset(DatasetSpec(path))


@pytest.mark.parametrize(
    ("name", "folder", "way_out"),
    [
        ("laboro", "laboro_tomato", "scenes"),
        ("laboro-mosaics", "laboro_tomato", "scenes"),
        ("nwpu", "nwpu_vhr10", "aerial"),
        ("coco-mini", "coco_mini", "scenes"),
    ],
)
@pytest.mark.parametrize("by", ["parameter", "variable"])
def test_missing_set_names_variable_folder_and_the_way_out(
    tmp_path, monkeypatch, name, folder, way_out, by
):
    monkeypatch.setenv("DETECTION_DATA", str(tmp_path / "variable"))
    root = str(tmp_path / "parameter") if by == "parameter" else None
    with pytest.raises(UserError) as caught:
        open_dataset(DatasetSpec(name, root=root))
    assert str(caught.value) == (
        f"data set {name!r}: no folder {tmp_path / by / folder}; set DETECTION_DATA to "
        f"the folder that holds {folder}, or use the data set {way_out!r}, which needs nothing"
    )


def test_default_root_is_beside_the_repository(monkeypatch, request):
    monkeypatch.delenv("DETECTION_DATA", raising=False)
    assert data_root() == request.config.rootpath.parent / "shared" / "data"
    monkeypatch.setattr("pipelines.data.root.DEFAULT_ROOT", DEFAULT_ROOT / "none")
    with pytest.raises(UserError, match=str(DEFAULT_ROOT / "none" / "laboro_tomato")):
        open_dataset(DatasetSpec("laboro"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("validation_fraction", 1.0),
        ("validation_fraction", -0.1),
        ("validation_fraction", float("nan")),
        ("tile", 0),
        ("split_seed", -1),
        ("mosaic_seed", -1),
    ],
)
def test_odd_specification(option, value):
    with pytest.raises(UserError, match=option):
        DatasetSpec("laboro", **{option: value})


@pytest.mark.parametrize(
    ("option", "value"), [("train", 0), ("val", -1), ("size", 100), ("size", 2000), ("seed", -1)]
)
@pytest.mark.parametrize("kind", [ScenesSpec, AerialSpec])
def test_odd_drawn_data(kind, option, value):
    with pytest.raises(UserError, match=option):
        kind(**{option: value})


# ---- COCO folders


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


def test_a_folder_without_a_data_set_names_the_forms(tmp_path):
    with pytest.raises(UserError, match=r"no data set is found.*COCO.*YOLO.*VOC.*DOTA"):
        open_dataset(DatasetSpec(str(tmp_path)))


def test_a_folder_without_train(write_set):
    with pytest.raises(UserError, match="has no train split"):
        open_dataset(DatasetSpec(str(write_set(test=2))))


def test_a_set_exported_with_images_and_json_beside_each_other(write_set):
    root = write_set(train=4, valid=2, test=2)
    for split in ("train", "valid", "test"):
        (root / split).mkdir()
        (root / "annotations" / f"{split}.json").rename(root / split / "_annotations.coco.json")
        for file in (root / "images").glob(f"{split}-*"):
            file.rename(root / split / file.name)
    sources = open_dataset(DatasetSpec(str(root)))
    assert sizes(sources) == {"train": 4, "val": 2, "test": 2}
    assert all(source.image(0).shape == (8, 8, 3) for source in sources.values())


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


def test_broken_boxes_are_dropped_on_request(write_set):
    root = write_set(train=4, test=2)
    file = root / "annotations" / "train.json"
    file.write_text(file.read_text().replace("[1, 1, 4, 4]", "[1, 1, 0, 4]", 1))
    with pytest.raises(UserError, match=r"annotation id 1 .* no area"):
        open_dataset(DatasetSpec(str(root), validation_fraction=0))
    reports: list[str] = []
    spec = DatasetSpec(str(root), validation_fraction=0, tolerance=Tolerance(drop_broken=True))
    sources = open_dataset(spec, report=reports.append)
    assert len(sources["train"].split.annotations) == 3
    assert reports[0] == f"{file}: dropped 1 broken boxes: 1 without area"


def test_dota_is_cut_into_tiles_after_val_was_taken(tmp_path):
    for part, count in (("train", 3), ("val", 1)):
        for folder in ("images", "labelTxt"):
            (tmp_path / "dota" / part / folder).mkdir(parents=True)
        for k in range(count):
            Image.new("RGB", (40, 28), (k, 0, 0)).save(tmp_path / f"dota/{part}/images/P{k}.png")
            label = tmp_path / f"dota/{part}/labelTxt/P{k}.txt"
            label.write_text("2 2 10 2 10 9 2 9 ship 0\n30 12 38 12 38 20 30 20 harbor 0\n")
    spec = DatasetSpec("dota", root=str(tmp_path), cut=28, overlap=8)
    assert sizes(open_dataset(spec, report=ignore)) == {"train": 6, "test": 2}
    own = replace(spec, name=str(tmp_path / "dota"))
    sources = open_dataset(own, report=ignore)
    assert sizes(sources) == {"train": 2, "val": 1, "test": 1}, "one's own is not cut"
    tiles = open_dataset(spec, report=ignore)["test"].split
    assert [a.bbox for a in tiles.annotations] == [(2, 2, 8, 7), (18, 12, 8, 8)]
    assert [(i.width, i.height) for i in tiles.images] == [(28, 28), (28, 28)]


def as_coco_ships(root: Path) -> None:
    """Move the images out of images/, to train2017/ and val2017/ beside annotations/."""
    for split in ("train2017", "val2017"):
        (root / split).mkdir()
        for file in (root / "images").glob(f"instances_{split}-*"):
            file.rename(root / split / file.name)
    (root / "images").rmdir()


@pytest.mark.parametrize("unpacked", [False, True])
def test_coco_with_its_images_in_one_folder_or_as_it_ships(write_set, unpacked):
    root = write_set(instances_train2017=20, instances_val2017=5)
    if unpacked:
        as_coco_ships(root)
    else:
        (root / "train2017").mkdir()  # images/ goes before it
    sources = open_dataset(DatasetSpec("coco", root=str(root.parent)))
    assert sizes(sources) == {"train": 20, "test": 5}, "nothing is held out of COCO"
    assert all(source.image(0).shape == (8, 8, 3) for source in sources.values())


def test_equal_names_in_two_image_folders_are_not_the_same_image(write_set):
    root = write_set(train=4, test=2)
    (root / "images").rename(root / "train")
    shutil.copytree(root / "train", root / "test")
    shutil.copy(root / "annotations" / "train.json", root / "annotations" / "test.json")
    reports: list[str] = []
    assert sizes(open_dataset(DatasetSpec(str(root)), report=reports.append))["test"] == 4
    assert not any("in train too" in report for report in reports)


def test_coco_opens_though_train2017_has_two_boxes_without_height(write_set):
    root = write_set(instances_train2017=20, instances_val2017=5)
    file = root / "annotations" / "instances_train2017.json"
    file.write_text(file.read_text().replace("[1, 1, 4, 4]", "[1, 1, 4, 0.0]", 2))
    reports: list[str] = []
    open_dataset(DatasetSpec("coco", root=str(root.parent)), report=reports.append)
    assert reports[0] == f"{file}: dropped 2 broken boxes: 2 without area"
    assert "coco: train: 20 images, published 118287" in reports
    with pytest.raises(UserError, match=r"annotation id 1 .* no area"):
        open_dataset(DatasetSpec(str(root)))


def test_crowd_regions_are_kept_for_evaluation_and_not_trained_on(write_set, tmp_path):
    root = write_set(instances_train2017=4, instances_val2017=2)
    for file in (root / "annotations").iterdir():
        content = json.loads(file.read_text())
        crowd = {"id": 9, "image_id": 0, "category_id": 1, "bbox": [0, 0, 8, 6], "iscrowd": 1}
        content["annotations"].append(crowd)
        file.write_text(json.dumps(content))
    spec = DatasetSpec("coco", root=str(root.parent), validation_fraction=0)
    prepare(open_dataset(spec), tmp_path / "p", 16, progress=False)
    for name in ("train", "test"):
        split = load_prepared(tmp_path / "p", name)
        (crowd_region,) = [a for a in split.coco.annotations if a.iscrowd]
        assert (crowd_region.bbox, crowd_region.area) == ((0, 0, 8, 6), 48)
        assert split.boxes(0).tolist() == [[2, 2, 10, 10]]


def test_a_validation_split_of_crowd_regions_alone_is_refused(write_set):
    root = write_set(train=2, test=1)
    file = root / "annotations" / "train.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["iscrowd"] = 1
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="2 train images are too few to take a val split"):
        open_dataset(DatasetSpec(str(root), validation_fraction=0.5))
