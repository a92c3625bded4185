"""YOLO's text: what is read of labels and images, and that boxes come back as written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from pipelines.data.formats.yolo import is_yolo, read_yolo
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import Annotation, Category, ImageRecord
from tests.pipelines.data.formats.yolo_files import add, boxes, turned


def test_labels_become_boxes_in_pixels_in_the_order_of_the_file_names(yolo):
    reports: list[str] = []
    sources = read_yolo(yolo, report=reports.append)
    assert is_yolo(yolo)
    assert list(sources) == ["train", "val"]
    split = sources["train"].split
    assert split.images == (
        ImageRecord(1, "images/train/a.jpg", 30, 10),
        ImageRecord(2, "images/train/b.png", 40, 20),
    )
    assert split.categories == (Category(1, "cup"), Category(2, "plate"))
    assert split.annotations == (
        Annotation(1, 1, 1, (0, 0, 30, 10), 0, 300),
        Annotation(2, 2, 2, (10, 5, 20, 10), 0, 200),
        Annotation(3, 2, 1, (5, 7.5, 10, 5), 0, 50),
    )
    assert boxes(yolo, "val") == [[20, 10, 20, 10]]
    assert reports == []


def test_a_polygon_becomes_its_bounding_box_and_is_counted(yolo):
    add(yolo, "images/train/b.png", "0 .1 .2 .3 .1 .2 .5\n1 .5 .5 .5 .5\n0 0 0 1 0 1 1 0 1\n")
    reports: list[str] = []
    split = read_yolo(yolo, report=reports.append)["train"].split
    assert [a.bbox for a in split.annotations[1:]] == [
        pytest.approx((4, 2, 8, 8)),
        (10, 5, 20, 10),
        (0, 0, 40, 20),
    ]
    assert reports == [
        f"{yolo} (train): 2 lines are polygons, of which the bounding box is taken "
        f"(first: {yolo}/labels/train/b.txt: line 1)"
    ]


def test_a_line_that_occurs_twice_is_taken_once_and_reported(yolo):
    add(yolo, "images/train/b.png", "1 .5 .5 .5 .5\n0 .5 .5 .5 .5\n1 0.5 0.50 .5 .5\n")
    reports: list[str] = []
    split = read_yolo(yolo, report=reports.append)["train"].split
    assert [(a.image_id, a.category_id) for a in split.annotations] == [(1, 1), (2, 2), (2, 1)]
    assert ["1 lines repeat" in report and "b.txt: line 3" in report for report in reports] == [
        True
    ]


def test_an_image_without_labels_shows_no_object_and_is_reported_if_the_file_is_missing(yolo):
    add(yolo, "images/train/empty.png", "\n \n")
    add(yolo, "images/train/none.png", None)
    reports: list[str] = []
    split = read_yolo(yolo, report=reports.append)["train"].split
    assert [len(found) for found in split.annotations_by_image()] == [1, 2, 0, 0]
    assert reports == [
        f"{yolo} (train): 1 images have no file of labels and are taken to show no object "
        "(first: 'images/train/none.png')"
    ]


def test_labels_without_an_image_are_reported(yolo):
    for name in ("y.txt", "x.txt", "classes.txt"):
        (yolo / "labels" / "train" / name).write_text("0 .5 .5 .5 .5")
    reports: list[str] = []
    read_yolo(yolo, report=reports.append)
    assert reports == [
        f"{yolo}: 2 files of labels have no image that is used (first: 'labels/train/x.txt')"
    ]


@pytest.mark.parametrize("ending", ["JPG", "jpeg", "PNG", "bmp", "webp", "tif", "TIFF"])
def test_images_of_the_usual_endings_are_read(yolo, ending):
    add(yolo, f"images/train/z.{ending}", "0 .5 .5 .5 .5")
    assert boxes(yolo)[-1] == [10, 5, 20, 10]


@pytest.mark.parametrize("name", ["b.jpg", "b.png", "b.webp", "b.tif"])
def test_boxes_lie_on_the_image_as_its_exif_orientation_turns_it(yolo, name):
    (yolo / "images" / "train" / "b.png").unlink()
    turned(yolo, f"images/train/{name}", 6)
    source = read_yolo(yolo)["train"]
    assert source.split.images[1] == ImageRecord(2, f"images/train/{name}", 20, 40)
    assert source.image(1).shape == (40, 20, 3)
    assert source.split.annotations[1].bbox == (5, 10, 10, 20)


@pytest.mark.parametrize(("orientation", "size"), [(3, (40, 20)), (2, (40, 20)), (6, (30, 30))])
def test_an_image_whose_turning_does_not_show_in_its_size_is_taken_upright(yolo, orientation, size):
    turned(yolo, "images/train/a.png", orientation, size)
    (yolo / "images" / "train" / "a.jpg").unlink()
    stored = Image.open(yolo / "images" / "train" / "a.png")
    source = read_yolo(yolo)["train"]
    assert source.image(0).tolist() == np.asarray(ImageOps.exif_transpose(stored)).tolist()


SIDE = st.integers(0, 1000)


@given(
    size=st.tuples(st.integers(8, 300), st.integers(8, 300)),
    corners=st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), min_size=1, max_size=5, unique=True),
)
@settings(max_examples=40)
def test_boxes_written_as_lines_read_back_within_rounding(tmp_path_factory, size, corners):
    width, height = size
    expected = []
    for a, b, c, d in corners:
        left, right = sorted((a * width / 1000, c * width / 1000))
        top, bottom = sorted((b * height / 1000, d * height / 1000))
        if min(right - left, bottom - top) > 0.2:
            expected.append((left, top, right - left, bottom - top))
    expected = list(dict.fromkeys(expected)) or [(0.0, 0.0, float(width), float(height))]
    lines = [
        f"{number % 3} {(x + w / 2) / width:.6f} {(y + h / 2) / height:.6f} "
        f"{w / width:.6f} {h / height:.6f}"
        for number, (x, y, w, h) in enumerate(expected)
    ]
    root = tmp_path_factory.mktemp("back")
    add(root, "images/a.png", "\n".join(lines), size)
    (root / "classes.txt").write_text("a\nb\nc\n")
    found = read_yolo(root, report=lambda message: None)["train"].split.annotations
    assert [a.category_id for a in found] == [number % 3 + 1 for number in range(len(expected))]
    for a, box in zip(found, expected, strict=True):
        assert a.bbox == pytest.approx(box, abs=300 * 1e-6)


def test_a_data_set_in_yolos_form_is_prepared(yolo, tmp_path):
    prepare(read_yolo(yolo), tmp_path / "p", 10, progress=False)
    split = load_prepared(tmp_path / "p", "train")
    assert split.class_names == ("cup", "plate")
    assert split.labels(1).tolist() == [2, 1]
    assert split.boxes(1).tolist() == [[2.5, 2.5, 7.5, 7.5], [1.25, 3.75, 3.75, 6.25]]
    assert load_prepared(tmp_path / "p", "val").boxes(0).tolist() == [[5, 5, 10, 10]]
