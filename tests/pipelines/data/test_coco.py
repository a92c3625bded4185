import contextlib
import io
import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.data.coco import Annotation, Category, CocoSplit, ImageRecord, read_coco
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.root import data_root
from pipelines.errors import UserError

LABORO = data_root() / "laboro_tomato"


def ignore(message: str) -> None:
    """Take a report and do nothing."""


def test_reads_sorted_records_and_fills_in_what_is_optional(folder):
    assert folder.read() == CocoSplit(
        images=(ImageRecord(3, "a.png", 20, 30), ImageRecord(4, "b.png", 40, 20)),
        categories=(Category(2, "unripe"), Category(7, "ripe")),
        annotations=(
            Annotation(11, 3, 2, (0.0, 0.0, 20.0, 30.0), 0, 500.0),
            Annotation(12, 4, 7, (10.0, 5.0, 20.0, 10.0), 0, 200.0),
            Annotation(13, 4, 2, (0.0, 0.0, 40.0, 20.0), 1, 800.0),
        ),
    )
    assert folder.reports == []


def test_to_coco_and_back(folder):
    split = folder.read()
    assert CocoSplit.from_coco(json.loads(json.dumps(split.to_coco()))) == split


def test_subset_keeps_annotations_of_its_images_and_all_categories(folder):
    split = folder.read()
    part = split.subset([1])
    assert [image.id for image in part.images] == [4]
    assert [annotation.id for annotation in part.annotations] == [12, 13]
    assert part.categories == split.categories


@pytest.mark.parametrize("name", ["a b.png", "reif-ß-熟.png", "-a.png", "a\nb.png", ".a.png"])
def test_odd_file_names_work(folder, tmp_path, name):
    (folder.images / "a.png").rename(folder.images / name)
    folder.content["images"][1]["file_name"] = name
    prepare({"train": folder.source()}, tmp_path / "prepared", 8, progress=False)
    assert load_prepared(tmp_path / "prepared", "train").coco.images[0].file_name == name


# ---- the file as a whole


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "is not json"),
        (b"\xff\xfe\x00", "is not json"),
        (b"[" * 100_000, "is not json"),
        (b"[]", "has no list of 'images'"),
        (b'{"images": [], "annotations": {}, "categories": []}', "no list of 'annotations'"),
        (b'{"images": [], "annotations": []}', "has no list of 'categories'"),
    ],
)
def test_odd_file(folder, text, words):
    folder.json.write_bytes(text)
    with pytest.raises(UserError, match=words) as caught:
        read_coco(folder.json, folder.images)
    assert str(folder.json) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_missing_image_folder(folder):
    with pytest.raises(UserError, match=r"train\.json: no such annotation file"):
        read_coco(folder.json, folder.images)
    folder.read()
    with pytest.raises(UserError, match="pictures: no such image folder"):
        read_coco(folder.json, folder.path / "pictures")


# ---- what stops the run: (list, position, key, value, words of the message)

MISSING = object()
STRUCTURE = [
    ("images", 1, "id", MISSING, "image at position 1 has no id"),
    ("images", 1, "id", "3", "image at position 1 has no id"),
    ("images", 1, "id", True, "image at position 1 has no id"),
    ("images", 1, "id", 4, "image id 4 occurs more than once"),
    ("images", 1, "file_name", MISSING, "image id 3 has no file_name"),
    ("images", 1, "file_name", "b.png", "image ids 4 and 3 have the same file_name 'b.png'"),
    ("images", 1, "file_name", "x/../b.png", "image ids 4 and 3 have the same file_name"),
    ("images", 1, "file_name", "../a.png", "image id 3 .*'../a.png'.* leads outside"),
    ("images", 1, "file_name", "x/../../a.png", "image id 3 .* leads outside"),
    ("images", 1, "file_name", "..\\a.png", "image id 3 .* leads outside"),
    ("images", 1, "file_name", "/etc/passwd", "image id 3 .* leads outside"),
    ("images", 1, "file_name", "C:\\a.png", "image id 3 .* leads outside"),
    ("images", 1, "file_name", "c.png", "image id 3: its file .*c.png' does not exist"),
    ("images", 1, "file_name", "a.png\0", "image id 3: its file .* does not exist"),
    ("images", 1, "width", 0, "image id 3 has width 0 and height 30"),
    ("images", 1, "height", 30.5, "image id 3 has width 20 and height 30.5"),
    ("categories", 1, "id", MISSING, "category at position 1 has no id"),
    ("categories", 1, "id", 7, "category id 7 occurs more than once"),
    ("categories", 1, "name", MISSING, "category id 2 has the name None"),
    ("categories", 1, "name", ["a", "b"], r"category id 2 has the name \['a', 'b'\]"),
    ("categories", 1, "name", "ripe", "category ids 7 and 2 have the same name 'ripe'"),
    ("annotations", 1, "id", MISSING, "annotation at position 1 has no id"),
    ("annotations", 1, "id", 12, "annotation id 12 occurs more than once"),
    ("annotations", 1, "image_id", 99, "annotation id 11 has the unknown image_id 99"),
    ("annotations", 1, "image_id", [3], "annotation id 11 has the unknown image_id"),
    ("annotations", 1, "iscrowd", 2, "annotation id 11 has iscrowd 2"),
    ("annotations", 1, "area", -1, "annotation id 11 has area -1"),
    ("annotations", 1, "area", math.nan, "annotation id 11 has area nan"),
    ("annotations", 1, "area", None, "annotation id 11 has area None"),
]
BROKEN_BOXES = [
    ("bbox", MISSING, "annotation id 11 has the bbox None, which is not four numbers"),
    ("bbox", [1, 2, 3], "annotation id 11 .* not four numbers"),
    ("bbox", ["1", 2, 3, 4], "annotation id 11 .* not four numbers"),
    ("bbox", [10**400, 2, 3, 4], "annotation id 11 .* not four numbers"),
    ("bbox", [math.nan, 0, 9, 9], "annotation id 11 .* not finite"),
    ("bbox", [0, 0, math.inf, 9], "annotation id 11 .* not finite"),
    ("bbox", [5, 5, 0, 9], "annotation id 11 .* no area"),
    ("bbox", [5, 5, 9, -3], "annotation id 11 .* no area"),
    ("bbox", [5, 5, 9, 1e-9], "annotation id 11 .* no area"),
    ("bbox", [19.95, 5, 1, 9], "annotation id 11 .* no area inside the image"),
    ("bbox", [-1.5, 0, 9, 9], "annotation id 11 .* outside image id 3 of 20x30 px"),
    ("bbox", [12, 0, 9.5, 9], "annotation id 11 .* outside image id 3"),
    ("bbox", [0, 90, 9, 9], "annotation id 11 .* outside image id 3"),
    ("category_id", 3, r"annotation id 11 has the unknown category_id 3, not one of \[2, 7\]"),
    ("category_id", MISSING, "annotation id 11 has the unknown category_id None"),
]


