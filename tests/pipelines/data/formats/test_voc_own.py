import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.data.formats.text_files import LARGEST_FILE
from pipelines.data.formats.voc_own import is_own_voc, read_own_voc
from pipelines.data.formats.yolo import read_yolo
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import Annotation, Category, ImageRecord
from pipelines.system.errors import UserError
from tests.pipelines.data.formats.voc_files import (
    SIZE,
    add,
    annotation,
    devkit,
    file_names,
    flat,
    thing,
)

__all__ = ["devkit", "flat"]

ORIENTATION = 0x0112


def test_xml_and_images_in_one_folder_are_all_train(flat):
    reports: list[str] = []
    sources = read_own_voc(flat, report=reports.append)
    assert is_own_voc(flat)
    assert list(sources) == ["train"]
    split = sources["train"].split
    assert split.images == (ImageRecord(1, "a.jpg", 40, 20), ImageRecord(2, "b.png", 40, 20))
    assert split.categories == (Category(1, "cup"), Category(2, "plate"))
    assert split.annotations == (
        Annotation(1, 1, 1, (0, 0, 40, 20), 0, 800),
        Annotation(2, 1, 1, (1, 2, 3, 3), 1, 9),
        Annotation(3, 2, 2, (10, 5, 20, 10), 0, 200),
    )
    assert reports == []


# ---- classes


@pytest.mark.parametrize("file", ["labels.txt", "classes.txt"])
def test_a_file_of_classes_gives_their_order_and_makes_others_broken(flat, file):
    (flat / file).write_text("plate\nbowl\n")
    with pytest.raises(
        UserError, match=r"a\.xml: object 1 has the unknown class 'cup', not one of"
    ):
        read_own_voc(flat)
    reports: list[str] = []
    split = read_own_voc(flat, drop_broken=True, report=reports.append)["train"].split
    assert [c.name for c in split.categories] == ["plate", "bowl"]
    assert [(a.image_id, a.category_id) for a in split.annotations] == [(2, 1)]
    assert reports == [f"{flat} (train): dropped 2 broken boxes: 2 of unknown class"]


def test_an_object_without_a_name_is_broken(flat):
    (flat / "b.xml").write_text(annotation(thing("", (1, 1, 9, 9))))
    with pytest.raises(UserError, match=r"b\.xml: object 1 has the unknown class ''"):
        read_own_voc(flat)
    split = read_own_voc(flat, drop_broken=True, report=lambda message: None)["train"].split
    assert [c.name for c in split.categories] == ["cup"]


# ---- corners


def test_a_box_that_starts_at_zero_makes_the_whole_set_zero_based(devkit):
    (devkit / "Annotations" / "three.xml").write_text(
        annotation(thing("cup", (0, 5, 40, 20)), thing("cup", (10, 0, 12, 20)))
    )
    reports: list[str] = []
    sources = read_own_voc(devkit, report=reports.append)
    assert [a.bbox for a in sources["test"].split.annotations] == [(0, 5, 40, 15), (10, 0, 2, 20)]
    assert [a.bbox for a in sources["train"].split.annotations] == [(1, 1, 8, 8)] * 2
    assert reports == [
        f"{devkit}: a box starts at 0; all corners are read as 0-based and exclusive"
    ]


@pytest.mark.parametrize("corners", [(0, 0, 0, 0), (0, "no", 4, 4), (-30, 0, 9, 9)])
def test_a_broken_box_says_nothing_about_where_counting_starts(flat, corners):
    (flat / "b.xml").write_text(annotation(thing("cup", corners), thing("cup", (11, 6, 30, 15))))
    reports: list[str] = []
    sources = read_own_voc(flat, drop_broken=True, report=reports.append)
    assert list(sources["train"].split.annotations[-1].bbox) == [10, 5, 20, 10]
    assert ["dropped 1 broken boxes" in report for report in reports] == [True]


# ---- which image, and its size


