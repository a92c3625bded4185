import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data import aerial, scenes
from pipelines.data.mosaic import MosaicSource
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.registry import AerialSpec, DatasetSpec, ScenesSpec, open_dataset
from pipelines.data.root import DEFAULT_ROOT, data_root
from pipelines.data.sources import ImageSource
from pipelines.errors import UserError

LABORO = data_root() / "laboro_tomato"
NWPU = data_root() / "nwpu_vhr10"
COCO_MINI = data_root() / "coco_mini"
needs_coco_mini = pytest.mark.skipif(not COCO_MINI.is_dir(), reason=f"no {COCO_MINI}")
needs_nwpu = pytest.mark.skipif(not NWPU.is_dir(), reason=f"no {NWPU}")
needs_laboro = pytest.mark.skipif(not LABORO.is_dir(), reason=f"no {LABORO}")


def ignore(message: str) -> None:
    """Take a report and do nothing."""


def sizes(sources: dict[str, ImageSource]) -> dict[str, int]:
    return {name: len(source.split.images) for name, source in sources.items()}


def file_names(source: ImageSource) -> set[str]:
    return {image.file_name for image in source.split.images}


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
    assert reports == [f"{root}: has no test split, so results are measured on its val"]


def test_from_a_lone_train_split_test_and_val_are_held_out(write_set):
    root = write_set(train=50)
    reports: list[str] = []
    sources = open_dataset(DatasetSpec(str(root)), report=reports.append)
    assert list(sources) == ["train", "val", "test"]
    assert sizes(sources) == {"train": 34, "val": 6, "test": 10}
    assert set.union(*map(file_names, sources.values())) == {f"train-{k}.png" for k in range(50)}
    assert reports == [f"{root}: has no test split; 10 of its images are held out for one"]
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
    assert reports == [f"{root}: 4 images of test are in train too: 'train-0.png'"]


def test_broken_boxes_are_dropped_on_request(write_set):
    root = write_set(train=4, test=2)
    file = root / "annotations" / "train.json"
    file.write_text(file.read_text().replace("[1, 1, 4, 4]", "[1, 1, 0, 4]", 1))
    with pytest.raises(UserError, match=r"annotation id 1 .* no area"):
        open_dataset(DatasetSpec(str(root), validation_fraction=0))
    reports: list[str] = []
    spec = DatasetSpec(str(root), validation_fraction=0, drop_broken=True)
    sources = open_dataset(spec, report=reports.append)
    assert len(sources["train"].split.annotations) == 3
    assert reports == [f"{file}: dropped 1 broken boxes: 1 without area"]


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
    assert not reports


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


# ---- drawn data

FEW = DatasetSpec(
    "scenes",
    scenes=ScenesSpec(train=3, val=1, test=2, size=128),
    aerial=AerialSpec(train=3, val=1, test=2, size=128),
)


@pytest.mark.parametrize(
    ("spec", "counts", "size"),
    [(ScenesSpec(), (96, 16, 48), 512), (AerialSpec(), (192, 24, 48), 256)],
)
def test_drawn_data_have_their_default_counts(spec, counts, size):
    assert tuple(spec.counts.values()) == counts
    assert spec.size == size


@pytest.mark.parametrize(
    ("name", "draw", "class_names"),
    [
        ("scenes", scenes.draw_scene, scenes.CLASSES),
        ("aerial", aerial.draw_aerial, aerial.CLASSES),
    ],
)
def test_drawn_data_are_those_of_their_generator(tmp_path, name, draw, class_names):
    sources = open_dataset(replace(FEW, name=name))
    assert list(sources) == ["train", "val", "test"]
    assert sizes(sources) == {"train": 3, "val": 1, "test": 2}
    for split_name, first in (("train", 0), ("val", 1_000_000), ("test", 2_000_000)):
        split = sources[split_name].split
        assert [(c.id, c.name) for c in split.categories] == list(enumerate(class_names, start=1))
        for index, found in enumerate(split.annotations_by_image()):
            scene = draw(0, first + index, 128)
            assert np.array_equal(sources[split_name].image(index), scene.image)
            assert [a.bbox for a in found] == [tuple(box) for box in scene.boxes.tolist()]
            assert [a.category_id - 1 for a in found] == scene.classes.tolist()
    prepare(sources, tmp_path / "p", 128, progress=False)
    assert load_prepared(tmp_path / "p", "test").class_names == class_names


def test_the_aerial_pictures_of_a_split_do_not_depend_on_the_number_of_the_others():
    few = open_dataset(replace(FEW, name="aerial"))["test"]
    more = AerialSpec(train=5, val=4, test=2, size=128)
    again = open_dataset(DatasetSpec("aerial", aerial=more))["test"]
    assert again.split == few.split
    assert all(np.array_equal(again.image(k), few.image(k)) for k in range(2))


