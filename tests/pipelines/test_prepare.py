"""One prepared folder, wanted by many at once."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from pipelines import prepare
from pipelines.data.prepared import load_prepared


def write_coco(folder):
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


def test_all_who_want_it_at_once_get_it(tmp_path, monkeypatch):
    write_coco(tmp_path / "own")
    monkeypatch.setattr(prepare, "REPOSITORY", tmp_path)
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(prepare.ensure_prepared, str(tmp_path / "own"), 32) for _ in range(6)]
        folders = {call.result() for call in calls}
    assert len(folders) == 1
    assert len(load_prepared(folders.pop(), "train").images) == 20
