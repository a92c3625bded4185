"""Malformed COCO json, VOC xml and YOLO txt: a right data set or one clear line, nothing else.

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
from pipelines.errors import UserError
from tests.pipelines.fuzzing import Touched, altered, cases, scalars, spliced

SIZE = 24
COCO: dict[str, Any] = {
    "images": [
        {"id": k, "file_name": f"{k}.png", "width": SIZE, "height": SIZE} for k in range(3)
    ],
    "categories": [{"id": 1, "name": "ripe"}, {"id": 5, "name": "un ripe"}],
    "annotations": [
        {"id": k + 1, "image_id": k, "category_id": 1, "bbox": [2, 3, 9.5, 8], "iscrowd": 0,
         "area": 76, "segmentation": []} for k in range(3)
    ],
}  # fmt: skip
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
    return {"coco": coco, "voc": voc, "yolo": yolo, "out": root / "out"}


def check(places: dict[str, Path], form: str, *, drop_broken: bool) -> None:
    """Open, and if that goes well prepare; nothing but the prepared folder may be touched."""
    reports: list[str] = []
    out = places["out"]
    with touched.watched(out.parent / "out"), contextlib.suppress(UserError):
        spec = DatasetSpec(
            str(places[form]),
            tolerance=Tolerance(drop_broken),
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


@pytest.mark.parametrize("form", ["coco", "voc", "yolo"])
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
