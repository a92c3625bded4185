"""Whether a step of every detector gives on this device what it gives on the CPU."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import box_iou

from method.detection import Detections
from method.detector import TrainableDetector
from pipelines.runs.registry import ENTRIES, Trainer
from pipelines.runs.spec import Precision, RunSpec, Switch
from pipelines.system.errors import UserError
from pipelines.training.batches import HostMatching, host_matcher
from pipelines.training.noise import Scene, build, draw
from pipelines.training.step import choose_arithmetic, to_batch

CLASSES, OBJECTS = 3, 9
SIZE, BATCH = 256, 2
MOST_LOSSES, MOST_GRADIENTS, LEAST_DETECTIONS = 1e-3, 1e-2, 0.95
SAME_IOU, SAME_SCORE = 0.95, 1e-2


@dataclass(frozen=True)
class Agreement:
    """One detector on both; None where it cannot be compared."""

    detector: str
    losses: float | None
    """Greatest relative difference of a term of the loss."""
    gradients: float | None
    """Length of the gradients' difference over the length of the CPU's gradient."""
    detections: float | None
    """Share of the CPU's detections that the device has too."""
    verdict: str


def comparable() -> list[str]:
    """The detectors that are trained step by step here, this project's own first."""
    return [e.name for e in ENTRIES.values() if e.trainer is not Trainer.TENSORFLOW]


def agreements(device: torch.device, deadline: float) -> Iterator[Agreement]:
    """Each detector in turn, the project's own first, until the deadline (monotonic clock)."""
    choose_arithmetic(Precision.FP32)
    for name in comparable():
        if time.monotonic() > deadline:
            return
        spec = RunSpec(
            detector=name,
            input_size=SIZE,
            precision=Precision.FP32,
            init="none",
            batch_size=BATCH,
            compile=Switch.OFF,
        )
        try:
            yield compare(spec, device)
        except (ImportError, UserError) as error:
            yield Agreement(name, None, None, None, f"not here: {error}")


def compare(spec: RunSpec, device: torch.device) -> Agreement:
    """One step and one detection, with the same weights, on the CPU and on the device."""
    scene = draw(BATCH, SIZE, OBJECTS, CLASSES)
    cpu = torch.device("cpu")
    here = build(spec, CLASSES, scene, cpu)
    there = build(spec, CLASSES, scene, device)
    there.load_state_dict(here.state_dict())
    (terms, gradient), (other_terms, other) = (
        _step(detector, scene, on) for detector, on in ((here, cpu), (there, device))
    )
    if spec.entry.two_stage:  # draws proposals at random, each device in an order of its own
        return Agreement(spec.detector, None, None, None, "its step runs")
    losses = max(
        abs(other_terms[name] - value) / max(abs(value), 1e-6) for name, value in terms.items()
    )
    gradients = float((other - gradient).norm() / gradient.norm().clamp(min=1e-12))
    images = to_batch(scene.pixels, cpu)
    with torch.no_grad():
        found = here.eval().detect(images)
        theirs = there.eval().detect(images.to(device))
    share = shared(found, theirs)
    good = losses <= MOST_LOSSES and gradients <= MOST_GRADIENTS
    good = good and (share is None or share >= LEAST_DETECTIONS)
    return Agreement(spec.detector, losses, gradients, share, "agrees" if good else "DIFFERS")


def _step(
    detector: TrainableDetector[Any], scene: Scene, device: torch.device
) -> tuple[dict[str, float], Tensor]:
    """Terms of the loss, and all gradients in one vector on the CPU."""
    torch.manual_seed(0)
    matches = HostMatching(host_matcher(detector, device), device)(scene.objects)
    terms = detector.losses(to_batch(scene.pixels, device), matches).terms
    torch.stack(list(terms.values())).sum().backward()
    parts = [p.grad.detach().flatten() for p in detector.parameters() if p.grad is not None]
    return {name: float(value.detach()) for name, value in terms.items()}, torch.cat(parts).cpu()


def shared(found: Sequence[Detections], theirs: Sequence[Detections]) -> float | None:
    """Share of the detections that the other has too: same class, about the same box and score.

    None where there is no detection to compare.
    """
    kept = total = 0
    for one, other in zip(found, theirs, strict=True):
        total += len(one.boxes)
        if not len(one.boxes) or not len(other.boxes):
            continue
        same = box_iou(one.boxes, other.boxes.cpu()) >= SAME_IOU
        same &= one.labels[:, None] == other.labels.cpu()[None]
        same &= (one.scores[:, None] - other.scores.cpu()[None]).abs() <= SAME_SCORE
        kept += int(same.any(dim=1).sum())
    return kept / total if total else None
