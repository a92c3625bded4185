"""From an image to the candidates of suppression, as modules that torch's exporter can read.

The same candidates as `detect`'s, but always as many: those below the score floor go with
suppression, not before it.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import replace

import torch
from torch import Tensor, nn

from method.boxes import BoxCoding, decode
from method.detection import Selection
from method.lapnet.detector import LapNet
from method.ssd import SSD


class SSDCandidates(nn.Module):
    """The best class scores of an SSD, with their boxes."""

    def __init__(self, detector: SSD) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes N×4 (`xyxy`, input pixels), scores N and labels N of a 1×S×S×3 `uint8` image.

        The best score comes first.
        """
        config = self.detector.config
        logits, offsets = self.detector(_network_input(image))
        scores = logits[0].softmax(dim=-1)[:, 1:]
        best, places = _best(scores.flatten(), config.selection)
        anchors, labels = places // config.classes, places % config.classes + 1
        boxes = decode(offsets[0, anchors], self.detector.anchors[anchors], config.coding)
        return boxes.clamp(0, config.input_size), best, labels


class LapNetCandidates(nn.Module):
    """The best scores of a LapNet, with their boxes."""

    def __init__(self, detector: LapNet) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `SSDCandidates`."""
        config, cells = self.detector.config, self.detector.cells**2
        logits, offsets = self.detector(_network_input(image))
        best, places = _best(logits.sigmoid().flatten(), config.selection)
        grids, cell = places // cells, places % cells
        chosen = offsets.reshape(-1, 4, cells)[grids, :, cell]
        anchors = torch.cat(
            [self.detector.centres[cell], self.detector.shapes.flatten(0, 1)[grids]], dim=1
        )
        boxes = decode(chosen, anchors, BoxCoding.SSD)
        labels = grids // config.anchors_a_class + 1
        return boxes.clamp(0, config.input_size), best, labels


def candidates_of(detector: SSD | LapNet) -> nn.Module:
    """The module of a detector, on its own weights."""
    return SSDCandidates(detector) if isinstance(detector, SSD) else LapNetCandidates(detector)


def all_candidates_of(detector: SSD | LapNet) -> nn.Module:
    """The same with every class of every anchor, not the best so many."""
    wider, selection = copy.copy(detector), detector.config.selection
    every = replace(selection, candidates=sys.maxsize)
    wider.config = replace(detector.config, selection=every)
    return candidates_of(wider)


def _network_input(image: Tensor) -> Tensor:
    """TensorRT takes `uint8` as an input and can do nothing with it but make it float."""
    return image.float().permute(0, 3, 1, 2)


def _best(scores: Tensor, selection: Selection) -> tuple[Tensor, Tensor]:
    best, places = scores.topk(min(selection.candidates, scores.numel()))
    return best, places
