"""Damaged images and broken labels in YOLO's form: refused by name, or dropped and counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.data.formats.text_files import LARGEST_FILE
from pipelines.data.formats.yolo import read_yolo
from pipelines.system.errors import UserError
from tests.pipelines.data.formats.yolo_files import add, good_or_refused, turned


def test_an_image_that_is_none_or_far_too_large_is_refused_by_name(yolo, monkeypatch):
    image = yolo / "images" / "train" / "a.jpg"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 299)
    with pytest.raises(UserError, match=r"a\.jpg: is larger than 299 pixels"):
        read_yolo(yolo)
    image.write_bytes(b"\xff\xd8\xff\xe0 no more")
    with pytest.raises(UserError, match=r"a\.jpg: is no image that can be read"):
        read_yolo(yolo)


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
def test_a_broken_line_stops_the_run_or_is_dropped_and_reported(yolo, line, words, kind):
    label = add(yolo, "images/train/b.png", f"\n{line}\n1 .5 .5 .5 .5\n")
    with pytest.raises(UserError, match=words) as caught:
        read_yolo(yolo)
    assert str(caught.value).startswith(f"{label}: line 2 ")
    assert "--drop-broken" in str(caught.value)
    reports: list[str] = []
    split = read_yolo(yolo, drop_broken=True, report=reports.append)["train"].split
    assert [a.image_id for a in split.annotations] == [1, 2]
    assert reports == [f"{yolo} (train): dropped 1 broken boxes: 1 {kind}"]


def test_a_box_over_the_edge_by_rounding_is_clipped_and_counted(yolo):
    add(yolo, "images/train/b.png", "0 .8875 .5 .275 1")
    reports: list[str] = []
    split = read_yolo(yolo, report=reports.append)["train"].split
    assert split.annotations[1].bbox == pytest.approx((30, 0, 10, 20))
    assert "clipped 1 boxes" in reports[0]


def test_a_split_without_boxes_says_where_labels_are_looked_for(yolo):
    (yolo / "labels" / "val" / "c.txt").unlink()
    with pytest.raises(UserError, match=r"\(val\): no boxes in the split; .*labels/val/c\.txt"):
        read_yolo(yolo)


def test_an_endless_line_and_binary_labels_are_refused_by_name(yolo):
    label = add(yolo, "images/train/b.png", "0 " + ".5 " * (10 * 2**20 // 3))
    with pytest.raises(UserError, match=rf"b\.txt: has more than {LARGEST_FILE} bytes"):
        read_yolo(yolo)
    label.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    with pytest.raises(UserError, match=r"b\.txt: is not text in UTF-8"):
        read_yolo(yolo)


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
