"""Which data set a name, a folder and the options mean."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pipelines.data.dataset_spec import Tolerance
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.registry import AerialSpec, DatasetSpec, ScenesSpec, open_dataset
from pipelines.data.root import DEFAULT_ROOT, data_root
from pipelines.system.errors import UserError
from tests.pipelines.data.opened import ignore, sizes


def test_unknown_name_lists_the_right_ones():
    with pytest.raises(
        UserError,
        match=r"data set 'imagenet'; give one of scenes, aerial, laboro-mosaics, "
        r"laboro-mosaics-unstretched, laboro, nwpu, "
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
        ("laboro-mosaics-unstretched", "laboro_tomato", "scenes"),
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


def test_a_folder_without_a_data_set_names_the_forms(tmp_path):
    with pytest.raises(UserError, match=r"no data set is found.*COCO.*YOLO.*VOC.*DOTA"):
        open_dataset(DatasetSpec(str(tmp_path)))


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
