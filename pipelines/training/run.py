"""Train one run and let it detect; nothing is scored here.

With torch, torchvision and numpy alone, so that a machine that has nothing else can do it. What is
left to do then, `pipelines.evaluation.run` does: at once, or where the study lies.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baselines.tf_od.detector import TensorFlowDetector
from method.detector import Detector, TrainableDetector
from method.lapnet.detector import LapNet
from pipelines.data.prepared import MANIFEST, PreparedSplit, load_prepared
from pipelines.detectors.build import build_detector, network_cost
from pipelines.detectors.weights import weights_fingerprint
from pipelines.runs.spec import RunSpec
from pipelines.system.bars import progress_bar
from pipelines.system.hashing import file_sha256
from pipelines.system.machine import choose_device, code_state, describe_machine, peak_memory_mib
from pipelines.system.paths import REPOSITORY
from pipelines.training.batches import host_matcher, make_batches
from pipelines.training.health.network import SAMPLE, NetworkHealth, fits, spread
from pipelines.training.live import Live
from pipelines.training.loop import CHECKPOINT_SECONDS, Checkpoint, Progress, Validation, train
from pipelines.training.parallel import is_first, require_divisible, synchronised
from pipelines.training.step import autocast, choose_arithmetic, make_steps, to_batch
from pipelines.training.tensorflow import tensorflow_errors, train_by_tensorflow

CALIBRATION_IMAGES = 16
SPREAD_IMAGES = 4
"""Enough for a deviation over maps; a heavy detector takes half a second for each."""
DETECTION_BATCH = 8

Detections = list[dict[str, Any]]
"""COCO results, in original pixels."""
History = list[dict[str, float]]
"""Rows of `history.csv`."""


@dataclass(frozen=True)
class FirstWeights:
    """Where the file that a specification names lies, and what it is known by."""

    path: Path
    sha256: str
    """Of the file that the specification means; `path` may hold the part of it that is needed."""


@dataclass(frozen=True)
class Training:
    """How a run is trained, beyond its specification.

    Args:
        name: of the run.
        data_folder: its prepared data.
        validated: of a step and its detections in the validation images, the figures that enter
            the history.
        first_weights: the file of `spec.init`; None where it lies as that says, if it is a file.
        checkpoint_seconds: least time between two checkpoints.
        live: what can be looked at meanwhile.
    """

    name: str
    data_folder: Path
    validated: Callable[[int, Detections], dict[str, float]]
    first_weights: FirstWeights | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    live: Live | None = None


@dataclass(frozen=True)
class Trained:
    """What a finished training leaves, before anything is scored."""

    record: dict[str, Any]
    """Of `run.json`, but for what scoring adds."""
    history: History
    detections: Detections
    """In the test images."""
    sample_images: int
    """Training images, from the first, that were looked at again."""
    sample_detections: Detections
    """In these."""
    max_detections: int
    """Most that are kept an image."""
    health: NetworkHealth
    state: dict[str, Tensor]
    """Of the detector, on the CPU."""


@tensorflow_errors()
def train_and_detect(spec: RunSpec, training: Training) -> tuple[Trained, Checkpoint] | None:
    """Train a run, from its checkpoint if there is one, and let it detect.

    Returns:
        What it left, and the checkpoint, to be removed once that is kept; None in all processes of
        a run but the first.

    Raises:
        UserError: the specification does not fit the data or the machine, or the loss diverged.
    """
    require_divisible(spec)
    if spec.threads:
        torch.set_num_threads(spec.threads)
    images, test = (load_prepared(training.data_folder, name) for name in ("train", "test"))
    device = choose_device()
    choose_arithmetic(spec.precision)
    first = training.first_weights
    weights = first.sha256 if first else weights_fingerprint(spec.init)
    begun = dataclasses.replace(spec, init=str(first.path)) if first else spec
    calibration = to_batch(images.images[:CALIBRATION_IMAGES], torch.device("cpu"))
    detector = build_detector(begun, len(images.class_names), calibration)
    start = spread(detector, calibration[:SPREAD_IMAGES], fresh=True)
    detector = synchronised(detector).to(device)
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    code, manifest = code_state(), training.data_folder / MANIFEST
    checkpoint = Checkpoint(
        REPOSITORY / ".checkpoints" / f"{training.name}-{spec.hash}.pt",
        f"{spec.hash} {code['code_hash']} {file_sha256(manifest)[:12]} {weights}",
        training.checkpoint_seconds,
    )
    validate = _validation(detector, spec, training, device)
    progress = train_detector(
        detector, images, spec, device, checkpoint, validate, training.live, label=training.name
    )
    if not is_first():
        return None
    record = _first_of_record(spec, training, code, weights, device)
    detections = detect_all(detector, test, spec, device)
    sample = images.first(min(SAMPLE, len(test.images), spec.images_seen or SAMPLE))
    known, unknown = fits(detector, images, test, device)
    again = detect_all(detector, sample, spec, device)
    end = spread(detector, calibration[:SPREAD_IMAGES].to(device), fresh=False)
    record["cost"] = _cost(detector, spec, progress, device)
    if isinstance(detector, LapNet):
        record["learned"] = detector.learned()
    if progress.elsewhere:
        record["trainer"] = dataclasses.asdict(progress.elsewhere)
    trained = Trained(
        record=record,
        history=progress.history,
        detections=detections,
        sample_images=len(sample.images),
        sample_detections=again,
        max_detections=detector.max_detections,
        health=NetworkHealth(start, end, known, unknown),
        state={name: value.cpu().contiguous() for name, value in detector.state_dict().items()},
    )
    return trained, checkpoint


def _first_of_record(
    spec: RunSpec,
    training: Training,
    code: dict[str, Any],
    weights: str | None,
    device: torch.device,
) -> dict[str, Any]:
    """What was trained, on what and by what."""
    return {
        "name": training.name,
        "specification": spec.to_dict(),
        "specification_hash": spec.hash,
        "data": json.loads((training.data_folder / MANIFEST).read_text()),
        "first_weights_sha256": weights,
        "code": code,
        "machine": describe_machine(device),
        "agreement": spec.entry.agreement(device.type),
    }


def _validation(
    detector: Detector, spec: RunSpec, training: Training, device: torch.device
) -> Validation | None:
    if not spec.validate_every:
        return None
    split = load_prepared(training.data_folder, "val")
    return lambda step: training.validated(step, detect_all(detector, split, spec, device))


def train_detector(
    detector: Detector,
    training: PreparedSplit,
    spec: RunSpec,
    device: torch.device,
    checkpoint: Checkpoint,
    validate: Validation | None = None,
    live: Live | None = None,
    label: str = "train",
) -> Progress:
    """Train to the last step by the detector's own trainer; its arguments are those of `train`."""
    if isinstance(detector, TensorFlowDetector):
        return train_by_tensorflow(
            detector, training, spec, checkpoint, validate=validate, live=live, label=label
        )
    assert isinstance(detector, TrainableDetector)
    if spec.iterations:
        images = range(len(training.images))
        detector.fit_to_objects(
            [torch.from_numpy(training.boxes(i)) for i in images],
            [torch.from_numpy(training.labels(i)) for i in images],
        )
    return train(
        detector,
        make_batches(host_matcher(detector, device), training, spec, device),
        spec,
        device=device,
        steps=make_steps(detector, spec, device),
        checkpoint=checkpoint,
        validate=validate,
        live=live,
        label=label,
    )