def test_a_scene_is_drawn_once(monkeypatch):
    drawn = []

    def counting(seed, index, size):
        drawn.append(index)
        return draw_scene(seed, index, size)

    draw_scene = scenes.draw_scene
    monkeypatch.setattr("pipelines.data.scenes.draw_scene", counting)
    train = open_dataset(FEW)["train"]
    assert drawn == []
    for _ in range(2):
        assert len(train.split.images) == 3
        assert train.image(2).shape == (128, 128, 3)
    assert drawn == [0, 1, 2]


# ---- real data


@needs_laboro
def test_laboro_singles():
    whole = open_dataset(
        DatasetSpec("laboro", root=str(LABORO.parent), validation_fraction=0), report=ignore
    )
    assert sizes(whole) == {"train": 354, "test": 88}
    assert [len(source.split.annotations) for source in whole.values()] == [2357, 553]
    parts = open_dataset(DatasetSpec("laboro", root=str(LABORO.parent)), report=ignore)
    assert sizes(parts) == {"train": 301, "val": 53, "test": 88}
    assert not file_names(parts["train"]) & file_names(parts["val"])
    assert file_names(parts["train"]) | file_names(parts["val"]) == file_names(whole["train"])


@needs_laboro
def test_laboro_mosaics_without_val():
    reports: list[str] = []
    spec = DatasetSpec("laboro-mosaics", root=str(LABORO.parent), validation_fraction=0)
    sources = open_dataset(spec, report=reports.append)
    assert sizes(sources) == {"train": 88, "test": 22}
    singles = open_dataset(
        DatasetSpec("laboro", root=str(LABORO.parent), validation_fraction=0), report=ignore
    )
    for name, made in sources.items():
        assert isinstance(made, MosaicSource)
        single = singles[name].split.annotations_by_image()
        for group, found in zip(made.groups, made.split.annotations_by_image(), strict=True):
            members = [annotation for member in group for annotation in single[member]]
            assert [a.bbox[2:] for a in found] == [
                pytest.approx((a.bbox[2] * 256 / 640, a.bbox[3] * 256 / 640)) for a in members
            ]
            assert all(min(a.bbox) >= 0 for a in found)
            assert all(a.bbox[0] + a.bbox[2] <= 512 + 1e-9 for a in found)
            assert all(a.bbox[1] + a.bbox[3] <= 512 + 1e-9 for a in found)
    assert len(sources["test"].split.annotations) == 553
    assert any("train: 88 mosaics of 352 images; dropped the 2 left over" in r for r in reports)


@needs_laboro
def test_laboro_mosaics_show_their_images_at_half_of_512():
    source = open_dataset(DatasetSpec("laboro-mosaics", root=str(LABORO.parent)), report=ignore)[
        "val"
    ]
    assert len(source.split.images) == 13
    assert isinstance(source, MosaicSource)
    image = source.image(0)
    assert image.shape == (512, 512, 3)
    last = source.source.image(source.groups[0][3]).astype(float)
    blocks = last.reshape(128, 5, 128, 5, 3).mean((1, 3))
    tile = image[256:, 256:].astype(float).reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(tile - blocks).mean() < 2


@needs_nwpu
def test_nwpu_has_its_published_classes_and_no_faults():
    reports: list[str] = []
    whole = open_dataset(
        DatasetSpec("nwpu", root=str(NWPU.parent), validation_fraction=0), report=reports.append
    )
    assert sizes(whole) == {"train": 520, "test": 130}
    assert [len(source.split.annotations) for source in whole.values()] == [3108, 813]
    assert len(whole["train"].split.categories) == 10
    assert not reports
    parts = open_dataset(DatasetSpec("nwpu", root=str(NWPU.parent)), report=ignore)
    assert sizes(parts) == {"train": 442, "val": 78, "test": 130}


@needs_coco_mini
def test_coco_mini_has_its_published_counts_in_cocos_eighty_classes():
    reports: list[str] = []
    spec = DatasetSpec("coco-mini", root=str(COCO_MINI.parent), validation_fraction=0)
    sources = open_dataset(spec, report=reports.append)
    assert sizes(sources) == {"train": 128, "test": 128}
    assert [len(source.split.annotations) for source in sources.values()] == [929, 898]
    categories = sources["train"].split.categories
    assert len(categories) == 80
    assert (categories[0].name, categories[-1].id) == ("person", 90)
    assert all("clipped" in report for report in reports)
