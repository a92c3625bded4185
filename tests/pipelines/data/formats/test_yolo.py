from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from pipelines.data.formats.text_files import LARGEST_FILE
from pipelines.data.formats.yolo import is_yolo, read_yolo
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import Annotation, Category, ImageRecord
from pipelines.system.errors import UserError

ORIENTATION = 0x0112
YAML = "names: [cup, plate]\ntrain: images/train\nval: images/val\n"


def add(folder: Path, image: str, labels: str | None, size: tuple[int, int] = (40, 20)) -> Path:
    """An image of the folder, and its labels where Ultralytics looks for them."""
    file = folder / image
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "green").save(file)
    label = folder / image.replace("images/", "labels/").rpartition(".")[0]
    label.parent.mkdir(parents=True, exist_ok=True)
    label = label.with_name(f"{label.name}.txt")
    if labels is not None:
        label.write_text(labels)
    return label


def turned(folder: Path, image: str, orientation: int, size: tuple[int, int] = (40, 20)) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(folder / image, exif=exif)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    add(root, "images/train/b.png", "1 0.5 0.5 0.5 0.5\n0 0.25 0.5 0.25 0.25\n")
    add(root, "images/train/a.jpg", "0 0.5 0.5 1 1\n", (30, 10))
    add(root, "images/val/c.png", "1 0.75 0.75 0.5 0.5")
    (root / "data.yaml").write_text(YAML)
    return root


@contextmanager
def good_or_refused(file: str) -> Iterator[None]:
    """Either the body succeeds, or the error is for the user and names the file."""
    refused = ""
    try:
        yield
    except UserError as error:
        refused = str(error)
    assert not refused or file in refused


def boxes(folder: Path, split: str = "train", **options: bool) -> list[list[float]]:
    sources = read_yolo(folder, report=lambda message: None, **options)
    return [list(a.bbox) for a in sources[split].split.annotations]


# ---- what is read


def test_labels_become_boxes_in_pixels_in_the_order_of_the_file_names(folder):
    reports: list[str] = []
    sources = read_yolo(folder, report=reports.append)
    assert is_yolo(folder)
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
    assert boxes(folder, "val") == [[20, 10, 20, 10]]
    assert reports == []


def test_a_polygon_becomes_its_bounding_box_and_is_counted(folder):
    add(folder, "images/train/b.png", "0 .1 .2 .3 .1 .2 .5\n1 .5 .5 .5 .5\n0 0 0 1 0 1 1 0 1\n")
    reports: list[str] = []
    split = read_yolo(folder, report=reports.append)["train"].split
    assert [a.bbox for a in split.annotations[1:]] == [
        pytest.approx((4, 2, 8, 8)),
        (10, 5, 20, 10),
        (0, 0, 40, 20),
    ]
    assert reports == [
        f"{folder} (train): 2 lines are polygons, of which the bounding box is taken "
        f"(first: {folder}/labels/train/b.txt: line 1)"
    ]


def test_a_line_that_occurs_twice_is_taken_once_and_reported(folder):
    add(folder, "images/train/b.png", "1 .5 .5 .5 .5\n0 .5 .5 .5 .5\n1 0.5 0.50 .5 .5\n")
    reports: list[str] = []
    split = read_yolo(folder, report=reports.append)["train"].split
    assert [(a.image_id, a.category_id) for a in split.annotations] == [(1, 1), (2, 2), (2, 1)]
    assert ["1 lines repeat" in report and "b.txt: line 3" in report for report in reports] == [
        True
    ]


def test_an_image_without_labels_shows_no_object_and_is_reported_if_the_file_is_missing(folder):
    add(folder, "images/train/empty.png", "\n \n")
    add(folder, "images/train/none.png", None)
    reports: list[str] = []
    split = read_yolo(folder, report=reports.append)["train"].split
    assert [len(found) for found in split.annotations_by_image()] == [1, 2, 0, 0]
    assert reports == [
        f"{folder} (train): 1 images have no file of labels and are taken to show no object "
        "(first: 'images/train/none.png')"
    ]


