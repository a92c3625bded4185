"""Malformed COCO json, VOC xml, YOLO and DOTA txt: a right data set or one clear line.

With test_fuzz_parameters these are more than 2,000 cases.
"""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipelines.data.dataset_spec import Tolerance
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.system.errors import UserError
from tests.pipelines.fuzzing import Touched, altered, cases, scalars, spliced

SIZE = 24
COCO: dict[str, Any] = {
    "images": [{"id": k, "file_name": f"{k}.png", "width": SIZE, "height": SIZE} for k in range(3)],
    "categories": [{"id": 1, "name": "ripe"}, {"id": 5, "name": "un ripe"}],
    "annotations": [
        {
            "id": k + 1,
            "image_id": k,
            "category_id": 1,
            "bbox": [2, 3, 9.5, 8],
            "iscrowd": 0,
            "area": 76,
            "segmentation": [],
        }
        for k in range(3)
    ],
}
XML = (
    '<?xml version="1.0"?><annotation><filename>0.png</filename>'
    f"<size><width>{SIZE}</width><height>{SIZE}</height><depth>3</depth></size>"
    "<object><name>ripe</name><difficult>0</difficult>"
    "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>12</xmax><ymax>11</ymax></bndbox></object>"
    "<object><name>unripe</name>"
    "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>24</xmax><ymax>24</ymax></bndbox></object>"
    "</annotation>"
)
LABELS = "0 0.5 0.5 0.25 0.25\n1 0.3 0.3 0.2 0.1\n"
YAML = "path: .\ntrain: images/train\nval: images/val\nnc: 2\nnames: [ripe, unripe]\n"

touched = Touched()
OUTLINES: dict[str, Any] = {
    "images": [
        {"id": f"i{k}", "file_name": f"/home/me/{k}.png", "width": 24.0, "height": 24}
        for k in range(3)
    ],
    "categories": [
        {"id": "0", "name": "fruit", "supercategory": "none"},
        {"id": "1", "name": "ripe", "supercategory": "fruit"},
    ],
    "annotations": [
        {"id": "a", "image_id": "i0", "category_id": "1", "segmentation": [[2, 3, 9, 3, 9.5, 12]]},
        {
            "id": "b",
            "image_id": "i1",
            "category_id": "1",
            "segmentation": {"size": [SIZE, SIZE], "counts": [30, 4, SIZE * SIZE - 34]},
        },
        {
            "id": "c",
            "image_id": "i2",
            "category_id": "1",
            "segmentation": {"size": [SIZE, SIZE], "counts": "\\25c00000000l;"},
        },
    ],
}
DOTA = "imagesource:GoogleEarth\ngsd:0.1\n2 3 12 3 12 9 2 9 my-boat 0\n5 5 9 5 9 9 5 9 buoy 2\n"
LIST = "data/obj_train_data/0.png\ndata/obj_train_data/1.png\ndata/obj_train_data/2.png\n"

tolerances = st.builds(Tolerance, st.booleans(), st.booleans(), st.booleans())
words = st.text("0123456789.-+eEnaif ", max_size=12) | scalars.map(str)
label_lines = st.lists(st.lists(words, max_size=7).map(" ".join), max_size=4).map("\n".join)


def draw_images(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (SIZE, SIZE), (number, 99, 200)).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    """One small right data set in each form."""
    root = tmp_path_factory.mktemp("fuzz")
    coco, voc, yolo = (root / form for form in ("coco", "voc", "yolo"))
    draw_images(coco / "images")
    (coco / "annotations").mkdir()
    for split in ("train", "test"):
        (coco / "annotations" / f"{split}.json").write_text(json.dumps(COCO))
    draw_images(voc / "JPEGImages")
    (voc / "Annotations").mkdir()
    for number in range(3):
        (voc / "Annotations" / f"{number}.xml").write_text(XML.replace("0.png", f"{number}.png"))
    for split in ("train", "val"):
        draw_images(yolo / "images" / split)
        (yolo / "labels" / split).mkdir(parents=True)
        for number in range(3):
            (yolo / "labels" / split / f"{number}.txt").write_text(LABELS)
    (yolo / "data.yaml").write_text(YAML)
    outlines, dota, darknet = (root / form for form in ("outlines", "dota", "darknet"))
    draw_images(outlines / "photographs")
    (outlines / "result.json").write_text(json.dumps(OUTLINES))
    for split in ("train", "valid"):
        draw_images(dota / split / "images")
        (dota / split / "labelTxt").mkdir()
        for number in range(3):
            (dota / split / "labelTxt" / f"{number}.txt").write_text(DOTA)
    draw_images(darknet / "obj_train_data")
    for number in range(3):
        (darknet / "obj_train_data" / f"{number}.txt").write_text(LABELS)
    (darknet / "train.txt").write_text(LIST)
    (darknet / "obj.names").write_text("ripe\nunripe\n")
    return {
        "coco": coco,
        "voc": voc,
        "yolo": yolo,
        "outlines": outlines,
        "dota": dota,
        "darknet": darknet,
        "out": root / "out",
    }