def detect_all(
    detector: Detector, split: PreparedSplit, spec: RunSpec, device: torch.device
) -> Detections:
    """Detections in every image as COCO results, in original pixels, as they are written."""
    detector.eval()
    results = []
    for start in progress_bar(
        range(0, len(split.images), DETECTION_BATCH), desc="detect", leave=False
    ):
        batch = to_batch(split.images[start : start + DETECTION_BATCH], device)
        with autocast(spec.precision, device), torch.compiler.set_stance("force_eager"):
            found = detector.detect(batch)
        for i, detections in enumerate(found, start):
            boxes = split.to_image_frame(i, detections.boxes.cpu().numpy())
            for box, score, label in zip(
                boxes, detections.scores.tolist(), detections.labels.tolist(), strict=True
            ):
                x1, y1, x2, y2 = (float(side) for side in box)
                results.append(
                    {
                        "image_id": split.coco.images[i].id,
                        "category_id": split.category_ids[label - 1],
                        "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
                        "score": round(score, 6),
                    }
                )
    return results


def _cost(
    detector: Detector, spec: RunSpec, progress: Progress, device: torch.device
) -> dict[str, float]:
    blank = torch.zeros((1, 3, spec.input_size, spec.input_size), dtype=torch.uint8, device=device)
    images = spec.images_seen
    elsewhere = progress.elsewhere
    memory = elsewhere.peak_memory_mib if elsewhere else peak_memory_mib(device)
    return {
        **network_cost(detector, blank),
        "training_seconds": round(progress.seconds, 2),
        "training_images": images,
        "images_a_second": round(images / max(progress.seconds, 1e-9), 2),
        "peak_memory_mib": round(memory, 1),
        **({} if progress.joules is None else {"joules": round(progress.joules, 1)}),
    }
