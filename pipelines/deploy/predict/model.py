"""What detects: a run folder's detector in PyTorch, or an exported file in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from method.detection import Detections
from method.detector import Detector
from pipelines.data.cutting import network_images
from pipelines.data.records import Category
from pipelines.data.tiling import Tiling
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.detectors.trained import open_run
from pipelines.evaluation.merging import merge_tiles
from pipelines.system.errors import UserError
from pipelines.system.machine import choose_device
from pipelines.training.run import DETECTION_BATCH
from pipelines.training.step import to_batch


@dataclass(frozen=True)
class Found:
    """An object in a picture."""

    category: Category
    box: tuple[float, float, float, float]
    """x, y, width, height in the picture's own pixels."""
    score: float


@dataclass(frozen=True)
class Model:
    """A detector, and what its numbers mean."""

    detector: Detector
    device: torch.device
    input_size: int
    categories: tuple[Category, ...]
    """Of label 1, 2, …"""
    tiling: Tiling | None = None
    """How pictures are cut; None where they are squeezed to the input."""

    def cutting(self, tiling: Tiling | None, *, whole: bool) -> Model:
        """The same, cutting pictures otherwise than those that it was trained on.

        Args:
            tiling: how to cut; as it does unless given.
            whole: squeeze them instead.
        """
        return replace(self, tiling=None if whole else tiling or self.tiling)

    def detect(self, pixels: NDArray[np.uint8], floor: float) -> list[Found]:
        """What is in an H×W×3 picture with a score of at least `floor`, best first."""
        found = self._in_tiles(pixels, self.tiling) if self.tiling else self._squeezed(pixels)
        corners = found.boxes.cpu().numpy()
        return [
            Found(
                self.categories[label - 1],
                (float(x1), float(y1), float(x2 - x1), float(y2 - y1)),
                score,
            )
            for (x1, y1, x2, y2), score, label in zip(
                corners, found.scores.tolist(), found.labels.tolist(), strict=True
            )
            if score >= floor
        ]

    def _squeezed(self, pixels: NDArray[np.uint8]) -> Detections:
        """In the whole picture; boxes in its pixels."""
        found = self._detect(network_images(pixels, self.input_size, None))[0]
        height, width = pixels.shape[:2]
        scale = torch.tensor([width, height, width, height], dtype=torch.float64) / self.input_size
        return replace(found, boxes=found.boxes.cpu() * scale)

    def _in_tiles(self, pixels: NDArray[np.uint8], tiling: Tiling) -> Detections:
        """In tiles of the picture, merged; boxes in its pixels."""
        height, width = pixels.shape[:2]
        tiles = network_images(pixels, self.input_size, tiling)
        scale = tiling.size / self.input_size
        found = [
            replace(one, boxes=one.boxes * scale)
            for first in range(0, len(tiles), DETECTION_BATCH)
            for one in self._detect(tiles[first : first + DETECTION_BATCH])
        ]
        return merge_tiles(found, tiling, width, height)

    def _detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        with torch.inference_mode():
            return self.detector.detect(to_batch(np.stack(images), self.device))


def load_model(path: Path) -> Model:
    """Open a run folder, or an .onnx file that `pipelines.deploy.export` wrote.

    It cuts pictures as those that it was trained on were cut.

    Raises:
        UserError: it is neither, or broken.
    """
    if path.suffix == ".onnx" and not path.is_dir():
        if not path.is_file():
            raise UserError(f"{path}: no such file; write it by python -m pipelines.export")
        detector = OnnxDetector(path)
        cpu, size = torch.device("cpu"), detector.input_size
        return Model(detector, cpu, size, detector.categories, detector.tiling)
    if not path.is_dir():
        raise UserError(f"{path}: give the folder of a trained run, or an .onnx file")
    run, device = open_run(path), choose_device()
    spec = run.spec
    return Model(run.detector.to(device), device, spec.input_size, run.categories, spec.tiling)