def test_the_filename_counts_only_without_an_image_of_the_xmls_own_name(flat):
    Image.new("RGB", SIZE).save(flat / "other.png")
    assert file_names(flat) == {"train": ["a.jpg", "b.png"]}
    (flat / "b.png").unlink()
    assert file_names(flat) == {"train": ["a.jpg", "other.png"]}


@pytest.mark.parametrize("filename", ["", "../a.png", "/etc/passwd", "a", "a.bmp", "a\x01"])
def test_a_filename_that_is_no_image_of_the_folder_is_refused(flat, filename):
    Image.new("RGB", SIZE).save(flat.parent / "a.png")
    (flat / "b.png").unlink()
    (flat / "b.xml").write_text(annotation(filename=filename.replace("\x01", "&#1;")))
    with pytest.raises(
        UserError, match=r"b\.xml: (there is no image 'b' in|is not xml|has the same image)"
    ):
        read_own_voc(flat)


def test_images_that_could_be_meant_twice_are_refused(flat):
    Image.new("RGB", SIZE).save(flat / "b.jpg")
    with pytest.raises(UserError, match=r"b\.xml: has two images, 'b\.jpg' and 'b\.png'"):
        read_own_voc(flat)
    (flat / "b.jpg").unlink()
    (flat / "c.xml").write_text(annotation(filename="a.jpg"))
    with pytest.raises(UserError, match=r"c\.xml: has the same image as .*a\.xml, 'a\.jpg'"):
        read_own_voc(flat)


@pytest.mark.parametrize("size", ["<size><width>0</width><height>0</height></size>", ""])
def test_the_size_is_the_images_own_where_the_xml_has_none(flat, size):
    text = annotation(thing("plate", (11, 6, 30, 15)))
    start, end = text.index("<size>"), text.index("</size>") + len("</size>")
    (flat / "b.xml").write_text(text[:start] + size + text[end:])
    reports: list[str] = []
    split = read_own_voc(flat, report=reports.append)["train"].split
    assert list(split.annotations[-1].bbox) == [10, 5, 20, 10]
    assert reports == [
        f"{flat} (train): 1 xml files have no image size, which the image gives (first: 'b.png')"
    ]


@pytest.mark.parametrize("size", [(41, 20), (20, 40)])
def test_another_size_than_the_images_is_refused(flat, size):
    (flat / "b.xml").write_text(annotation(thing("cup", (1, 1, 9, 9)), size=size))
    with pytest.raises(UserError, match=rf"b\.xml: says {size[0]}x{size[1]} px but .* has 40x20"):
        read_own_voc(flat)


@pytest.mark.parametrize("size", [(20, 40), (40, 20), (0, 0)])
def test_the_size_tells_whether_boxes_lie_on_the_turned_image(flat, size):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", SIZE).save(flat / "b.png", exif=exif)
    (flat / "b.xml").write_text(annotation(thing("cup", (1, 1, 9, 9)), size=size))
    source = read_own_voc(flat, report=lambda message: None)["train"]
    expected = size if any(size) else (20, 40)
    assert (source.split.images[1].width, source.split.images[1].height) == expected
    assert source.image(1).shape == (expected[1], expected[0], 3)


# ---- broken and hostile files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\xff\x00", "is not text in UTF-8"),
        (b"\x00\x01\x02", "is not xml"),
        (b"<annotation>", "is not xml"),
        (b"<!DOCTYPE a [<!ENTITY b '&c;&c;'>]><annotation/>", "declares a document type"),
        (b" " * (LARGEST_FILE + 1), f"has more than {LARGEST_FILE} bytes"),
        (annotation(thing("cup", (1, 1, 91, 9))).encode(), "outside image id 2 of 40x20 px"),
        (annotation(thing("cup", (9, 1, 1, 9))).encode(), "object 1 .* has no area"),
        (annotation(size=(-1, 5)).encode(), "has the image size '-1' x '5'"),
    ],
)
def test_a_broken_xml_is_refused_by_name(flat, content, words):
    (flat / "b.xml").write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        read_own_voc(flat)
    assert str(flat / "b.xml") in str(caught.value)


