import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.data.formats.coco import CocoSplit, read_coco
from pipelines.data.sources import FolderSource
from tests.pipelines.data.formats.dota_files import (
    DIFFICULT,
    HEAD,
    OVER_THE_EDGE,
    ROTATED,
    UPRIGHT,
    Dota,
)
from tests.pipelines.data.formats.voc_devkit import PARTS, Devkit, object_xml
from tests.pipelines.data.formats.yolo_files import write_small

CONTENT: dict[str, Any] = {
    "images": [
        {"id": 4, "file_name": "b.png", "width": 40, "height": 20},
        {"id": 3, "file_name": "a.png", "width": 20, "height": 30},
    ],
    "categories": [{"id": 7, "name": "ripe"}, {"id": 2, "name": "unripe"}],
    "annotations": [
        {"id": 12, "image_id": 4, "category_id": 7, "bbox": [10, 5, 20, 10], "iscrowd": 0},
        {"id": 11, "image_id": 3, "category_id": 2, "bbox": [0, 0, 20, 30], "area": 500},
        {"id": 13, "image_id": 4, "category_id": 2, "bbox": [0, 0, 40, 20], "iscrowd": 1},
    ],
}


@dataclass
class Folder:
    """A small COCO folder whose json tests alter before they read it."""

    path: Path
    content: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(CONTENT))
    reports: list[str] = field(default_factory=list)

    @property
    def images(self) -> Path:
        return self.path / "images"

    @property
    def json(self) -> Path:
        return self.path / "annotations" / "train.json"

    def read(self, **options: Any) -> CocoSplit:
        self.json.write_text(json.dumps(self.content))
        return read_coco(self.json, self.images, report=self.reports.append, **options)

    def source(self, **options: Any) -> FolderSource:
        return FolderSource(self.read(**options), self.images)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "set")
    folder.images.mkdir(parents=True)
    folder.json.parent.mkdir()
    for number, image in enumerate(folder.content["images"]):
        pixels = np.full((image["height"], image["width"], 3), (number * 60, 100, 200), np.uint8)
        Image.fromarray(pixels).save(folder.images / image["file_name"])
    return folder


@pytest.fixture
def write_set(tmp_path: Path) -> Callable[..., Path]:
    """Write a COCO folder of 8x8 images, one box each, `counts` images by annotation file."""

    def write(**counts: int) -> Path:
        root = tmp_path / "coco"
        (root / "images").mkdir(parents=True)
        (root / "annotations").mkdir()
        for name, count in counts.items():
            files = [f"{name}-{k}.png" for k in range(count)]
            content = {
                "images": [
                    {"id": k, "file_name": file, "width": 8, "height": 8}
                    for k, file in enumerate(files)
                ],
                "categories": [{"id": 1, "name": "fruit"}],
                "annotations": [
                    {"id": k + 1, "image_id": k, "category_id": 1, "bbox": [1, 1, 4, 4]}
                    for k in range(count)
                ],
            }
            for file in files:
                Image.new("RGB", (8, 8)).save(root / "images" / file)
            (root / "annotations" / f"{name}.json").write_text(json.dumps(content))
        return root

    return write


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


@pytest.fixture
def dota(tmp_path: Path) -> Dota:
    made = Dota(tmp_path / "DOTA")
    made.add("train", "P0001.png", (100, 60), HEAD + ROTATED + OVER_THE_EDGE + DIFFICULT)
    made.add("train", "P0000.jpg", (40, 30), HEAD)
    made.add("train", "P0002.png", (20, 25), UPRIGHT)
    made.add("val", "P0003.png", (30, 20), HEAD + UPRIGHT)
    return made


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    write_small(tmp_path / "set")
    return tmp_path / "set"
