"""What annotation tools export, each in its own layout, drawn here."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

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
            {
                "id": k,
                "image_id": k,
                "category_id": 0,
                "bbox": [10, 5, 20, 10],
                "segmentation": [],
                "ignore": 0,
            }
            for k in range(len(names))
        ],
    }
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
