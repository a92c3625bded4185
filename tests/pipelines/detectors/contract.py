"""What every detector of the registry owes, the project's own and the rivals'."""

import pytest
import torch

from method.detector import TrainableDetector
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import Precision, RunSpec
from pipelines.training.loop import Checkpoint
from pipelines.training.run import train_detector
from pipelines.training.step import to_batch

CPU = torch.device("cpu")
SIZE = 128
SPEC = RunSpec(
    input_size=SIZE,
    batch_size=4,
    iterations=20,
    learning_rate=0.002,
    warmup=5,
    precision=Precision.FP32,
)


def build(spec, split):
    return build_detector(spec, len(split.class_names), to_batch(split.images, CPU))


def copied(detector):
    return {name: value.clone() for name, value in detector.state_dict().items()}


def trained(spec, split, folder):
    """A detector, its first weights, and its training."""
    detector = build(spec, split)
    first = copied(detector)
    detector.to(memory_format=torch.channels_last)
    # Kept for longer than the training takes: none is written, none is found by the next.
    checkpoint = Checkpoint(folder / "state.pt", "key", seconds=3600)
    return detector, first, train_detector(detector, split, spec, CPU, checkpoint)


def is_kept(detector, history, found, unseen):
    """Hold a trained detector to all but what its seed owes.

    Args:
        detector: with its last weights.
        history: of its training.
        found: what it detects in the images of `unseen`.
        unseen: a split that it was not trained on.
    """
    the_loss_falls_and_is_the_sum_of_its_terms(history)
    detections_lie_in_the_image_and_name_its_classes(found, unseen)
    a_batch_gives_what_its_images_give_alone(detector, unseen)
    blank = torch.zeros((2, 3, *unseen.images.shape[1:3]), dtype=torch.uint8)
    images_without_objects_are_searched(detector, blank)
    if isinstance(detector, TrainableDetector):
        images_without_objects_are_trained_on(detector, blank)


def one_seed_gives_one_start(first, again, other_seed):
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert any(not torch.equal(value, other_seed[name]) for name, value in first.items())


def the_loss_falls_and_is_the_sum_of_its_terms(history):
    first, last = history[0], history[-1]
    undivided = [record["loss"] * record.get("normaliser", 1) for record in (first, last)]
    assert undivided[1] < 0.8 * undivided[0]
    counts = {"positives", "negatives", "located", "normaliser"}
    terms = set(first) - {"step", "learning_rate", "loss"} - counts
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