def alter(folder: Any, kind: str, position: int, key: str, value: object) -> None:
    if value is MISSING:
        folder.content[kind][position].pop(key, None)
    else:
        folder.content[kind][position][key] = value


@pytest.mark.parametrize(("kind", "position", "key", "value", "words"), STRUCTURE)
@pytest.mark.parametrize("drop_broken", [False, True])
def test_broken_structure(folder, kind, position, key, value, words, drop_broken):
    alter(folder, kind, position, key, value)
    with pytest.raises(UserError, match=words) as caught:
        folder.read(drop_broken=drop_broken)
    assert str(caught.value).startswith(f"{folder.json}: ")
    assert "; " in str(caught.value)


@pytest.mark.parametrize(("key", "value", "words"), BROKEN_BOXES)
def test_broken_box_stops_the_run(folder, key, value, words):
    alter(folder, "annotations", 1, key, value)
    with pytest.raises(UserError, match=words + ".*--drop-broken") as caught:
        folder.read()
    assert str(caught.value).startswith(f"{folder.json}: ")
    assert folder.reports == []


@pytest.mark.parametrize(("key", "value", "words"), BROKEN_BOXES)
def test_broken_box_is_dropped_and_reported_on_request(folder, key, value, words):
    alter(folder, "annotations", 1, key, value)
    assert [a.id for a in folder.read(drop_broken=True).annotations] == [12, 13]
    (report,) = folder.reports
    assert report.startswith(f"{folder.json}: dropped 1 broken boxes: 1 ")


@pytest.mark.parametrize("kind", ["images", "categories", "annotations"])
def test_entry_that_is_no_object(folder, kind):
    folder.content[kind][1] = [1]
    name = {"images": "image", "categories": "category", "annotations": "annotation"}[kind]
    with pytest.raises(UserError, match=f"{name} at position 1 is not an object"):
        folder.read()


def test_first_problem_is_named_and_the_others_counted(folder):
    boxes = [[0, 0, 0, 5]] * 12 + [[99, 0, 5, 5]] * 3
    folder.content["annotations"] += [
        {"id": 20 + k, "image_id": 3, "category_id": 2, "bbox": box} for k, box in enumerate(boxes)
    ]
    with pytest.raises(
        UserError, match=r"annotation id 20 .*\(and 11 more like it\) \(and 3 other problems\)$"
    ):
        folder.read()
    folder.read(drop_broken=True)
    assert folder.reports == [
        f"{folder.json}: dropped 15 broken boxes: 12 without area, 3 outside the image"
    ]


def test_no_boxes(folder):
    folder.content["annotations"] = [a for a in folder.content["annotations"] if a["id"] == 13]
    with pytest.raises(UserError, match=r"train\.json: no boxes in the split"):
        folder.read()


def test_no_categories(folder):
    folder.content["categories"] = []
    with pytest.raises(UserError, match="the list of categories is empty"):
        folder.read()


# ---- what is repaired, and reported


def test_box_over_the_edge_by_up_to_one_pixel_is_clipped_and_counted(folder):
    folder.content["annotations"][1]["bbox"] = [-0.5, 2, 20.75, 29]
    del folder.content["annotations"][1]["area"]
    annotation = folder.read().annotations[0]
    assert annotation.bbox == (0.0, 2.0, 20.0, 28.0)
    assert annotation.area == 560.0
    assert folder.reports == [
        f"{folder.json}: clipped 1 boxes that were over the image's edge by up to 1 px"
    ]


