"""Images of noise with objects, and a detector about to train on them: for measuring speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from method.detector import TrainableDetector
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import RunSpec
from pipelines.training.batches import Objects
from pipelines.training.step import to_batch


@dataclass(frozen=True)
class Scene:
    """Images of noise with objects."""

    pixels: NDArray[np.uint8]
    """B×S×S×3."""
    boxes: list[Tensor]
    labels: list[Tensor]

    @property
    def objects(self) -> list[Objects]:
        """Of each image."""
        return list(zip(self.boxes, self.labels, strict=True))


def draw(images: int, size: int, objects: int, classes: int) -> Scene:
    """The same scene at every call; objects have sides of 4 to 16 % of the image's."""
    rng = np.random.default_rng(0)
    sides = rng.uniform(0.04, 0.16, (images, objects, 2))
    corners = rng.uniform(0, 1 - sides)
    boxes = size * np.concatenate([corners, corners + sides], axis=2).astype(np.float32)
    return Scene(
        rng.integers(0, 256, (images, size, size, 3), dtype=np.uint8),
        list(torch.from_numpy(boxes)),
        list(torch.from_numpy(rng.integers(1, classes + 1, (images, objects)))),
    )


def build(
    spec: RunSpec, classes: int, scene: Scene, device: torch.device
) -> TrainableDetector[Any]:
    """A detector with its first weights that has looked at the scene's objects, on a device."""
    detector = build_detector(spec, classes, to_batch(scene.pixels[:1], device)).to(device)
    assert isinstance(detector, TrainableDetector)
    detector.fit_to_objects(scene.boxes, scene.labels)
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return detector.train()
