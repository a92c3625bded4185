"""An exported file as a detector: ONNX Runtime behind the same `detect` as PyTorch's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from method.detection import Detections
from method.detector import Detector
from pipelines.data.records import Category
from pipelines.data.tiling import Tiling
from pipelines.system.errors import UserError


class OnnxDetector(Detector):
    """A detector that `pipelines.deploy.export` wrote, on as many CPU threads as PyTorch has.

    Args:
        model: the file, or its bytes.

    Raises:
        UserError: it is no ONNX file, or one that another program wrote.
    """

    input_size: int
    categories: tuple[Category, ...]
    """Of label 1, 2, …"""
    tiling: Tiling | None
    """How the photographs were cut that it was trained on."""
    trained_on: frozenset[str]
    """Hashes of the training images, by `pipelines.deploy.training_images`."""

    def __init__(self, model: Path | bytes) -> None:
        super().__init__()
        name = model if isinstance(model, Path) else "model"
        content = str(model) if isinstance(model, Path) else model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own have no common base but this
            raise UserError(f"{name}: cannot be opened as an ONNX model: {error}") from None
        stated = self.session.get_modelmeta().custom_metadata_map
        try:
            self.input_size = int(stated["input_size"])
            entries = json.loads(stated["categories"])
            self.categories = tuple(Category(entry["id"], entry["name"]) for entry in entries)
            tiles = json.loads(stated.get("tiles", "null"))
            self.tiling = Tiling(**tiles) if tiles else None
            self.trained_on = frozenset(stated.get("training_images", "").split())
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{name}: does not state its classes and input size; "
                "write it by python -m pipelines.export"
            ) from None
        (image,) = self.session.get_inputs()
        self.kind = np.float32 if image.type == "tensor(float)" else np.uint8

    def detect(self, images: Tensor) -> list[Detections]:
        return [self._detect_one(image) for image in images.permute(0, 2, 3, 1).cpu().numpy()]

    def _detect_one(self, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Detections:
        image = np.ascontiguousarray(pixels[None], dtype=self.kind)
        *count, boxes, scores, labels = self.session.run(None, {"image": image})
        found = slice(int(count[0][0]) if count else None)
        return Detections(*(torch.from_numpy(values[found]) for values in (boxes, scores, labels)))
