"""What detects: a run folder's detector in PyTorch, or an exported file in ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from method.detector import Detector
from pipelines.data.images import resize_image
from pipelines.data.records import Category
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.detectors.trained import open_run
from pipelines.system.errors import UserError
from pipelines.system.machine import choose_device
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

    def detect(self, pixels: NDArray[np.uint8], floor: float) -> list[Found]:
        """What is in an H×W×3 picture with a score of at least `floor`, best first."""
        resized = resize_image(pixels, self.input_size, self.input_size)
        with torch.inference_mode():
            found = self.detector.detect(to_batch(resized[None].copy(), self.device))[0]
        height, width = pixels.shape[:2]
        scale = np.array([width, height, width, height], np.float64) / self.input_size
        corners = found.boxes.cpu().numpy() * scale
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


def load_model(path: Path) -> Model:
    """Open a run folder, or an .onnx file that `pipelines.deploy.export` wrote.

    Raises:
        UserError: it is neither, or broken.
    """
    if path.suffix == ".onnx" and not path.is_dir():
        if not path.is_file():
            raise UserError(f"{path}: no such file; write it by python -m pipelines.export")
        detector = OnnxDetector(path)
        return Model(detector, torch.device("cpu"), detector.input_size, detector.categories)
    if not path.is_dir():
        raise UserError(f"{path}: give the folder of a trained run, or an .onnx file")
    run, device = open_run(path), choose_device()
    return Model(run.detector.to(device), device, run.spec.input_size, run.categories)
