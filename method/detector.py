"""What every detector of this project answers to, so that one trainer serves all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from method.detection import Detections

Match = TypeVar("Match")
"""What a detector makes of the objects of one image before training."""


@dataclass(frozen=True)
class StepLosses:
    """The loss of one step, term by term; the trainer adds the terms up."""

    terms: dict[str, Tensor]
    """Name to scalar."""
    counts: dict[str, Tensor] = field(default_factory=dict)
    """Name to scalar: how many samples took part, for the history."""


class Detector(nn.Module, ABC):
    """A detector that finds boxes in square `uint8` images."""

    @abstractmethod
    def detect(self, images: Tensor) -> list[Detections]:
        """Detections in each of B×3×S×S `uint8` images."""

    @torch.no_grad()
    def flops(self, image: Tensor) -> int:
        """Floating-point operations of the network in one 1×3×S×S image, two a multiply-add."""
        with FlopCounterMode(display=False) as counter:
            self.eval()(image)
        return int(counter.get_total_flops())


class TrainableDetector(Detector, Generic[Match]):
    """A detector that is trained step by step."""

    def look_at(self, boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> None:
        """Fit what depends on all objects of the training set, before it is matched.

        Args:
            boxes: of each image N×4, `xyxy`, input pixels.
            labels: of each image N int64 in 1…C.
        """

    @abstractmethod
    def match(self, boxes: Tensor, labels: Tensor) -> Match:
        """Assign the objects of one image to anchors.

        Args:
            boxes: N×4, `xyxy`, input pixels.
            labels: N int64 in 1…C.
        """

    @abstractmethod
    def losses(self, images: Tensor, matches: Sequence[Match]) -> StepLosses:
        """Losses of a batch: images B×3×S×S `uint8`, and the match of each."""