@pytest.mark.parametrize("name", ["b.xml", "b.png", "classes.txt"])
def test_links_that_lead_outside_are_refused(flat, name):
    elsewhere = flat.parent / f"elsewhere-{name}"
    elsewhere.write_bytes((flat / name).read_bytes() if (flat / name).exists() else b"cup")
    (flat / name).unlink(missing_ok=True)
    (flat / name).symlink_to(elsewhere)
    with pytest.raises(UserError, match=rf"{name}' leads outside"):
        read_own_voc(flat)


@pytest.mark.parametrize("name", ["-rf", "a b", "Übung 杯", "a.b.c", "%s"])
def test_unusual_file_names_work(flat, name):
    add(flat / f"{name}.xml", flat / f"{name}.png", thing("cup", (1, 1, 9, 9)))
    assert f"{name}.png" in file_names(flat)["train"]


@pytest.mark.parametrize("name", ["a\nb", "a\x07b", os.fsdecode(b"\xff")])
def test_file_names_that_break_lines_or_are_no_unicode_are_refused_by_name(flat, name):
    add(flat / f"{name}.xml", flat / f"{name}.png", thing("cup", (1, 1, 9, 9)))
    with pytest.raises(UserError, match="has a line end, a control character or no Unicode") as e:
        read_own_voc(flat)
    assert repr(f"{name}.xml") in str(e.value)


# ---- the same boxes in another form


@given(
    corners=st.lists(
        st.tuples(st.integers(1, 30), st.integers(1, 10), st.integers(1, 10), st.integers(1, 10)),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
@settings(max_examples=30)
def test_the_same_boxes_in_yolos_form_are_the_same(tmp_path_factory, corners):
    voc, yolo = tmp_path_factory.mktemp("voc"), tmp_path_factory.mktemp("yolo")
    width, height = SIZE
    things, lines = [], []
    for number, (left, top, across, down) in enumerate(corners):
        name = ("cup", "plate")[number % 2]
        things.append(thing(name, (left, top, left + across - 1, top + down - 1)))
        x, y = (left - 1 + across / 2) / width, (top - 1 + down / 2) / height
        lines.append(f"{number % 2} {x:.8f} {y:.8f} {across / width:.8f} {down / height:.8f}")
    add(voc / "a.xml", voc / "a.png", *things)
    (voc / "labels.txt").write_text("cup\nplate\n")
    for folder in ("images", "labels"):
        (yolo / folder).mkdir()
    Image.new("RGB", SIZE).save(yolo / "images" / "a.png")
    (yolo / "labels" / "a.txt").write_text("\n".join(lines))
    (yolo / "classes.txt").write_text("cup\nplate\n")
    of_voc = read_own_voc(voc, report=lambda message: None)["train"].split
    of_yolo = read_yolo(yolo, report=lambda message: None)["train"].split
    assert of_voc.categories == of_yolo.categories
    for a, b in zip(of_voc.annotations, of_yolo.annotations, strict=True):
        assert (a.id, a.image_id, a.category_id) == (b.id, b.image_id, b.category_id)
        assert a.bbox == pytest.approx(b.bbox, abs=1e-6)


def test_a_data_set_in_vocs_form_is_prepared(flat, tmp_path):
    prepare(read_own_voc(flat), tmp_path / "p", 10, progress=False)
    split = load_prepared(tmp_path / "p", "train")
    assert split.class_names == ("cup", "plate")
    assert split.labels(0).tolist() == [1]
    assert split.boxes(0).tolist() == [[0, 0, 10, 10]]
    assert split.boxes(1).tolist() == [[2.5, 2.5, 7.5, 7.5]]
