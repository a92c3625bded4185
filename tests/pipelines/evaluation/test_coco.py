"""Match records against pycocotools' own twelve figures, and against values worked out by hand."""

import contextlib
import io

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.evaluation.coco import FIGURES, RECORD_COLUMNS, match_records, score_records


def random_case(seed):
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, object]] = []
    detections: list[dict[str, object]] = []
    for image in range(1, 9):
        for _ in range(rng.integers(0, 9)):
            side = rng.choice([20.0, 60.0, 150.0])
            box = [*rng.uniform(0, 350, 2), side, side * rng.uniform(0.7, 1.4)]
            crowd = int(rng.random() < 0.1)
            category = int(rng.integers(1, 4))
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": category,
                    "bbox": box, "area": box[2] * box[3], "iscrowd": crowd,
                }
            )  # fmt: skip
            for _ in range(rng.integers(0, 4)):
                shift = rng.normal(0, side / 8, 4)
                near = [float(v) for v in np.maximum(np.add(box, shift), 1)]
                guess = category if rng.random() < 0.8 else int(rng.integers(1, 4))
                score = round(float(rng.random()), 2)
                detections.append(
                    {"image_id": image, "category_id": guess, "bbox": near, "score": score}
                )
    dataset = {
        "info": {},
        "images": [{"id": i, "width": 512, "height": 512} for i in range(1, 9)],
        "categories": [{"id": i, "name": f"class {i}"} for i in range(1, 4)],
        "annotations": annotations,
    }
    return dataset, detections


def pycocotools_figures(dataset, detections):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(6))
def test_twelve_figures_equal_pycocotools(seed, tmp_path):
    dataset, detections = random_case(seed)
    expected = pycocotools_figures(dataset, detections)
    path = tmp_path / "matches.csv"
    match_records(dataset, detections).to_csv(path, index=False)
    figures = score_records(pd.read_csv(path)).figures
    for name, value in zip(FIGURES, expected, strict=True):
        if value == -1:
            assert np.isnan(figures[name])
        else:
            assert figures[name] == pytest.approx(100 * value, abs=1e-9), name


def one_object(detections):
    dataset = {
        "info": {},
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 7, "name": "fruit"}],
        "annotations": [
            {
                "id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 10, 40, 40],
                "area": 1600, "iscrowd": 0,
            }
        ],
    }  # fmt: skip
    return match_records(dataset, detections)


def test_records_of_one_detection_by_hand():
    # 32 of 40 pixels a side wide: overlap 1280 / 1600 = 0.8, true at 0.50 ... 0.80 (seven bits).
    records = one_object(
        [{"image_id": 1, "category_id": 7, "bbox": [10, 10, 32, 40], "score": 0.9}]
    )
    found, objects = records.iloc[0], records.iloc[1]
    assert tuple(records.columns) == RECORD_COLUMNS
    assert (found["class"], found["area"], found["true_all"]) == ("fruit", "medium", 0b1111111)
    assert (found["true_small"], found["ignored_small"]) == (0, 0b1111111111)
    assert [objects[f"objects_{a}"] for a in ("all", "small", "medium", "large")] == [1, 0, 1, 0]
    figures = score_records(records).figures
    assert figures["AP"] == pytest.approx(70)
    assert [figures["AP50"], figures["AP75"]] == pytest.approx([100, 100])
    assert np.isnan(figures["APs"])


def test_no_detections_score_zero():
    figures = score_records(one_object([])).figures
    assert (figures["AP"], figures["AR100"]) == (0, 0)