def test_one_category_with_a_list_for_a_name(folder):
    folder.content["categories"] = [{"id": 1, "name": ["unripe", "semi-ripe", "fully-ripe"]}]
    folder.content["annotations"][0]["category_id"] = 3
    split = folder.read()
    assert split.categories == (
        Category(1, "unripe"),
        Category(2, "semi-ripe"),
        Category(3, "fully-ripe"),
    )
    assert [a.category_id for a in split.annotations] == [2, 3, 2]
    assert folder.reports == [
        f"{folder.json}: its one category has a list for a name; "
        "read as categories 1 to 3: unripe, semi-ripe, fully-ripe"
    ]


def test_list_for_a_name_too_short_for_the_annotations(folder):
    folder.content["categories"] = [{"id": 1, "name": ["unripe", "ripe"]}]
    with pytest.raises(UserError, match="annotation id 12 has the unknown category_id 7"):
        folder.read()


def best_ap(split: CocoSplit) -> float:
    """COCOeval's AP of detections that are the ground truth itself."""
    truth = COCO()
    truth.dataset = split.to_coco()
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(
            [
                {
                    "image_id": a.image_id,
                    "category_id": a.category_id,
                    "bbox": list(a.bbox),
                    "score": 1.0,
                }
                for a in split.annotations
                if not a.iscrowd
            ]
        )
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def test_annotation_id_zero_is_numbered_anew_since_cocoeval_mistakes_it(folder):
    folder.content["annotations"][0]["id"] = 0
    split = folder.read()
    assert [(a.id, a.bbox[0]) for a in split.annotations] == [(1, 10.0), (2, 0.0), (3, 0.0)]
    assert len(folder.reports) == 1
    assert "numbered anew from 1" in folder.reports[0]
    assert best_ap(split) == pytest.approx(1.0)
    with_zero = [
        Annotation(0, a.image_id, a.category_id, a.bbox, 0, a.area) if a.id == 1 else a
        for a in split.annotations
    ]
    assert best_ap(CocoSplit(split.images, split.categories, tuple(with_zero))) < 0.6


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEYS = ["id", "image_id", "category_id", "bbox", "iscrowd", "area", "name", "file_name", "width"]
ENTRIES = st.lists(st.dictionaries(st.sampled_from(KEYS), JSON_VALUES) | JSON_VALUES, max_size=3)


@given(images=ENTRIES, categories=ENTRIES, annotations=ENTRIES, drop_broken=st.booleans())
def test_whatever_the_json_holds_the_error_is_for_the_user(
    tmp_path_factory, images, categories, annotations, drop_broken
):
    folder = tmp_path_factory.getbasetemp()
    file = folder / "any.json"
    good = {"id": 1, "file_name": file.name, "width": 9, "height": 9}
    content = {
        "images": [good, *images],
        "categories": [{"id": 1, "name": "c"}, *categories],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]},
            *annotations,
        ],
    }
    file.write_text(json.dumps(content))
    with contextlib.suppress(UserError):
        read_coco(file, folder, drop_broken=drop_broken, report=ignore)


# ---- real data


@pytest.mark.skipif(not LABORO.is_dir(), reason=f"no {LABORO}")
@pytest.mark.parametrize(
    ("split", "images", "boxes", "by_class", "clipped"),
    [("train", 354, 2357, [1511, 521, 325], 8), ("test", 88, 553, [343, 115, 95], 7)],
)
def test_laboro_equals_pycocotools_reading(split, images, boxes, by_class, clipped):
    file = LABORO / "annotations" / f"{split}.json"
    reports: list[str] = []
    ours = read_coco(file, LABORO / "images", report=reports.append)
    assert (len(ours.images), len(ours.annotations)) == (images, boxes)
    assert [re.findall(r"clipped (\d+)", report) for report in reports] == [[str(clipped)]]
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = COCO(str(file))
    assert [category.id for category in ours.categories] == oracle.getCatIds() == [1, 2, 3]
    assert [len(oracle.getAnnIds(catIds=[k])) for k in (1, 2, 3)] == by_class
    assert [sum(a.category_id == k for a in ours.annotations) for k in (1, 2, 3)] == by_class
    altered = 0
    for image, found in zip(ours.images, ours.annotations_by_image(), strict=True):
        (theirs,) = oracle.loadImgs(image.id)
        assert (image.file_name, image.width, image.height) == (
            theirs["file_name"],
            theirs["width"],
            theirs["height"],
        )
        assert [a.id for a in found] == sorted(oracle.getAnnIds(imgIds=[image.id]))
        for annotation, entry in zip(found, oracle.loadAnns([a.id for a in found]), strict=True):
            assert annotation.category_id == entry["category_id"]
            assert annotation.area == entry["area"]
            assert annotation.bbox == pytest.approx(entry["bbox"], abs=1)
            altered += list(annotation.bbox) != entry["bbox"]
    assert altered == clipped
