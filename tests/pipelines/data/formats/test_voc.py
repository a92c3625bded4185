"""What is read of a devkit, against torchvision and Detectron2."""

import shutil

import pytest
from detectron2.data.datasets.pascal_voc import CLASS_NAMES, load_voc_instances
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.datasets import VOCDetection

from pipelines.data.formats.voc import CLASSES, read_voc
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import ImageRecord
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.system.errors import UserError
from tests.pipelines.data.formats.voc_devkit import Devkit, object_xml


def test_both_years_are_joined_with_ids_of_their_own(devkit):
    split = read_voc(devkit.path, "train")
    assert split.images == (
        ImageRecord(1, "VOC2007/JPEGImages/000001.jpg", 40, 30),
        ImageRecord(2, "VOC2007/JPEGImages/000005.jpg", 50, 20),
        ImageRecord(3, "VOC2012/JPEGImages/000001.jpg", 30, 40),
        ImageRecord(4, "VOC2012/JPEGImages/2008_000002.jpg", 16, 16),
    )
    assert [(a.id, a.image_id, a.category_id) for a in split.annotations] == [
        (1, 1, 1),
        (2, 2, 15),
        (3, 2, 9),
        (4, 3, 20),
    ]
    assert [image.file_name for image in read_voc(devkit.path, "test").images] == [
        "VOC2007/JPEGImages/000002.jpg"
    ]


def test_corners_are_counted_from_one_and_inclusive(devkit):
    boxes = [a.bbox for a in read_voc(devkit.path, "train").annotations]
    assert boxes == [(0, 0, 40, 30), (10, 1, 10, 10), (2, 3, 6, 7), (3.5, 6.25, 21.25, 33.75)]


def test_difficult_objects_are_crowd_regions(devkit):
    annotations = read_voc(devkit.path, "train").annotations
    assert [a.iscrowd for a in annotations] == [0, 0, 1, 0]
    assert [a.area for a in annotations] == [1200, 100, 42, 21.25 * 33.75]


def test_an_object_that_does_not_say_whether_it_is_difficult_is_not(devkit):
    devkit.alter("<difficult>0</difficult>", "")
    assert read_voc(devkit.path, "train").annotations[0].iscrowd == 0


def test_classes_are_vocs_in_its_order(devkit):
    categories = read_voc(devkit.path, "test").categories
    assert tuple(category.name for category in categories) == CLASSES == CLASS_NAMES
    assert [category.id for category in categories] == list(range(1, 21))


def test_a_box_over_the_edge_by_up_to_one_pixel_is_clipped_and_counted(devkit):
    devkit.alter("<xmin>1</xmin>", "<xmin>0</xmin>")
    reports: list[str] = []
    split = read_voc(devkit.path, "train", report=reports.append)
    assert list(split.annotations[0].bbox) == [0, 0, 40, 30]
    assert reports == [
        f"{devkit.path} (VOC2007 trainval, VOC2012 trainval): "
        "clipped 1 boxes that were over the image's edge by up to 1 px"
    ]


# ---- outside oracles


def test_the_annotations_are_those_that_torchvision_parses(devkit):
    theirs = [
        target["annotation"]
        for year, part in (("2007", "trainval"), ("2012", "trainval"))
        for _, target in VOCDetection(devkit.path.parent, year, part)
    ]
    split = read_voc(devkit.path, "train")
    groups = split.annotations_by_image()
    for image, found, entry in zip(split.images, groups, theirs, strict=True):
        assert image.file_name == f"{entry['folder']}/JPEGImages/{entry['filename']}"
        assert (image.width, image.height) == tuple(
            int(entry["size"][side]) for side in ("width", "height")
        )
        for a, one in zip(found, entry["object"], strict=True):
            x, y, width, height = a.bbox
            assert (CLASSES[a.category_id - 1], a.iscrowd) == (one["name"], int(one["difficult"]))
            assert [float(side) for side in one["bndbox"].values()] == [
                x + 1,
                y + 1,
                x + width,
                y + height,
            ]


CORNERS = st.tuples(*[st.floats(1, 63).map(lambda v: round(v, 2))] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)
OBJECTS = st.lists(st.tuples(st.sampled_from(CLASSES), CORNERS, st.integers(0, 1)), max_size=3)


# Detectron2 takes a list of a single name for no list: two images a year.
@given(content=st.lists(OBJECTS, min_size=4, max_size=6))
@settings(max_examples=20)
def test_boxes_and_classes_equal_detectron2s(tmp_path_factory, content):
    devkit = Devkit(tmp_path_factory.mktemp("any") / "VOCdevkit")
    content[0].append(("car", (2, 3, 9, 9), 0))
    years = ("VOC2007", "VOC2012")
    for number, objects in enumerate(content):
        text = [object_xml(name, box, difficult=hard) for name, box, hard in objects]
        devkit.add(years[number % 2], "trainval", f"{number:06d}", (63, 63), *text)
    theirs = [
        entry
        for year in years
        for entry in load_voc_instances(str(devkit.path / year), "trainval", list(CLASSES))
    ]
    split = read_voc(devkit.path, "train")
    assert [str(devkit.path / image.file_name) for image in split.images] == [
        entry["file_name"] for entry in theirs
    ]
    for found, entry in zip(split.annotations_by_image(), theirs, strict=True):
        expected = entry["annotations"]
        assert [a.category_id - 1 for a in found] == [one["category_id"] for one in expected]
        for a, one in zip(found, expected, strict=True):
            x, y, width, height = a.bbox
            assert [x, y, x + width, y + height] == pytest.approx(one["bbox"], abs=1e-9)


def test_a_devkit_opens_by_its_folder_with_a_part_held_out(devkit):
    spec = DatasetSpec(str(devkit.path), validation_fraction=0.25, split_seed=1)
    sources = open_dataset(spec)
    assert list(sources) == ["train", "val", "test"]
    whole = read_voc(devkit.path, "train")
    both = [*sources["train"].split.images, *sources["val"].split.images]
    assert sorted(both, key=lambda image: image.id) == list(whole.images)
    assert len(sources["val"].split.images) == 1
    assert sources["test"].split == read_voc(devkit.path, "test")


def test_voc_by_its_name_is_trained_on_whole(devkit, tmp_path):
    sources = open_dataset(DatasetSpec("voc", root=str(tmp_path)))
    assert list(sources) == ["train", "test"]
    assert sources["train"].split == read_voc(devkit.path, "train")


def test_voc_is_prepared_with_its_difficult_objects_left_to_evaluation(devkit, tmp_path):
    spec = DatasetSpec(str(devkit.path), validation_fraction=0)
    prepare(open_dataset(spec), tmp_path / "p", 16, progress=False)
    split = load_prepared(tmp_path / "p", "train")
    assert split.class_names == CLASSES
    assert split.coco == read_voc(devkit.path, "train")
    assert split.labels(1).tolist() == [15]
    assert split.boxes(1).tolist() == [pytest.approx([3.2, 0.8, 6.4, 8.8])]


def test_a_devkit_without_its_first_year(devkit):
    shutil.rmtree(devkit.path / "VOC2007")
    with pytest.raises(UserError, match=r"VOC2007/ImageSets/Main/trainval.txt: no such file"):
        open_dataset(DatasetSpec("voc", root=str(devkit.path.parent)))