def check(
    places: dict[str, Path],
    form: str,
    *,
    drop_broken: bool = False,
    tolerance: Tolerance | None = None,
) -> None:
    """Open, and if that goes well prepare; nothing but the prepared folder may be touched."""
    reports: list[str] = []
    out = places["out"]
    with touched.watched(out.parent / "out"), contextlib.suppress(UserError):
        spec = DatasetSpec(
            str(places[form]),
            tolerance=tolerance or Tolerance(drop_broken),
            validation_fraction=0,
            test_fraction=0.34,
        )
        sources = open_dataset(spec, report=reports.append)
        with contextlib.suppress(UserError):
            out.mkdir(exist_ok=True)
            prepare(sources, out / "set", 8, progress=False)
            for name in sources:
                split = load_prepared(out / "set", name)
                for index in range(len(split.images)):
                    boxes = split.boxes(index)
                    assert ((boxes >= -1e-3) & (boxes <= 8 + 1e-3)).all()
                    assert (boxes[:, 2:] > boxes[:, :2]).all()


def with_file(path: Path, content: bytes, action: Callable[[], None]) -> None:
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        action()
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("form", ["coco", "voc", "yolo", "outlines", "dota", "darknet"])
def test_the_set_without_faults_is_right(places, form):
    sources = open_dataset(
        DatasetSpec(str(places[form]), validation_fraction=0, test_fraction=0.34),
        report=lambda message: None,
    )
    assert set(sources) == {"train", "test"}
    assert all(source.split.annotations for source in sources.values())


@cases(400)
@given(tree=altered(COCO), drop_broken=st.booleans())
def test_coco_json_with_altered_nodes(tree, drop_broken, places):
    file = places["coco"] / "annotations" / "train.json"
    content = json.dumps(tree).encode(errors="surrogatepass")
    with_file(file, content, lambda: check(places, "coco", drop_broken=drop_broken))


@cases(300)
@given(content=spliced(json.dumps(COCO)), drop_broken=st.booleans())
def test_coco_json_with_bytes_put_in_and_taken_out(content, drop_broken, places):
    file = places["coco"] / "annotations" / "train.json"
    with_file(file, content, lambda: check(places, "coco", drop_broken=drop_broken))


@cases(400)
@given(content=spliced(XML), drop_broken=st.booleans())
def test_voc_xml_with_bytes_put_in_and_taken_out(content, drop_broken, places):
    file = places["voc"] / "Annotations" / "1.xml"
    with_file(file, content, lambda: check(places, "voc", drop_broken=drop_broken))


@cases(200)
@given(
    name=scalars.map(str),
    corners=st.lists(words, min_size=4, max_size=4),
    side=words,
    drop_broken=st.booleans(),
)
def test_voc_xml_with_other_values(name, corners, side, drop_broken, places):
    def escaped(value: str) -> str:
        return value.replace("&", "&amp;").replace("<", "&lt;")

    box = "".join(
        f"<{side}>{escaped(value)}</{side}>"
        for side, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    )
    content = (
        f"<annotation><filename>{escaped(name)}</filename><size><width>{escaped(side)}</width>"
        f"<height>{SIZE}</height></size><object><name>{escaped(name)}</name>"
        f"<bndbox>{box}</bndbox></object></annotation>"
    ).encode(errors="surrogatepass")
    file = places["voc"] / "Annotations" / "2.xml"
    with_file(file, content, lambda: check(places, "voc", drop_broken=drop_broken))


@cases(400)
@given(content=spliced(LABELS) | label_lines.map(str.encode), drop_broken=st.booleans())
def test_yolo_labels(content, drop_broken, places):
    file = places["yolo"] / "labels" / "train" / "1.txt"
    with_file(file, content, lambda: check(places, "yolo", drop_broken=drop_broken))


@cases(300)
@given(content=spliced(YAML), drop_broken=st.booleans())
def test_yolo_yaml(content, drop_broken, places):
    with_file(
        places["yolo"] / "data.yaml",
        content,
        lambda: check(places, "yolo", drop_broken=drop_broken),
    )


@cases(300)
@given(tree=altered(OUTLINES), tolerance=tolerances)
def test_coco_json_of_outlines_and_text_ids_with_altered_nodes(tree, tolerance, places):
    file = places["outlines"] / "result.json"
    content = json.dumps(tree).encode(errors="surrogatepass")
    with_file(file, content, lambda: check(places, "outlines", tolerance=tolerance))


@cases(200)
@given(content=spliced(DOTA) | label_lines.map(str.encode), tolerance=tolerances)
def test_dota_labels(content, tolerance, places):
    file = places["dota"] / "train" / "labelTxt" / "1.txt"
    with_file(file, content, lambda: check(places, "dota", tolerance=tolerance))


@cases(200)
@given(content=spliced(LIST), tolerance=tolerances)
def test_darknet_lists(content, tolerance, places):
    file = places["darknet"] / "train.txt"
    with_file(file, content, lambda: check(places, "darknet", tolerance=tolerance))


@cases(100)
@given(content=spliced("ripe\nunripe\n"))
def test_darknet_names(content, places):
    with_file(places["darknet"] / "obj.names", content, lambda: check(places, "darknet"))


@cases(60)
@given(data=st.data(), tolerance=tolerances, form=st.sampled_from(["outlines", "dota", "darknet"]))
def test_photographs_with_bytes_put_in_and_taken_out(data, tolerance, form, places):
    file = min(places[form].rglob("1.png"))
    before = file.read_bytes()
    start = data.draw(st.integers(0, len(before)))
    junk = data.draw(st.binary(max_size=20))
    content = before[:start] + junk + before[start + data.draw(st.integers(0, 40)) :]
    with_file(file, content, lambda: check(places, form, tolerance=tolerance))
