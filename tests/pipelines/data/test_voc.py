import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from detectron2.data.datasets.pascal_voc import CLASS_NAMES, load_voc_instances
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.datasets import VOCDetection

from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import ImageRecord
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.text_files import LARGEST_FILE
from pipelines.data.voc import CLASSES, read_voc
from pipelines.errors import UserError

PARTS = (
    "<part><name>head</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax>"
    "</bndbox></part>"
)


def ignore(message: str) -> None:
    """Take a report and do nothing."""


def object_xml(
    name: str,
    corners: Sequence[object],
    *,
    difficult: object = 0,
    before: str = "",
    after: str = "",
) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return (
        f"<object>{before}<name>{name}</name><pose>Left</pose><truncated>1</truncated>"
        f"<difficult>{difficult}</difficult><bndbox>{box}</bndbox>{after}</object>"
    )


@dataclass
class Devkit:
    """A small devkit in VOC's format."""

    path: Path

    def xml(self, year: str, name: str) -> Path:
        return self.path / year / "Annotations" / f"{name}.xml"

    def list(self, year: str, part: str) -> Path:
        return self.path / year / "ImageSets" / "Main" / f"{part}.txt"

    def jpeg(self, year: str, name: str) -> Path:
        return self.path / year / "JPEGImages" / f"{name}.jpg"

    def add(self, year: str, part: str, name: str, size: tuple[int, int], *objects: str) -> None:
        for file in (self.xml(year, name), self.list(year, part), self.jpeg(year, name)):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, "green").save(self.jpeg(year, name))
        with self.list(year, part).open("a") as names:
            names.write(f"{name}\n")
        width, height = size
        self.xml(year, name).write_text(
            f"<annotation><folder>{year}</folder><filename>{name}.jpg</filename>"
            f"<source><database>The {year} Database</database></source>"
            f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
            f"<segmented>0</segmented>{''.join(objects)}</annotation>"
        )

    def alter(self, old: str, new: str) -> Path:
        """Replace a text once in the first file of VOC2007's trainval."""
        file = self.xml("VOC2007", "000001")
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))
        return file


@pytest.fixture
def devkit(tmp_path: Path) -> Devkit:
    """Both years, with the names 000001 in both."""
    kit = Devkit(tmp_path / "VOCdevkit")
    kit.add("VOC2007", "trainval", "000001", (40, 30), object_xml("aeroplane", (1, 1, 40, 30)))
    kit.add(
        "VOC2007",
        "trainval",
        "000005",
        (50, 20),
        object_xml("person", (11, 2, 20, 11), before=PARTS, after=PARTS),
        object_xml("chair", (3, 4, 8, 10), difficult=1),
    )
    kit.add(
        "VOC2012",
        "trainval",
        "000001",
        (30, 40),
        object_xml("tvmonitor", ("4.5", "7.25", "24.75", "40.0")),
    )
    kit.add("VOC2012", "trainval", "2008_000002", (16, 16))
    kit.add("VOC2007", "test", "000002", (24, 24), object_xml("dog", (5, 5, 8, 8)))
    return kit


# ---- what is read


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
                x + 1, y + 1, x + width, y + height
            ]  # fmt: skip


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


# ---- broken boxes

BROKEN_BOXES = [
    ("aeroplane", "plane", "has the unknown class 'plane'", "of unknown class"),
    ("<name>aeroplane</name>", PARTS, "has the unknown class ''", "of unknown class"),
    ("<xmin>1</xmin>", "", r"has the corners \(, 1, 40, 30\), which", "not of four numbers"),
    ("<xmin>1</xmin>", "<xmin>one</xmin>", r"corners \(one, 1, 40, 30\)", "not of four numbers"),
    ("<xmin>1</xmin>", "<xmin>nan</xmin>", "which is not finite", "not finite"),
    ("<xmin>1</xmin>", "<xmin>1e999</xmin>", "which is not finite", "not finite"),
    ("<xmin>1</xmin>", "<xmin>41</xmin>", "has no area", "without area"),
    ("<xmin>1</xmin>", "<xmin>-1</xmin>", "outside image id 1 of 40x30 px", "outside the image"),
    ("<ymax>30</ymax>", "<ymax>31.5</ymax>", "outside image id 1", "outside the image"),
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
        ("<difficult>0", "<difficult>maybe", "object 1 has difficult 'maybe'; give 0 or 1"),
        ("<difficult>0", "<difficult>", "object 1 has difficult ''; give 0 or 1"),
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


# ---- as a data set


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
