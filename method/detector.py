"""What every detector of this project answers to, so that one trainer serves all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from method.detection import Detections, Selection


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """The values on a device; the host does not wait until a GPU has them."""
    if device.type == "cpu" or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


class Movable(Protocol):
    """What can be brought to a device."""

    def to(self, device: torch.device) -> Self:
        """The same there."""


@dataclass(frozen=True)
class Tensors:
    """Tensors of one image, by name."""

    def to(self, device: torch.device) -> Self:
        """The same on a device; the host does not wait until a GPU has them."""
        return replace(
            self, **{own.name: to_device(getattr(self, own.name), device) for own in fields(self)}
        )


Match = TypeVar("Match", bound=Movable)
"""What a detector makes of the objects of one image before training."""


@dataclass(frozen=True)
class StepLosses:
    """The loss of one step, term by term; the trainer adds the terms up."""

    terms: dict[str, Tensor]
    """Name to scalar."""
    counts: dict[str, Tensor] = field(default_factory=dict)
    """Name to scalar: how many samples took part, for the history."""


@dataclass(frozen=True)
class Activations:
    """What a network computes on its way to detections."""

    features: Sequence[Tensor]
    """The map under each head, B×C×H×W."""
    logits: Tensor
    """Class scores before softmax or sigmoid, of any shape."""
    offsets: Tensor
    """Coded boxes, of any shape."""


@dataclass(frozen=True)
class Positives:
    """Anchors that answer for an object, what the network makes of them, and what they are bare."""

    labels: Tensor
    """P int64 in 1…C: the class of each one's object."""
    scores: Tensor
    """P×C class scores there, 0 or more."""
    loss: Tensor
    """P: localisation loss of the predicted box."""
    anchor_loss: Tensor
    """P: that of the anchor as it is, if it were the prediction."""
    iou: Tensor
    """P: overlap of the predicted box with the object."""
    anchor_iou: Tensor
    """P: overlap of the anchor with the object."""


class Detector(nn.Module, ABC):
    """A detector that finds boxes in square `uint8` images."""

    @property
    def max_detections(self) -> int:
        """Detections that it keeps of an image, at most."""
        return Selection.most

    @abstractmethod
    def detect(self, images: Tensor) -> list[Detections]:
        """Detections in each of B×3×S×S `uint8` images."""

    def activations(self, images: Tensor) -> Activations | None:
        """Activations in B×3×S×S `uint8` images; None where they are out of reach."""
        return None

    @torch.no_grad()
    def flops(self, image: Tensor) -> int:
        """Floating-point operations of the network in one 1×3×S×S image, two a multiply-add."""
        with FlopCounterMode(display=False) as counter:
            self.eval()(image)
        return int(counter.get_total_flops())


class TrainableDetector(Detector, Generic[Match]):
    """A detector that is trained step by step."""

    def fit_to_objects(self, boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> None:
        """Fit what depends on all objects of the training set, before it is matched.

        Args:
            boxes: of each image N×4, `xyxy`, input pixels.
            labels: of each image N int64 in 1…C.
        """

    @abstractmethod
    def match(self, boxes: Tensor, labels: Tensor) -> Match:
        """Assign the objects of one image to anchors, where the detector is.

        A GPU makes the host wait for it: how many anchors an object gets decides on what follows.
        The trainer therefore asks a copy on the CPU.

        Args:
            boxes: N×4, `xyxy`, input pixels.
            labels: N int64 in 1…C.
        """

    @abstractmethod
    def losses(self, images: Tensor, matches: Sequence[Match]) -> StepLosses:
        """Losses of a batch: images B×3×S×S `uint8`, and the match of each."""

    def positives(self, images: Tensor, matches: Sequence[Match]) -> Positives | None:
        """The positive anchors of a batch, as `losses` has it; None where they are out of reach."""
        return None
