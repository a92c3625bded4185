"""A small data set that is prepared."""

import json

import pytest
from PIL import Image

from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, open_dataset

OBJECTS = (3, 1, 2, 2, 9)
"""Objects of the test images: the median is 2, which images 3 and 4 have."""


@pytest.fixture
def prepared(tmp_path):
    """A small data set of plain images, prepared at 64×64."""
    source = tmp_path / "own"
    (source / "images").mkdir(parents=True)
    (source / "annotations").mkdir()
    for split in ("train", "test"):
        images, annotations = [], []
        for number, objects in enumerate(OBJECTS, start=1):
            name = f"{split}{number}.png"
            Image.new("RGB", (80, 60), (30 * number, 90, 60)).save(source / "images" / name)
            images.append({"id": number, "file_name": name, "width": 80, "height": 60})
            annotations += [
                {
                    "id": 100 * number + k,
                    "image_id": number,
                    "category_id": 1 + k % 2,
                    "bbox": [8 * k, 4, 6, 8],
                    "iscrowd": 0,
                    "area": 48,
                }
                for k in range(objects)
            ]
        categories = [{"id": 1, "name": "green"}, {"id": 2, "name": "red"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (source / "annotations" / f"{split}.json").write_text(json.dumps(content))
    folder = tmp_path / "prepared"
    prepare(open_dataset(DatasetSpec(str(source))), folder, 64, progress=False)
    return folder
