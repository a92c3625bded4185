"""A small task that a sound training solves in seconds: red and blue boxes on a grey ground."""

import numpy as np
import pytest
import torch

from method.choices import HeadInit
from method.ssd import SSD
from pipelines.data.prepared import PreparedSplit
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import Precision, RunSpec
from pipelines.training.batches import FixedBatches
from pipelines.training.health.network import SAMPLE, NetworkHealth, fits, spread
from pipelines.training.health.record import measure
from pipelines.training.loop import train
from pipelines.training.run import detect_all
from pipelines.training.step import OwnSteps, to_batch

SIZE = 128
CPU = torch.device("cpu")
COLOURS = {1: (200, 40, 40), 2: (40, 60, 200)}
SOUND = RunSpec(
    input_size=SIZE,
    width=0.25,
    iterations=120,
    batch_size=8,
    learning_rate=0.02,
    precision=Precision.FP32,
    head_init=HeadInit.RELEASED,
    max_detections=300,
)


def coloured_boxes(count, seed, first_class_share=0.6):
    """A split of `count` images with three boxes each, whose colour is their class."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(110, 140, (count, SIZE, SIZE, 3), dtype=np.uint8)
    annotations: list[Annotation] = []
    for image in range(count):
        for place in range(3):
            width, height = generator.uniform(7, 22, 2)
            x = generator.uniform(2 + 42 * place, 42 * (place + 1) - width)
            y = generator.uniform(2, SIZE - height - 2)
            label = 1 if generator.random() < first_class_share else 2
            rows, columns = slice(round(y), round(y + height)), slice(round(x), round(x + width))
            pixels[image, rows, columns] = COLOURS[label]
            box = (float(x), float(y), float(width), float(height))
            annotations.append(
                Annotation(len(annotations) + 1, image + 1, label, box, 0, box[2] * box[3])
            )
    images = tuple(ImageRecord(i + 1, f"{i}.png", SIZE, SIZE) for i in range(count))
    categories = (Category(1, "red"), Category(2, "blue"))
    return PreparedSplit(pixels, CocoSplit(images, categories, tuple(annotations)))


@pytest.fixture(scope="session")
def data():
    """Training and test images."""
    return coloured_boxes(160, seed=0), coloured_boxes(16, seed=1)


def trained_health(spec, training, test, *, change=lambda detector: None, labels=None):
    """Health of a training on these images.

    Args:
        spec: the run.
        training: split.
        test: split.
        change: breaks the detector before its first step.
        labels: split whose labels are trained on, where they are not the training's own.
    """
    torch.set_num_threads(1)
    calibration = to_batch(training.images[:16], CPU)
    detector = build_detector(spec, 2, calibration)
    assert isinstance(detector, SSD)
    change(detector)
    start = spread(detector, calibration, fresh=True)
    batches = FixedBatches(detector.match, labels or training, CPU)
    progress = train(detector, batches, spec, device=CPU, steps=OwnSteps(detector, spec))
    known = labels or training
    sample = known.first(min(SAMPLE, len(test.images), spec.images_seen))
    found, again = (detect_all(detector, split, spec, CPU) for split in (test, sample))
    network = NetworkHealth(
        start, spread(detector, calibration, fresh=False), *fits(detector, known, test, CPU)
    )
    most = detector.config.selection.most
    return measure(network, sample, again, test, found, most, progress.history)
