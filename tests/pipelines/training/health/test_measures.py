"""Each measure by hand, or by pycocotools' own figures."""

import numpy as np
import pytest

from pipelines.evaluation.coco import match_records, score_records
from pipelines.training.health.measures import (
    LADDER,
    at_cap,
    average_precision,
    ladder,
    late_change,
)
from tests.pipelines.training.health.conftest import coloured_boxes


def noisy_detections(split, seed=0):
    """The objects, moved by a few pixels, with scores that do not follow the error."""
    generator = np.random.default_rng(seed)
    return [
        {
            "image_id": own.image_id,
            "category_id": own.category_id if generator.random() < 0.8 else 3 - own.category_id,
            "bbox": [side + generator.normal(0, 1.5) for side in own.bbox],
            "score": float(generator.random()),
        }
        for own in split.coco.annotations
    ]


def test_the_ladder_s_steps_are_pycocotools_s_ap():
    split = coloured_boxes(6, seed=3)
    found = noisy_detections(split)
    steps = ladder(split, found)
    figures = score_records(match_records(split.coco.to_coco(), found)).figures
    assert list(steps) == [f"{threshold:.2f}" for threshold in LADDER]
    assert steps["0.50"] == pytest.approx(figures["AP50"], abs=1e-3)
    assert steps["0.75"] == pytest.approx(figures["AP75"], abs=1e-3)
    assert average_precision(steps) == pytest.approx(figures["AP"], abs=1e-3)
    assert 0 < figures["AP"] < (steps["0.10"] or 0)


def test_without_a_detection_every_step_is_0():
    assert set(ladder(coloured_boxes(2, seed=3), []).values()) == {0.0}


def test_images_at_the_cap_are_counted_among_all_images():
    split = coloured_boxes(4, seed=3)
    scores = {1: (0.9, 0.3), 2: (0.8,), 3: (0.7, 0.1)}
    found = [{"image_id": i, "score": s} for i, own in scores.items() for s in own]
    assert at_cap(split, found, 2) == (0.5, 0.2)
    assert at_cap(split, found, 3) == (0.0, None)
    assert at_cap(split, [], 3) == (0.0, None)


def test_what_the_last_third_brought():
    losses = [{"step": step, "loss": loss} for step, loss in enumerate([9, 5, 4, 4, 3, 2], 1)]
    # Before: steps 2 to 4, 13 / 3; the end: steps 4 to 6, 3; 4 / 3 of the 6 from 9 to 3.
    assert late_change(losses)[1] == pytest.approx(4 / 3 / 6, abs=1e-4)
    assert late_change(losses)[0] is None
    validated = [{"step": 3, "validation_AP": 5.0}, {"step": 6, "validation_AP": 8.5}]
    assert late_change([*losses, *validated])[0] == 3.5
    assert late_change([]) == (None, None)
    assert late_change([{"step": 1, "loss": 2.0}, {"step": 9, "loss": 2.0}]) == (None, None)
