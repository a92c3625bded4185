"""VOC's files with faults in them: named, refused, or dropped on request."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.formats.text_files import LARGEST_FILE
from pipelines.data.formats.voc import read_voc
from pipelines.system.errors import UserError
from tests.pipelines.data.formats.voc_devkit import PARTS, Devkit

BROKEN_BOXES = [
    ("aeroplane", "plane", "has the unknown class 'plane'", "of unknown class"),
    ("<name>aeroplane</name>", PARTS, "has the unknown class ''", "of unknown class"),
    ("<xmin>1</xmin>", "", r"has the corners \(, 1, 40, 30\), which", "not of four numbers"),
    ("<xmin>1</xmin>", "<xmin>one</xmin>", r"corners \(one, 1, 40, 30\)", "not of four numbers"),
    ("<xmin>1</xmin>", "<xmin>nan</xmin>", "which is not finite", "not finite"),
    ("<xmin>1</xmin>", "<xmin>1e999</xmin>", "which is not finite", "not finite"),
    ("<xmin>1</xmin>", "<xmin>41</xmin>", "has no area", "without area"),
    ("<xmin>1</xmin>", "<xmin>-99</xmin>", "outside image id 1 of 40x30 px", "outside the image"),
    ("<ymax>30</ymax>", "<ymax>91</ymax>", "outside image id 1", "outside the image"),
]


@pytest.mark.parametrize(("old", "new", "words", "kind"), BROKEN_BOXES)
def test_a_broken_box_stops_the_run_or_is_dropped_and_reported(devkit, old, new, words, kind):
    file = devkit.alter(old, new)
    with pytest.raises(UserError, match=words) as caught:
        read_voc(devkit.path, "train")
    assert str(caught.value).startswith(f"{file}: object 1 has ")
    assert "--drop-broken" in str(caught.value)
    reports: list[str] = []
    split = read_voc(devkit.path, "train", drop_broken=True, report=reports.append)
    assert [a.image_id for a in split.annotations] == [2, 2, 3]
    assert [report.partition("): ")[2] for report in reports] == [
        f"dropped 1 broken boxes: 1 {kind}"
    ]


def test_the_box_of_a_part_does_not_stand_in_for_the_objects_own(devkit):
    file = devkit.xml("VOC2007", "000005")
    file.write_text(re.sub("(?<=</difficult>)<bndbox>.*?</bndbox>", "", file.read_text()))
    with pytest.raises(UserError, match=r"object 1 has the corners \(, , , \)"):
        read_voc(devkit.path, "train")


# ---- broken files


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<annotation>", "", "is not xml"),
        ("</annotation>", "", "is not xml .*; unpack VOC's archives"),
        ("<width>40</width>", "", "has the image size '' x '30'"),
        ("<width>40</width>", "<width>0</width>", "has the image size '0' x '30'"),
        ("<height>30</height>", "<height>3.5</height>", "has the image size '40' x '3.5'"),
    ],
)
@pytest.mark.parametrize("drop_broken", [False, True])
def test_broken_annotations(devkit, old, new, words, drop_broken):
    file = devkit.alter(old, new)
    with pytest.raises(UserError, match=words) as caught:
        read_voc(devkit.path, "train", drop_broken=drop_broken)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


BOMB = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE a [<!ENTITY b "bang"><!ENTITY c "&b;&b;&b;&b;">]>
<annotation><size><width>&c;</width></size></annotation>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp500"])
def test_entities_are_refused_in_whatever_encoding(devkit, encoding):
    file = devkit.xml("VOC2007", "000001")
    file.write_bytes(BOMB.format(encoding=encoding).encode(encoding))
    readable = encoding.startswith("utf-8")
    words = "declares a document type or entities" if readable else "is not text in UTF-8|not xml"
    with pytest.raises(UserError, match=words):
        read_voc(devkit.path, "train")


def test_a_document_type_hidden_by_its_declared_encoding_is_not_followed(devkit):
    # UTF-7 spells "<!DOCTYPE" without a "<"; the text is read as UTF-8 whatever it says of itself.
    file = devkit.xml("VOC2007", "000001")
    hidden = "+ADwAIQ-DOCTYPE a [+ADwAIQ-ENTITY b 'bang'>]><annotation/>"
    file.write_text(f'<?xml version="1.0" encoding="utf-7"?>{hidden}')
    with pytest.raises(UserError, match="is not xml"):
        read_voc(devkit.path, "train")


def test_a_file_of_more_than_the_limit_is_refused(devkit):
    file = devkit.xml("VOC2007", "000001")
    good = file.read_bytes()
    file.write_bytes(good + b" " * (LARGEST_FILE - len(good)))
    read_voc(devkit.path, "train")
    file.write_bytes(good + b" " * (LARGEST_FILE - len(good)) + b"\n")
    with pytest.raises(UserError, match=f"000001.xml: has more than {LARGEST_FILE} bytes"):
        read_voc(devkit.path, "train")


@given(content=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_whatever_the_files_hold_the_error_is_for_the_user(tmp_path_factory, content):
    devkit = Devkit(tmp_path_factory.getbasetemp() / "any")
    for file in (devkit.list("VOC2007", "test"), devkit.xml("VOC2007", "1")):
        file.parent.mkdir(parents=True, exist_ok=True)
        devkit.list("VOC2007", "test").write_text("1\n")
        file.write_bytes(content)
        with pytest.raises(UserError):
            read_voc(devkit.path, "test")


@pytest.mark.parametrize("kind", ["list", "xml", "jpeg"])
def test_a_missing_file_is_named(devkit, kind):
    file = {
        "list": devkit.list("VOC2012", "trainval"),
        "xml": devkit.xml("VOC2012", "2008_000002"),
        "jpeg": devkit.jpeg("VOC2012", "2008_000002"),
    }[kind]
    file.unlink()
    with pytest.raises(UserError, match="unpack VOC's archives there again") as caught:
        read_voc(devkit.path, "train")
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("../../secret", "the line '../../secret' is no image's name"),
        ("/etc/passwd", "the line '/etc/passwd' is no image's name"),
        ("000005.jpg", "the line '000005.jpg' is no image's name"),
        ("000005  1", "the line '000005  1' is no image's name"),
        ("000005", "lists '000005' more than once"),
    ],
)
def test_a_list_with_odd_lines(devkit, line, words):
    file = devkit.list("VOC2007", "trainval")
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(UserError, match=words) as caught:
        read_voc(devkit.path, "train")
    assert str(file) in str(caught.value)


def test_blank_lines_and_windows_line_ends_in_a_list_are_nothing(devkit):
    before = read_voc(devkit.path, "train")
    file = devkit.list("VOC2007", "trainval")
    file.write_bytes(file.read_bytes().replace(b"\n", b" \r\n\r\n"))
    assert read_voc(devkit.path, "train") == before


def test_a_byte_order_mark_is_nothing(devkit):
    before = read_voc(devkit.path, "train")
    for file in (devkit.list("VOC2007", "trainval"), devkit.xml("VOC2007", "000001")):
        file.write_text(file.read_text(), encoding="utf-8-sig")
    assert read_voc(devkit.path, "train") == before


def test_a_split_without_boxes_is_refused(devkit):
    file = devkit.xml("VOC2007", "000002")
    file.write_text(file.read_text().replace("<difficult>0", "<difficult>1"))
    with pytest.raises(UserError, match=r"\(VOC2007 test\): no boxes in the split but difficult"):
        read_voc(devkit.path, "test")
