"""Match records against two other programs' twelve figures, and against values by hand."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from pipelines.evaluation.coco import FIGURES, RECORD_COLUMNS, match_records, score_records
from tests.pipelines.random_cases import faster_figures, pycocotools_figures, random_case


@pytest.mark.parametrize("oracle", [pycocotools_figures, faster_figures])
@pytest.mark.parametrize("seed", range(6))
def test_twelve_figures_equal_those_of_pycocotools_and_faster_coco_eval(seed, oracle, tmp_path):
    dataset, detections = random_case(seed)
    expected = oracle(dataset, detections)
    path = tmp_path / "matches.csv"
    match_records(dataset, detections).to_csv(path, index=False)
    figures = score_records(pd.read_csv(path)).figures
    for name, value in zip(FIGURES, expected, strict=True):
        if value == -1:
            assert np.isnan(figures[name])
        else:
            assert figures[name] == pytest.approx(100 * value, abs=1e-9), name


def test_detections_stay_as_they_were():
    dataset, detections = random_case(0)
    before = deepcopy(detections)
    match_records(dataset, detections)
    assert detections
    assert detections == before


def one_object(detections):
    dataset = {
        "info": {},
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 7, "name": "fruit"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 7,
                "bbox": [10, 10, 40, 40],
                "area": 1600,
                "iscrowd": 0,
            }
        ],
    }
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
