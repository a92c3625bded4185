"""What every detector of the registry owes, the project's own and the rivals'."""

import dataclasses

import numpy as np
import pytest
import torch

from pipelines.augment import make_batches
from pipelines.data.prepared import PreparedSplit, load_prepared, prepare
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.detectors import build_detector
from pipelines.scoring import match_records, score_records
from pipelines.spec import DetectorName, RunSpec
from pipelines.train import detect_all
from pipelines.trainer import to_batch, train

CPU = torch.device("cpu")
SIZE = 128
SPEC = RunSpec(input_size=SIZE, batch_size=4, iterations=20, learning_rate=0.002, warmup=5)
FITTED = {DetectorName.SCALE_AWARE_SSD: (6, 11)}
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
    """Eight drawn images to train on, and eight to test."""
    folder = tmp_path_factory.mktemp("scenes")
    counts = ScenesSpec(train=8, val=1, test=8)
    sources = open_dataset(DatasetSpec("scenes", scenes=counts))
    prepare(sources, folder, SIZE, progress=False)
    return folder


def trained(spec, split):
    detector = build_detector(spec, len(split.class_names), to_batch(split.images, CPU))
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    progress = train(detector, make_batches(detector, split, spec, CPU), spec, device=CPU)
    return detector, progress


@pytest.fixture(scope="module", params=DetectorName)
def case(request, data):
    spec = dataclasses.replace(SPEC, detector=request.param)
    split = load_prepared(data, "train")
    return spec, split, *trained(spec, split)


def test_some_steps_lower_the_loss(case):
    _, _, _, progress = case
    first, last = progress.history[0], progress.history[-1]
    assert last["loss"] < 0.8 * first["loss"]
    terms = set(first) - {"step", "learning_rate", "loss", "positives", "negatives"}
    assert {"classification", "localisation"} == terms
    assert first["loss"] == pytest.approx(sum(first[term] for term in terms), rel=1e-4)


def test_detections_lie_in_the_image_and_name_its_classes(case, data):
    spec, _, detector, _ = case
    split = load_prepared(data, "test")
    found = detect_all(detector, split, spec, CPU)
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


def test_one_seed_gives_the_same_bits_and_another_does_not(case, data):
    spec, split, detector, progress = case
    again, progress_again = trained(spec, split)
    assert progress_again.history == progress.history
    # Not the weights: taps of a kernel that see nothing but padding get arbitrary gradients in
    # oneDNN, and change nothing.
    images = load_prepared(data, "test")
    found = detect_all(detector, images, spec, CPU)
    assert detect_all(again, images, spec, CPU) == found
    other, _ = trained(dataclasses.replace(spec, seed=1), split)
    assert detect_all(other, images, spec, CPU) != found


def test_a_batch_gives_what_its_images_give_alone(case, data):
    _, _, detector, _ = case
    detector.eval()
    images = to_batch(load_prepared(data, "test").images[:3], CPU)
    together = detector.detect(images)
    for i, joint in enumerate(together):
        alone = detector.detect(images[i : i + 1])[0]
        torch.testing.assert_close(joint.scores, alone.scores, rtol=1e-3, atol=1e-4)
        assert len(joint.boxes) == len(alone.boxes)


def test_images_without_objects_are_trained_on_and_searched(case):
    spec, _, _, _ = case
    detector = build_detector(spec, 3, torch.zeros((1, 3, SIZE, SIZE), dtype=torch.uint8))
    images = torch.zeros((2, 3, SIZE, SIZE), dtype=torch.uint8)
    none = detector.match(torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64))
    some = detector.match(torch.tensor([[10.0, 10, 40, 40]]), torch.tensor([2]))
    for matches in ([none, none], [none, some]):
        losses = detector.train().losses(images, matches)
        total = torch.stack(list(losses.terms.values())).sum()
        assert torch.isfinite(total)
        total.backward()
    for found in detector.eval().detect(images):
        assert found.boxes.shape == (len(found.scores), 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITTED)
def test_four_images_are_learnt_by_heart(name):
    split = plain_shapes(4, FITTED[name])
    spec = dataclasses.replace(SPEC, detector=name, iterations=200)
    detector, _ = trained(spec, split)
    found = detect_all(detector, split, spec, CPU)
    assert score_records(match_records(split.coco.to_coco(), found)).figures["AP50"] >= 90
