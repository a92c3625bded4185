"""Every detector but TensorFlow's keeps the contract; the two papers' learn images by heart."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from method.lapnet.choices import Balance
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.evaluation.coco import match_records, score_records
from pipelines.runs.registry import ENTRIES
from pipelines.runs.spec import DetectorName, Schedule, Switch
from pipelines.training.run import detect_all
from tests.pipelines.detectors.contract import (
    CPU,
    SIZE,
    SPEC,
    build,
    is_kept,
    one_seed_gives_one_start,
    trained,
)

NAMES = [name for name in ENTRIES if name != DetectorName.SSD_MOBILENET_V2_TF]
"""TensorFlow's, by far the slowest to start, is in `test_tensorflow.py`."""
ON_RESNET = {"input_size": 64, "batch_size": 2}
OF_DETECTRON2 = {"schedule": Schedule.STEP, **ON_RESNET}
OF_MOBILENET = {"schedule": Schedule.STEP, "iterations": 30, "batch_size": 2}
# Its heads look at 512 boxes of an image, however small this is: one image a step.
OF_FASTER_RCNN = {**OF_DETECTRON2, "batch_size": 1}
CHANGES: dict[str, dict[str, Any]] = {
    DetectorName.FASTER_RCNN_R50: {**OF_FASTER_RCNN, "learning_rate": 0.0005},
    DetectorName.FASTER_RCNN_R101: {**OF_FASTER_RCNN, "learning_rate": 0.001},
    DetectorName.FASTER_RCNN_MOBILENET: {**OF_FASTER_RCNN, "learning_rate": 0.001},
    DetectorName.RETINANET_MOBILENET: {**OF_MOBILENET, "iterations": 60, "learning_rate": 0.01},
    DetectorName.FCOS_MOBILENET: {**OF_MOBILENET, "learning_rate": 0.01},
    DetectorName.RETINANET_TORCHVISION: ON_RESNET,
    DetectorName.RETINANET_R50: {**OF_DETECTRON2, "input_size": SIZE, "learning_rate": 0.002},
    DetectorName.LAPNET: {"balance": Balance.RATIO, "ambiguity": Switch.OFF},
}
"""Settings at which a rival learns something in so few steps, but not "all is empty"."""
FITTED: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    DetectorName.SCALE_AWARE_SSD: ((6, 11), {"iterations": 200}),
    DetectorName.LAPNET: ((12, 40), {"iterations": 100, "learning_rate": 0.004}),
}
"""Those that train fast enough for a test, the sides (pixels) of the objects that fit them, and
settings at which they learn."""


def plain_shapes(count, sides):
    """Images with two squares each, whose class is their colour."""
    rng = np.random.default_rng(0)
    images = rng.integers(90, 110, (count, SIZE, SIZE, 3), dtype=np.uint8)
    records: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for i in range(count):
        records.append(ImageRecord(i + 1, f"{i}.png", SIZE, SIZE))
        for half in range(2):
            side = int(rng.integers(*sides))
            x, y = (int(rng.integers(0, room - side)) for room in (SIZE // 2, SIZE))
            x += half * SIZE // 2
            category = int(rng.integers(1, 3))
            images[i, y : y + side, x : x + side, category] = 230
            box = (float(x), float(y), float(side), float(side))
            annotations.append(
                Annotation(len(annotations) + 1, i + 1, category, box, 0, float(side**2))
            )
    classes = (Category(1, "green"), Category(2, "blue"))
    return PreparedSplit(images, CocoSplit(tuple(records), classes, tuple(annotations)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_contract(name, data, tmp_path):
    spec = dataclasses.replace(SPEC, detector=name, **CHANGES.get(name, {}))
    split, unseen = (load_prepared(data / str(spec.input_size), s) for s in ("train", "test"))
    detector, first, progress = trained(spec, split, tmp_path)
    found = detect_all(detector, unseen, spec, CPU)
    is_kept(detector, progress.history, found, unseen)
    if ENTRIES[name].bitwise_on_cpu:
        again, first_again, progress_again = trained(spec, split, tmp_path)
        # Not the weights: taps of a kernel that see nothing but padding get arbitrary gradients
        # in oneDNN, and change nothing.
        assert progress_again.history == progress.history, "one seed, two trainings"
        assert detect_all(again, unseen, spec, CPU) == found, "one seed, two trainings"
    else:
        first_again = build(spec, split).state_dict()
    other_seed = build(dataclasses.replace(spec, seed=1), split).state_dict()
    one_seed_gives_one_start(first, first_again, other_seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITTED)
def test_four_images_are_learnt_by_heart(name, tmp_path):
    sides, changes = FITTED[name]
    split = plain_shapes(4, sides)
    spec = dataclasses.replace(SPEC, detector=name, **changes)
    detector, _, _ = trained(spec, split, tmp_path)
    found = detect_all(detector, split, spec, CPU)
    assert score_records(match_records(split.coco.to_coco(), found)).figures["AP50"] >= 90
