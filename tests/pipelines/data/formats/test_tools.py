"""What annotation tools export, each in its own layout, drawn here: found, read, and told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.data.dataset_spec import Tolerance
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.sources import ImageSource
from pipelines.system.errors import UserError

SIZE = (40, 20)
LABEL = "0 0.5 0.5 0.5 0.5\n1 0.25 0.5 0.25 0.5\n"
"""A box (10, 5, 20, 10) and a box (5, 5, 10, 10)."""
XML = (
    "<annotation><folder>x</folder><filename>{name}</filename>"
    "<size><width>40</width><height>20</height><depth>3</depth></size>"
    "<object><name>cup</name><bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>15</ymax>"
    "</bndbox></object></annotation>"
)


def images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, (number, 99, 20)).save(folder / name)


def coco(file: Path, *names: str, **changes: Any) -> None:
    content = {
        "images": [
            {"id": k, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
            for k, name in enumerate(names)
        ],
        "categories": [{"id": 0, "name": "cup"}, {"id": 1, "name": "plate"}],
        "annotations": [
            {"id": k, "image_id": k, "category_id": 0, "bbox": [10, 5, 20, 10],
             "segmentation": [], "ignore": 0} for k in range(len(names))
        ],
    }  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content | changes))


def texts(folder: Path, content: str, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(content.format(name=Path(name).with_suffix(".jpg")))


NAMES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
TEXTS = ("a.txt", "b.txt", "c.txt", "d.txt")
XMLS = ("a.xml", "b.xml", "c.xml", "d.xml")


def cvat_yolo(root: Path) -> None:
    """CVAT, YOLO 1.1, two subsets."""
    for subset in ("Train", "Validation"):
        images(root / f"obj_{subset}_data", *NAMES)
        texts(root / f"obj_{subset}_data", LABEL, *TEXTS)
        listed = "".join(f"data/obj_{subset}_data/{name}\n" for name in NAMES)
        (root / f"{subset}.txt").write_text(listed)
    (root / "obj.names").write_text("cup\nplate\n")
    (root / "obj.data").write_text("classes = 2\ntrain = data/Train.txt\nnames = data/obj.names\n")


def cvat_ultralytics(root: Path) -> None:
    """CVAT, Ultralytics YOLO Detection."""
    for subset in ("Train", "Validation"):
        images(root / "images" / subset, *NAMES)
        texts(root / "labels" / subset, LABEL, *TEXTS)
        listed = "".join(f"data/images/{subset}/{name}\n" for name in NAMES)
        (root / f"{subset}.txt").write_text(listed)
    (root / "data.yaml").write_text(
        "path: .\ntrain: Train.txt\nval: Validation.txt\nnames:\n  0: cup\n  1: plate\n"
    )


def cvat_voc(root: Path) -> None:
    """CVAT, Pascal VOC 1.1, one task."""
    images(root / "JPEGImages", *NAMES)
    texts(root / "Annotations", XML, *XMLS)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "default.txt").write_text("a\nb\nc\nd\n")
    (root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\ncup:0,0,0::\n")


def label_studio_coco(root: Path) -> None:
    images(root / "images", *(f"1f-{name}" for name in NAMES))
    coco(root / "result.json", *(f"images/1f-{name}" for name in NAMES))


def label_studio_old_coco(root: Path) -> None:
    """Paths of the server and of Windows."""
    images(root / "images", *NAMES)
    named = ("/data/upload/3/a.jpg", "images\\b.jpg", "../../files/c.jpg", "d.jpg")
    coco(root / "result.json", *named)


def label_studio_yolo(root: Path) -> None:
    images(root / "images", *NAMES)
    texts(root / "labels", LABEL, *TEXTS)
    (root / "classes.txt").write_text("cup\nplate\n")
    (root / "notes.json").write_text('{"categories": [{"id": 0, "name": "cup"}], "info": {}}')


def roboflow_coco(root: Path) -> None:
    for split in ("train", "valid", "test"):
        images(root / split, *NAMES)
        coco(root / split / "_annotations.coco.json", *NAMES)
    (root / "README.roboflow.txt").write_text("exported")


def roboflow_yolov8(root: Path) -> None:
    for split in ("train", "valid", "test"):
        images(root / split / "images", *NAMES)
        texts(root / split / "labels", LABEL, *TEXTS)
    (root / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\n"
        "names: ['cup', 'plate']\n\nroboflow:\n  workspace: w\n  version: 1\n"
    )


def roboflow_darknet(root: Path) -> None:
    for split in ("train", "valid", "test"):
        images(root / split, *NAMES)
        texts(root / split, LABEL, *TEXTS)
        (root / split / "_darknet.labels").write_text("cup\nplate")


def labelimg_yolo(root: Path) -> None:
    images(root, *NAMES)
    texts(root, LABEL, *TEXTS)
    (root / "classes.txt").write_text("cup\nplate\n")


def labelimg_voc(root: Path) -> None:
    images(root, *NAMES)
    texts(root, XML, *XMLS)


def via_coco(root: Path) -> None:
    """Ids that are text, no sizes, photographs beside the json."""
    images(root, *NAMES)
    content = [{"id": str(k), "file_name": name} for k, name in enumerate(NAMES)]
    boxes = [
        {"id": str(k), "image_id": str(k), "category_id": "1", "bbox": [10, 5, 20, 10]}
        for k in range(4)
    ]
    categories = [{"id": "1", "name": "cup"}]
    coco(root / "via_export_coco.json", images=content, annotations=boxes, categories=categories)


def labelme_coco(root: Path) -> None:
    """labelme2coco: polygons, photographs in JPEGImages."""
    images(root / "JPEGImages", *NAMES)
    outlines = [
        {"id": k, "image_id": k, "category_id": 0, "segmentation": [[10, 5, 30, 5, 20, 15]]}
        for k in range(4)
    ]
    coco(root / "annotations.json", *(f"JPEGImages/{n}" for n in NAMES), annotations=outlines)


def dota_devkit(root: Path) -> None:
    line = "10 5 30 5 30 15 10 15 cup 0\n"
    for part in ("Train", "Val"):
        images(root / part / "images", *(f"P1__1__0___{k}.png" for k in range(4)))
        texts(root / part / "labelTxt", line, *(f"P1__1__0___{k}.txt" for k in range(4)))


ALL_TRAIN = {"train": 4}
TOOLS = {
    cvat_yolo: {"train": 4, "val": 4},
    cvat_ultralytics: {"train": 4, "val": 4},
    cvat_voc: ALL_TRAIN,
    label_studio_coco: ALL_TRAIN,
    label_studio_old_coco: ALL_TRAIN,
    label_studio_yolo: ALL_TRAIN,
    roboflow_coco: {"train": 4, "val": 4, "test": 4},
    roboflow_yolov8: {"train": 4, "val": 4, "test": 4},
    roboflow_darknet: {"train": 4, "val": 4, "test": 4},
    labelimg_yolo: ALL_TRAIN,
    labelimg_voc: ALL_TRAIN,
    via_coco: ALL_TRAIN,
    labelme_coco: ALL_TRAIN,
    dota_devkit: {"train": 4, "val": 4},
}


def opened(root: Path, **options: Any) -> tuple[dict[str, ImageSource], list[str]]:
    said: list[str] = []
    spec = DatasetSpec(str(root), validation_fraction=0, test_fraction=0.25, **options)
    return open_dataset(spec, report=said.append), said


@pytest.mark.parametrize("write", TOOLS)
def test_an_export_is_read_as_it_is(tmp_path, write):
    write(tmp_path)
    sources, said = opened(tmp_path)
    told = {
        split: any(f"{tmp_path}: {split}: " in line and f", {count} photo" in line for line in said)
        for split, count in TOOLS[write].items()
    }
    assert all(told.values()), said
    assert sum(len(s.split.images) for s in sources.values()) == sum(TOOLS[write].values())
    for source in sources.values():
        names = {category.id: category.name for category in source.split.categories}
        for index, annotations in enumerate(source.split.annotations_by_image()):
            cups = [a.bbox for a in annotations if names[a.category_id] == "cup"]
            assert cups == [(10, 5, 20, 10)]
            assert source.image(index).shape == (SIZE[1], SIZE[0], 3)


# ---- what cannot be guessed


def test_json_files_that_tell_no_split_are_named_with_what_to_call_them(tmp_path):
    for name in ("task_1.json", "task_2.json"):
        coco(tmp_path / "annotations" / name, *NAMES)
    with pytest.raises(UserError, match=r"none .*task_1\.json, .*task_2\.json.*annotations/train"):
        opened(tmp_path)


def test_two_json_files_of_one_split_are_refused(tmp_path):
    images(tmp_path / "images", *NAMES)
    for name in ("instances_val.json", "validation.json", "train.json"):
        coco(tmp_path / "annotations" / name, *NAMES)
    with pytest.raises(
        UserError, match=r"has .*instances_val\.json and .*validation\.json for val"
    ):
        opened(tmp_path)


def test_a_photograph_is_found_by_its_name_if_no_other_has_it(tmp_path):
    images(tmp_path / "somewhere" / "deep", *NAMES)
    coco(tmp_path / "annotations" / "train.json", *NAMES)
    sources, said = opened(tmp_path)
    assert sources["train"].image(0).shape == (SIZE[1], SIZE[0], 3)
    assert any(
        "4 photographs do not lie where it is said and were found by name" in s for s in said
    )
    images(tmp_path / "elsewhere", "a.jpg")
    with pytest.raises(
        UserError, match=r"a\.jpg' does not exist, and several others have its name"
    ):
        opened(tmp_path)


def test_files_of_coco_without_boxes_are_passed_over(tmp_path):
    images(tmp_path / "images", *NAMES)
    for name in ("instances_train.json", "captions_train.json", "image_info_test.json"):
        coco(tmp_path / "annotations" / name, *NAMES)
    sources, _ = opened(tmp_path)
    assert len(sources["train"].split.images) == 3


# ---- what is asked for


FORMS = (label_studio_coco, label_studio_yolo, labelimg_voc, dota_devkit)


@pytest.mark.parametrize("write", FORMS)
def test_photographs_that_cannot_be_read_are_left_out_on_request_alone(tmp_path, write):
    write(tmp_path)
    first = min(path for path in tmp_path.rglob("*") if path.suffix in (".jpg", ".png"))
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    with pytest.raises(UserError, match=first.name):  # noqa: PT012
        sources, _ = opened(tmp_path)
        for source in sources.values():
            for index in range(len(source.split.images)):
                source.image(index)
    sources, said = opened(tmp_path, tolerance=Tolerance(skip_broken_images=True))
    count = sum(len(source.split.images) for source in sources.values())
    assert count == sum(TOOLS[write].values()) - 1
    assert any("1 photographs" in s and "cannot be read" in s and first.name in s for s in said)


def test_photographs_of_16_bits_are_scaled_on_request_alone(tmp_path):
    label_studio_yolo(tmp_path)
    values = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE[1], SIZE[0]) * 80
    (tmp_path / "images" / "a.jpg").unlink()
    Image.fromarray(values).save(tmp_path / "images" / "a.png")
    sources, _ = opened(tmp_path)
    every = [(source, k) for source in sources.values() for k in range(len(source.split.images))]
    with pytest.raises(UserError, match=r"a\.png .*more than 8 bits .*--scale-16bit"):
        [source.image(k) for source, k in every]
    sources, said = opened(tmp_path, tolerance=Tolerance(scale_16bit=True))
    assert any("1 photographs of 16 bits are scaled to 8" in line for line in said)
    found = next(
        source.image(k)
        for source in sources.values()
        for k, image in enumerate(source.split.images)
        if image.file_name.endswith("a.png")
    )
    assert found[..., 0].tolist() == (values // 256).tolist()
