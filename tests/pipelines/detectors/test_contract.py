"""What every detector of the registry owes, the project's own and the rivals'."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from method.detector import TrainableDetector
from method.lapnet.choices import Balance
from pipelines.data.prepared import PreparedSplit, load_prepared, prepare
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.detectors.build import build_detector
from pipelines.evaluation.coco import match_records, score_records
from pipelines.runs.registry import ENTRIES
from pipelines.runs.spec import DetectorName, Precision, RunSpec, Schedule, Switch
from pipelines.training.loop import Checkpoint
from pipelines.training.run import detect_all, train_detector
from pipelines.training.step import to_batch

CPU = torch.device("cpu")
SIZE = 128
SPEC = RunSpec(
    input_size=SIZE, batch_size=4, iterations=20, learning_rate=0.002, warmup=5,
    precision=Precision.FP32,
)  # fmt: skip
ON_RESNET = {"input_size": 64, "batch_size": 2}
OF_DETECTRON2 = {"schedule": Schedule.STEP, **ON_RESNET}
CHANGES: dict[str, dict[str, Any]] = {
    DetectorName.FASTER_RCNN_R50: {**OF_DETECTRON2, "learning_rate": 0.0005},
    DetectorName.FASTER_RCNN_R101: {**OF_DETECTRON2, "learning_rate": 0.001},
    DetectorName.RETINANET_TORCHVISION: ON_RESNET,
    DetectorName.RETINANET_R50: {**OF_DETECTRON2, "input_size": SIZE, "learning_rate": 0.002},
    DetectorName.LAPNET: {"balance": Balance.RATIO, "ambiguity": Switch.OFF},
    DetectorName.SSD_MOBILENET_V2_TF: {
        "weight_decay": 4e-5, "learning_rate": 0.02, "iterations": 60,
    },
}  # fmt: skip
"""Settings at which a rival learns something in so few steps, but not "all is empty"."""
FITTED = {DetectorName.SCALE_AWARE_SSD: (6, 11), DetectorName.LAPNET: (12, 40)}
"""Those that train fast enough for a test, and the sides (pixels) of the objects that fit them."""


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


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight drawn images to train on, and eight to test, in a folder for each input size."""
    folder = tmp_path_factory.mktemp("scenes")
    counts = ScenesSpec(train=8, val=1, test=8)
    sources = open_dataset(DatasetSpec("scenes", scenes=counts))
    for size in (64, SIZE):
        prepare(sources, folder / str(size), size, progress=False)
    return folder


def build(spec, split):
    return build_detector(spec, len(split.class_names), to_batch(split.images, CPU))


def trained(spec, split, folder):
    """A detector, its first weights, and its training."""
    detector = build(spec, split)
    first = {name: value.clone() for name, value in detector.state_dict().items()}
    detector.to(memory_format=torch.channels_last)
    # Kept for longer than the training takes: none is written, none is found by the next.
    checkpoint = Checkpoint(folder / "state.pt", "key", seconds=3600)
    return detector, first, train_detector(detector, split, spec, CPU, checkpoint)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_contract(name, data, tmp_path):
    spec = dataclasses.replace(SPEC, detector=name, **CHANGES.get(name, {}))
    split, unseen = (load_prepared(data / str(spec.input_size), s) for s in ("train", "test"))
    detector, first, progress = trained(spec, split, tmp_path)
    found = detect_all(detector, unseen, spec, CPU)
    the_loss_falls_and_is_the_sum_of_its_terms(progress.history)
    detections_lie_in_the_image_and_name_its_classes(found, unseen)
    if ENTRIES[name].bitwise_on_cpu:
        again, first_again, progress_again = trained(spec, split, tmp_path)
        # Not the weights: taps of a kernel that see nothing but padding get arbitrary gradients
        # in oneDNN, and change nothing.
        assert progress_again.history == progress.history, "one seed, two trainings"
        assert detect_all(again, unseen, spec, CPU) == found, "one seed, two trainings"
    else:
        first_again = build(spec, split).state_dict()
    other_seed = build(dataclasses.replace(spec, seed=1), split).state_dict()
    assert all(torch.equal(value, first_again[name]) for name, value in first.items())
    assert any(not torch.equal(value, other_seed[name]) for name, value in first.items())
    a_batch_gives_what_its_images_give_alone(detector, unseen)
    blank = torch.zeros((2, 3, spec.input_size, spec.input_size), dtype=torch.uint8)
    images_without_objects_are_searched(detector, blank)
    if isinstance(detector, TrainableDetector):
        images_without_objects_are_trained_on(detector, blank)


def the_loss_falls_and_is_the_sum_of_its_terms(history):
    first, last = history[0], history[-1]
    assert last["loss"] < 0.8 * first["loss"]
    terms = set(first) - {"step", "learning_rate", "loss", "positives", "negatives", "located"}
    assert len(terms) >= 2
    assert first["loss"] == pytest.approx(sum(first[term] for term in terms), rel=1e-4)


def detections_lie_in_the_image_and_name_its_classes(found, split):
    assert found
    images = {image.id: image for image in split.coco.images}
    counts = dict.fromkeys(images, 0)
    for detection in found:
        image = images[detection["image_id"]]
        x, y, width, height = detection["bbox"]
        assert min(x, y, width, height) >= 0
        assert x + width <= image.width + 0.02
        assert y + height <= image.height + 0.02
        assert detection["category_id"] in split.category_ids
        assert 0.01 <= detection["score"] <= 1
        counts[detection["image_id"]] += 1
    assert max(counts.values()) <= 100


def a_batch_gives_what_its_images_give_alone(detector, split):
    detector.eval()
    images = to_batch(split.images[:3], CPU)
    for i, joint in enumerate(detector.detect(images)):
        alone = detector.detect(images[i : i + 1])[0]
        torch.testing.assert_close(joint.scores, alone.scores, rtol=1e-3, atol=1e-4)
        assert len(joint.boxes) == len(alone.boxes)


def images_without_objects_are_trained_on(detector, images):
    none = detector.match(torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64))
    some = detector.match(torch.tensor([[10.0, 10, 40, 40]]), torch.tensor([2]))
    for matches in ([none, none], [none, some]):
        losses = detector.train().losses(images, matches)
        total = torch.stack(list(losses.terms.values())).sum()
        assert torch.isfinite(total)
        total.backward()


def images_without_objects_are_searched(detector, images):
    for found in detector.eval().detect(images):
        assert found.boxes.shape == (len(found.scores), 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITTED)
def test_four_images_are_learnt_by_heart(name, tmp_path):
    split = plain_shapes(4, FITTED[name])
    spec = dataclasses.replace(SPEC, detector=name, iterations=200)
    detector, _, _ = trained(spec, split, tmp_path)
    found = detect_all(detector, split, spec, CPU)
    assert score_records(match_records(split.coco.to_coco(), found)).figures["AP50"] >= 90
