"""COCO files with faults in them: named, refused, or dropped on request."""

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.formats.coco import read_coco
from pipelines.system.errors import UserError
from tests.pipelines.data.opened import ignore

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
    ("images", 1, "id", "", "image at position 1 has no id"),
    ("images", 1, "id", 3.5, "image at position 1 has no id"),
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
    ("annotations", 1, "area", "9", "annotation id 11 has area '9'"),
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
    ("bbox", [-4.5, 0, 9, 9], "annotation id 11 .* outside image id 3 of 20x30 px by half"),
    ("bbox", [16, 25, 7, 7], "annotation id 11 .* outside image id 3"),
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
