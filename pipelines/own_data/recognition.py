"""Photographs of a model's own training, noticed when it is measured on them."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.data.cutting import network_images
from pipelines.data.records import CocoSplit
from pipelines.data.sources import ImageSource
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.deploy.predict.model import Model
from pipelines.deploy.training_images import image_hashes, training_hashes
from pipelines.runs.folder import RunFolder


def trained_on(model: Model, run: RunFolder | None) -> frozenset[str]:
    """Hashes of the images that a run was trained on, or that an exported file names."""
    if run:
        return training_hashes(run.record().spec)
    return model.detector.trained_on if isinstance(model.detector, OnnxDetector) else frozenset()


@dataclass(frozen=True)
class Recognising:
    """A split whose photographs are recognised, as they are read, by what a network saw of them.

    Args:
        source: the photographs.
        known: hashes of the training images.
        model: cuts photographs as those of its training were cut.
    """

    source: ImageSource
    known: Set[str]
    model: Model
    _seen: set[int] = field(default_factory=set, init=False)

    @property
    def split(self) -> CocoSplit:
        """The annotations."""
        return self.source.split

    def image(self, index: int) -> NDArray[np.uint8]:
        """Pixels of a photograph."""
        pixels = self.source.image(index)
        if self.known:
            images = network_images(pixels, self.model.input_size, self.model.tiling)
            if self.known & image_hashes(images):
                self._seen.add(index)
        return pixels

    def notes(self) -> list[str]:
        """A word, if any photograph that was read is one of the training."""
        count, images = len(self._seen), len(self.split.images)
        if not count:
            return []
        these = "all of these" if count == images else f"{count} of these {images}"
        return [
            f"this model was trained on {these} photographs: its figures here say little of others"
        ]
