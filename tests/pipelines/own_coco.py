"""A small data set of one's own in COCO form."""

import json

import numpy as np
from PIL import Image


def write_coco(folder):
    """Three splits of twenty images with one box each."""
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    rng = np.random.default_rng(0)
    for split, first in (("train", 1), ("val", 41), ("test", 61)):
        numbers = range(first, first + 20)
        for number in numbers:
            pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        coco = {
            "images": [
                {"id": n, "file_name": f"{n}.png", "width": 64, "height": 64} for n in numbers
            ],
            "annotations": [
                {"id": n, "image_id": n, "category_id": 1, "bbox": [8, 8, 20, 20]} for n in numbers
            ],
            "categories": [{"id": 1, "name": "fruit"}],
        }
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(coco))