def test_labels_without_an_image_are_reported(folder):
    for name in ("y.txt", "x.txt", "classes.txt"):
        (folder / "labels" / "train" / name).write_text("0 .5 .5 .5 .5")
    reports: list[str] = []
    read_yolo(folder, report=reports.append)
    assert reports == [
        f"{folder}: 2 files of labels have no image that is used (first: 'labels/train/x.txt')"
    ]


@pytest.mark.parametrize("ending", ["JPG", "jpeg", "PNG", "bmp", "webp", "tif", "TIFF"])
def test_images_of_the_usual_endings_are_read(folder, ending):
    add(folder, f"images/train/z.{ending}", "0 .5 .5 .5 .5")
    assert boxes(folder)[-1] == [10, 5, 20, 10]


# ---- sizes


@pytest.mark.parametrize("name", ["b.jpg", "b.png", "b.webp", "b.tif"])
def test_boxes_lie_on_the_image_as_its_exif_orientation_turns_it(folder, name):
    (folder / "images" / "train" / "b.png").unlink()
    turned(folder, f"images/train/{name}", 6)
    source = read_yolo(folder)["train"]
    assert source.split.images[1] == ImageRecord(2, f"images/train/{name}", 20, 40)
    assert source.image(1).shape == (40, 20, 3)
    assert source.split.annotations[1].bbox == (5, 10, 10, 20)


@pytest.mark.parametrize(("orientation", "size"), [(3, (40, 20)), (2, (40, 20)), (6, (30, 30))])
def test_an_image_whose_turning_does_not_show_in_its_size_is_taken_upright(
    folder, orientation, size
):
    turned(folder, "images/train/a.png", orientation, size)
    (folder / "images" / "train" / "a.jpg").unlink()
    stored = Image.open(folder / "images" / "train" / "a.png")
    source = read_yolo(folder)["train"]
    assert source.image(0).tolist() == np.asarray(ImageOps.exif_transpose(stored)).tolist()


def test_an_image_that_is_none_or_far_too_large_is_refused_by_name(folder, monkeypatch):
    image = folder / "images" / "train" / "a.jpg"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 299)
    with pytest.raises(UserError, match=r"a\.jpg: is larger than 299 pixels"):
        read_yolo(folder)
    image.write_bytes(b"\xff\xd8\xff\xe0 no more")
    with pytest.raises(UserError, match=r"a\.jpg: is no image that can be read"):
        read_yolo(folder)


@given(position=st.integers(0, 200), junk=st.binary(max_size=8))
@settings(max_examples=60)
def test_a_damaged_header_is_read_or_refused_by_name(tmp_path_factory, position, junk):
    root = tmp_path_factory.mktemp("junk")
    add(root, "images/train/a.jpg", "0 .5 .5 .5 .5")
    turned(root, "images/train/a.jpg", 6)
    (root / "data.yaml").write_text("names: [cup]\ntrain: images/train\n")
    image = root / "images" / "train" / "a.jpg"
    content = image.read_bytes()
    image.write_bytes(content[:position] + junk + content[position + len(junk) :])
    with good_or_refused("a.jpg"):
        sizes = [(i.width, i.height) for i in read_yolo(root)["train"].split.images]
        assert min(sizes[0]) > 0


# ---- broken labels

