"""Small data sets in the layouts that annotation tools leave, from folder to prepared data."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.data import preparing
from pipelines.data.dataset_spec import Tolerance
from pipelines.data.preparation import Preparation
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.system.errors import UserError

CASES = Path(__file__).with_name("cases")
SIZE = 64


@dataclass
class Prepared:
    """What came out: the splits by name, and what was said."""

    splits: dict[str, PreparedSplit]
    said: str
    manifest: dict[str, object]

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(split.images) for name, split in self.splits.items()}

    @property
    def classes(self) -> tuple[str, ...]:
        return self.splits["train"].class_names


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Copies a case, to be altered."""
    monkeypatch.setattr(preparing, "DATA", tmp_path / "data")

    def copy(case: str) -> Path:
        return Path(shutil.copytree(CASES / case, tmp_path / case))

    return copy


@pytest.fixture
def make(capsys):
    """Prepares a folder as the workbench does."""

    def ready(folder: Path, tolerance: Tolerance | None = None) -> Prepared:
        prepared = preparing.ensure_prepared(Preparation(str(folder), SIZE), tolerance=tolerance)
        manifest = json.loads((prepared / "manifest.json").read_text())
        splits = {name: load_prepared(prepared, name) for name in manifest["splits"]}
        return Prepared(splits, capsys.readouterr().err, manifest)

    return ready


def edit(file: Path, change) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_cvats_coco_of_two_subsets(own, make):
    made = make(own("coco-cvat"))
    assert made.counts == {"train": 7, "val": 1, "test": 4}
    assert made.classes == ("unripe", "ripe")
    assert (
        "train: COCO of annotations/instances_Train.json, 8 photographs in images/Train/"
        in made.said
    )
    assert (
        "val: COCO of annotations/instances_Validation.json, 4 photographs in images/Validation/"
        in made.said
    )
    assert "has no test split, so results are measured on its val" in made.said


def test_cvats_coco_of_one_task(own, make):
    made = make(own("coco-cvat-default"))
    assert made.counts == {"train": 8, "val": 2, "test": 2}
    assert "instances_default.json is the only COCO json, so all of it is train" in made.said
    assert "has no test split; 2 of its images are held out for one" in made.said
    assert "has no val split; 2 of its train images are held out for one" in made.said


def test_photographs_in_folders_of_the_splits_names(own, make):
    assert make(own("coco-instances")).counts == {"train": 7, "val": 1, "test": 4}


def test_boxes_that_overhang_are_cut_and_counted(own, make):
    made = make(own("coco-overhang"))
    assert sum(made.counts.values()) == 12
    assert "clipped 2 boxes that were over the image's edge by up to 2 px" in made.said
    said = made.manifest["reading"]["said"]
    assert said[0].startswith("annotations/train.json: clipped 2 boxes")
    for split in made.splits.values():
        for index in range(len(split.images)):
            assert (split.boxes(index) >= 0).all()
            assert (split.boxes(index) <= SIZE).all()


def test_a_box_that_is_mostly_outside_is_left_out_on_request_alone(own, make):
    folder = own("coco-overhang")
    edit(
        folder / "annotations" / "train.json",
        lambda coco: coco["annotations"][0].update(bbox=[86.1, 4, 20, 20]),  # 9.9 of 20 inside
    )
    with pytest.raises(UserError, match=r"outside .* by half of itself or more.*--drop-broken"):
        make(folder)
    made = make(folder, Tolerance(drop_broken=True))
    assert "dropped 1 broken boxes: 1 outside the image" in made.said
    assert made.manifest["reading"]["drop_broken"] is True


