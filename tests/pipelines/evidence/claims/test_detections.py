"""Objects found twice and the fit of boxes, counted by hand."""

import gzip
import json

import pandas as pd
import pytest

from pipelines.evidence.claims.detections import mean_fit, share_of_duplicates


def found(image, x, score, label=1):
    """A detection of 10×10 pixels."""
    return {"image_id": image, "category_id": label, "bbox": [x, 0, 10, 10], "score": score}


def test_a_detection_that_overlaps_a_better_one_of_any_class_repeats_it(tmp_path):
    detections = [
        found(1, 0, 0.9),
        found(1, 3, 0.8, label=2),  # IoU 7 / 13 with the first
        found(1, 4, 0.7),  # 6 / 14 with the first, 9 / 11 with the second
        found(1, 40, 0.6),
        found(2, 0, 0.5),  # another image
        found(1, 0, 0.2),  # nobody sees it
    ]
    path = tmp_path / "detections.json.gz"
    path.write_bytes(gzip.compress(json.dumps(detections).encode()))
    assert share_of_duplicates(tmp_path) == pytest.approx(100 * 2 / 5)


def test_without_detections_there_is_no_share(tmp_path):
    (tmp_path / "detections.json.gz").write_bytes(gzip.compress(b"[]"))
    assert share_of_duplicates(tmp_path) != share_of_duplicates(tmp_path)


def test_the_fit_is_the_highest_threshold_that_a_true_detection_reaches(tmp_path):
    # Bits of COCO's thresholds from 0.50: the first three (0.60), the first one (0.50), none
    pd.DataFrame({"score": [0.9, 0.8, 0.7, 0.1], "true_all": [0b111, 0b1, 0, 0b1111111111]}).to_csv(
        tmp_path / "matches.csv.gz", index=False
    )
    assert mean_fit(tmp_path) == pytest.approx(55)