BROKEN = [
    ("0 .5 .5 .5", "of 4 columns and not class cx cy w h", "of other columns"),
    ("0 .5 .5 .5 .5 .9", "of 6 columns", "of other columns"),
    ("0 .1 .1 .2 .2 .3 .3 .4", "of 8 columns", "of other columns"),
    ("cup .5 .5 .5 .5", "'cup .5 .5 .5 .5', which is not all numbers", "not of numbers"),
    ("\x00\x01 1 1 1 1", "which is not all numbers", "not of numbers"),
    ("0 nan .5 .5 .5", "which is not finite", "not finite"),
    ("0 .1 .1 .2 inf .3 .3", "which is not finite", "not finite"),
    ("2 .5 .5 .5 .5", "of a class that is not one of the whole numbers 0 to 1", "of unknown class"),
    ("-1 .5 .5 .5 .5", "of a class that is not", "of unknown class"),
    ("0.5 .5 .5 .5 .5", "of a class that is not", "of unknown class"),
    ("nan .5 .5 .5 .5", "of a class that is not", "of unknown class"),
    ("0 .5 .5 0 .5", "has no area", "without area"),
    ("0 .5 .5 -.5 .5", "has no area", "without area"),
    ("0 1.1 .5 .3 .5", "outside image id 2 of 40x20 px", "outside the image"),
    ("0 20 10 20 10", "outside image id 2", "outside the image"),
]


@pytest.mark.parametrize(("line", "words", "kind"), BROKEN)
def test_a_broken_line_stops_the_run_or_is_dropped_and_reported(folder, line, words, kind):
    label = add(folder, "images/train/b.png", f"\n{line}\n1 .5 .5 .5 .5\n")
    with pytest.raises(UserError, match=words) as caught:
        read_yolo(folder)
    assert str(caught.value).startswith(f"{label}: line 2 ")
    assert "--drop-broken" in str(caught.value)
    reports: list[str] = []
    split = read_yolo(folder, drop_broken=True, report=reports.append)["train"].split
    assert [a.image_id for a in split.annotations] == [1, 2]
    assert reports == [f"{folder} (train): dropped 1 broken boxes: 1 {kind}"]


def test_a_box_over_the_edge_by_rounding_is_clipped_and_counted(folder):
    add(folder, "images/train/b.png", "0 .8875 .5 .275 1")
    reports: list[str] = []
    split = read_yolo(folder, report=reports.append)["train"].split
    assert split.annotations[1].bbox == pytest.approx((30, 0, 10, 20))
    assert "clipped 1 boxes" in reports[0]


def test_a_split_without_boxes_says_where_labels_are_looked_for(folder):
    (folder / "labels" / "val" / "c.txt").unlink()
    with pytest.raises(UserError, match=r"\(val\): no boxes in the split; .*labels/val/c\.txt"):
        read_yolo(folder)


def test_an_endless_line_and_binary_labels_are_refused_by_name(folder):
    label = add(folder, "images/train/b.png", "0 " + ".5 " * (10 * 2**20 // 3))
    with pytest.raises(UserError, match=rf"b\.txt: has more than {LARGEST_FILE} bytes"):
        read_yolo(folder)
    label.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    with pytest.raises(UserError, match=r"b\.txt: is not text in UTF-8"):
        read_yolo(folder)


@given(content=st.binary(max_size=60) | st.text("01. -e\nna", max_size=60).map(str.encode))
@settings(max_examples=60)
def test_whatever_labels_hold_the_error_is_for_the_user(tmp_path_factory, content):
    root = tmp_path_factory.getbasetemp() / "any-labels"
    add(root, "images/train/a.png", None).write_bytes(content)
    (root / "data.yaml").write_text("names: [cup]\ntrain: images/train\n")
    with good_or_refused("a.txt"):
        for a in read_yolo(root, report=lambda message: None)["train"].split.annotations:
            x, y, width, height = a.bbox
            assert min(x, y, width, height) >= 0
            assert x + width <= 40 + 1e-9
            assert y + height <= 20 + 1e-9


# ---- there and back

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


def test_a_data_set_in_yolos_form_is_prepared(folder, tmp_path):
    prepare(read_yolo(folder), tmp_path / "p", 10, progress=False)
    split = load_prepared(tmp_path / "p", "train")
    assert split.class_names == ("cup", "plate")
    assert split.labels(1).tolist() == [2, 1]
    assert split.boxes(1).tolist() == [[2.5, 2.5, 7.5, 7.5], [1.25, 3.75, 3.75, 6.25]]
    assert load_prepared(tmp_path / "p", "val").boxes(0).tolist() == [[5, 5, 10, 10]]