def test_boxes_come_from_polygons(own, make):
    folder = own("coco-polygons")
    made = make(folder)
    assert "36 annotations have no bbox; their segmentation's extent is taken" in made.said
    coco = json.loads((folder / "annotations" / "train.json").read_text())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    expected = {
        (names[a["image_id"]], min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
        for a in coco["annotations"]
        for xs, ys in [(a["segmentation"][0][0::2], a["segmentation"][0][1::2])]
    }
    found = {
        (names[a.image_id], *a.bbox)
        for split in made.splits.values()
        for a in split.coco.annotations
    }
    assert found == expected


def test_roboflows_root_category_is_left_out(own, make):
    folder = own("coco-root-category")
    made = make(folder)
    assert made.classes == ("apple",)
    assert made.counts == {"train": 7, "val": 1, "test": 4}
    assert "the category 'fruits' has no box and is the supercategory of all others" in made.said


def test_a_category_without_boxes_that_is_above_no_other_stays_a_class(own, make):
    folder = own("coco-root-category")
    for split in ("train", "valid"):
        edit(
            folder / split / "_annotations.coco.json",
            lambda coco: coco["categories"].append(
                {"id": 7, "name": "pear", "supercategory": "none"}
            ),
        )
    assert make(folder).classes == ("fruits", "apple", "pear")


def test_ids_that_are_text_and_widths_that_are_no_integers(own, make):
    folder = own("coco-string-ids")
    made = make(folder)
    assert made.counts == {"train": 8, "val": 2, "test": 2}
    assert sum(len(s.coco.annotations) for s in made.splits.values()) == 36
    assert "image ids are text, such as 'img-1'; numbered from 1" in made.said
    edit(folder / "annotations" / "train.json", lambda coco: coco["images"][0].update(width=96.5))
    with pytest.raises(UserError, match=r"image id img-1 has width 96\.5 and height 72"):
        make(folder)


def test_photographs_that_hang_upside_down_are_seen_as_viewers_show_them(own, make):
    made = make(own("coco-turned"))
    assert made.counts == {"train": 8, "val": 2, "test": 2}


def test_dotas_form_with_own_classes_and_objects_cut_by_tiles(own, make):
    made = make(own("dota-own"))
    assert made.counts == {"train": 7, "val": 1, "test": 4}
    assert made.classes == ("boat", "buoy")
    assert "8 objects have difficult 2, cut by a tile, and are ignored" in made.said
    # Each photograph has a boat, a difficult buoy, and a boat that is cut.
    annotations = made.splits["test"].coco.annotations
    assert [(a.category_id, a.iscrowd) for a in annotations] == [(1, 0), (2, 1), (1, 1)] * 4
    assert len(made.splits["test"].boxes(0)) == 1


def test_difficult_in_any_of_its_forms(own, make):
    made = make(own("voc-difficult"))
    assert sum(made.counts.values()) == 12
    annotations = [a for s in made.splits.values() for a in s.coco.annotations]
    assert [a.iscrowd for a in annotations] == [0] * 36
    assert "27 objects say nothing usable in `difficult`" in made.said


def test_darknets_lists_of_cvat(own, make):
    made = make(own("yolo-darknet"))
    assert made.counts == {"train": 8, "val": 2, "test": 2}
    assert made.classes == ("unripe", "ripe")
    assert "12 photographs do not lie where it is said and were found by name" in made.said


def test_labels_beside_photographs_with_labelimgs_list_of_classes(own, make):
    folder = own("yolo-darknet")
    for name in ("obj.data", "train.txt"):
        (folder / name).unlink()
    (folder / "obj.names").rename(folder / "obj_train_data" / "classes.txt")
    assert make(folder).counts == {"train": 8, "val": 2, "test": 2}


def test_without_a_list_of_classes_it_is_said_what_to_write_where(own, make):
    folder = own("yolo-darknet")
    for name in ("obj.data", "train.txt", "obj.names"):
        (folder / name).unlink()
    with pytest.raises(UserError, match=r"no list of class names; write .*classes\.txt, the name"):
        make(folder)


def test_a_yaml_that_names_a_split_which_was_not_exported(own, make):
    made = make(own("yolo-no-test"))
    assert made.counts == {"train": 7, "val": 1, "test": 4}
    assert "test: '../test/images' is not there; the split is taken as absent" in made.said
