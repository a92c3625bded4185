"""What is measured on the network itself at the end of a training; needs torch alone.

Each figure stands beside that of a trivial predictor: the anchors as they are, the commonest class,
the classes' shares. A network that does not beat it has not learned that part of its task.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from method.detector import Detector, Positives, TrainableDetector
from pipelines.data.prepared import PreparedSplit
from pipelines.training.step import to_batch

SAMPLE = 64
"""Images of a split that are looked at, at most."""
BATCH = 8


@dataclass(frozen=True)
class Spread:
    """Standard deviations inside a network."""

    features: tuple[float, ...]
    """Of the map under each head."""
    logits: float
    offsets: float
    """Of the coded boxes."""


@dataclass(frozen=True)
class Fit:
    """How the positive anchors of some images are predicted, each beside a trivial predictor."""

    positives: int
    iou: float
    """Mean overlap of the predicted box with its object."""
    iou_of_anchors: float
    """The same of the anchors as they are."""
    box_loss: float
    """The detector's own localisation loss, mean over the positives."""
    box_loss_of_anchors: float
    """The same of the anchors as they are: coded offsets of no change."""
    class_loss: float
    """Cross-entropy of the class scores there, made to add up to 1 over the classes; nats."""
    class_loss_of_shares: float
    """The same of the classes' shares among the training positives."""
    accuracy: float
    """Share of the positives whose class has the highest score."""
    commonest: float
    """Share of the class that is commonest in training: the accuracy of always guessing it."""


@dataclass(frozen=True)
class NetworkHealth:
    """All of it, of one training; None where a part is out of reach."""

    start: Spread | None
    """With the first weights, and batch norms that see the batch."""
    end: Spread | None
    training: Fit | None
    test: Fit | None


def spread(detector: Detector, images: Tensor, *, fresh: bool) -> Spread | None:
    """Standard deviations in a detector, which stays as it is.

    Args:
        detector: on the device of the images.
        images: B×3×S×S `uint8`.
        fresh: whether its batch norms know no statistics yet, so that a copy takes the batch's.
    """
    if type(detector).activations is Detector.activations:
        return None  # before a copy: another library's network may not be one that can be copied
    if fresh:
        detector = copy.deepcopy(detector)
    training = detector.training
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        found = detector.train(fresh).activations(images)
    detector.train(training)
    if found is None:
        return None
    return Spread(
        features=tuple(_deviation(tap) for tap in found.features),
        logits=_deviation(found.logits),
        offsets=_deviation(found.offsets),
    )


def _deviation(values: Tensor) -> float:
    return round(values.float().std().item(), 4)


def fits(
    detector: Detector, training: PreparedSplit, test: PreparedSplit, device: torch.device
) -> tuple[Fit | None, Fit | None]:
    """Figures of the training and of the test positives."""
    if not isinstance(detector, TrainableDetector):
        return None, None
    known, unknown = (positives_of(detector, split, device) for split in (training, test))
    if known is None:
        return None, None
    return fit(known, known), fit(unknown, known) if unknown else None


def positives_of(
    detector: TrainableDetector[Any], split: PreparedSplit, device: torch.device
) -> Positives | None:
    """The positive anchors of a split's first images; None where there are none, or no way."""
    detector.eval()
    matcher = detector if device.type == "cpu" else copy.deepcopy(detector).cpu()
    parts = []
    for start in range(0, min(SAMPLE, len(split.images)), BATCH):
        numbers = range(start, min(start + BATCH, SAMPLE, len(split.images)))
        matches = [
            matcher.match(torch.from_numpy(split.boxes(i)), torch.from_numpy(split.labels(i)))
            for i in numbers
        ]
        batch = to_batch(split.images[start : numbers.stop], device)
        with torch.compiler.set_stance("force_eager"):
            part = detector.positives(batch, [match.to(device) for match in matches])
        if part is None:
            return None
        parts.append(part)
    joined = Positives(
        **{name: torch.cat([vars(part)[name].cpu() for part in parts]) for name in vars(parts[0])}
    )
    return joined if len(joined.labels) else None


def fit(positives: Positives, training: Positives) -> Fit:
    """Figures of some positives.

    Args:
        positives: to be judged.
        training: those whose classes a trivial predictor knows.
    """
    classes = positives.scores.shape[1]
    shares = torch.bincount(training.labels - 1, minlength=classes) / len(training.labels)
    own = positives.labels - 1
    scores = positives.scores.clamp(min=1e-12)
    probability = (scores / scores.sum(dim=1, keepdim=True)).gather(1, own[:, None])
    figures = {
        "iou": positives.iou,
        "iou_of_anchors": positives.anchor_iou,
        "box_loss": positives.loss,
        "box_loss_of_anchors": positives.anchor_loss,
        "class_loss": -probability.log(),
        "class_loss_of_shares": -shares.clamp(min=1e-12)[own].log(),
        "accuracy": (scores.argmax(dim=1) == own).float(),
        "commonest": (own == shares.argmax()).float(),
    }
    means = {name: round(values.mean().item(), 4) for name, values in figures.items()}
    return Fit(positives=len(own), **means)
