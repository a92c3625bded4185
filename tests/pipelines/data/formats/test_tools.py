"""What annotation tools export is found, read, and told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.data.dataset_spec import Tolerance
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.sources import ImageSource
from pipelines.system.errors import UserError
from tests.pipelines.data.formats.tool_exports import (
    NAMES,
    SIZE,
    TOOLS,
    coco,
    dota_devkit,
    images,
    label_studio_coco,
    label_studio_yolo,
    labelimg_voc,
)


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
