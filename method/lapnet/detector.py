"""The detector: per-class anchors on one grid, trained without any sampling (LapNet)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_convert

from method.anchors import cell_centres
from method.boxes import BoxCoding, decode, paired_iou
from method.detection import Detections, Selection, suppress
from method.detector import Activations, Positives, StepLosses, Tensors, TrainableDetector
from method.lapnet.choices import Backbone, Balance, ClassificationLoss, Overlap
from method.lapnet.clustering import cluster_sides
from method.lapnet.losses import (
    THRESHOLD,
    GridSums,
    Weights,
    classification_loss,
    localisation_loss,
    positive_labels,
)
from method.lapnet.network import STRIDE, LapNetwork
from method.lapnet.overlap import NORMALISERS, clusters, grid_overlap


@dataclass(frozen=True)
class LapNetConfig:
    """What a LapNet is made of."""

    classes: int
    input_size: int
    """Pixels, a multiple of the stride."""
    backbone: Backbone = Backbone.MOBILENET_V2
    width: float = 1.0
    """Multiplier of MobileNet v2's and the decoder's channels."""
    anchors_a_class: int = 10
    overlap: Overlap = Overlap.PONO
    ambiguity: bool = True
    """Manage ambiguity (eq. 3)."""
    balance: Balance = Balance.LEARNED
    loss: ClassificationLoss = ClassificationLoss.CROSS_ENTROPY
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True)
class Assigned(Tensors):
    """The anchors of one image that overlap their object by more than the threshold."""

    anchors: Tensor
    """P int64, into the C·A·H·W anchors."""
    overlap: Tensor
    """P in (0.5, 1]."""
    boxes: Tensor
    """P×4, `xyxy`, input pixels: each one's object."""


class LapNet(TrainableDetector[Assigned]):
    """LapNet (§3). Anchors lie a class together, a shape together, row by row: C×A×H×W.

    Args:
        config: what it is made of.
        seed: fixes the first weights and the anchors.
        pretrained: download ImageNet weights of the encoder.
    """

    mean: Tensor
    std: Tensor
    shapes: Tensor
    mean_iou: Tensor
    centres: Tensor

    def __init__(self, config: LapNetConfig, seed: int, *, pretrained: bool = False) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.cells = config.input_size // STRIDE
        grids = config.classes * config.anchors_a_class
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = LapNetwork(
                config.backbone, grids, width=config.width, pretrained=pretrained
            )
        self.weights = Weights(grids, config.balance)
        self.register_buffer("mean", torch.full((3, 1, 1), 127.5))
        self.register_buffer("std", torch.full((3, 1, 1), 127.5))
        sides = torch.linspace(1, config.anchors_a_class, config.anchors_a_class) * STRIDE
        self.register_buffer(
            "shapes", sides[None, :, None].repeat(config.classes, 1, 2).contiguous()
        )
        self.register_buffer("mean_iou", torch.zeros(config.classes))
        centres = cell_centres(self.cells, self.cells, STRIDE)
        self.register_buffer("centres", centres, persistent=False)

    def fit_to_objects(self, boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> None:
        """Fit each class's anchors to the objects of the training set (§3.1).

        A class without objects keeps squares of 8, 16, … pixels.
        """
        sides = (torch.cat(list(boxes))[:, 2:] - torch.cat(list(boxes))[:, :2]).double().numpy()
        classes = torch.cat(list(labels)).numpy()
        for label in np.unique(classes):
            found = cluster_sides(sides[classes == label], self.config.anchors_a_class, self.seed)
            self.shapes[label - 1] = torch.from_numpy(found.sides)
            self.mean_iou[label - 1] = found.mean_iou

    def learned(self) -> dict[str, Any]:
        """What is fitted beside the network, as plain values.

        Anchors (C×A×2 sides, pixels), the mean IoU they reach (C, 0 without objects), and the
        weights λ by name (scalars, or C×A).
        """
        shape = self.shapes.shape[:2]
        weights = {
            name: torch.exp(-s).view(shape if s.numel() > 1 else ()).tolist()
            for name, s in self.weights.named_parameters()
        }
        return {
            "anchors": self.shapes.tolist(),
            "anchors_mean_iou": self.mean_iou.tolist(),
            "weights": weights,
        }

    @property
    def max_detections(self) -> int:
        return self.config.selection.most

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits B×(C·A)×H×W and offsets B×4·(C·A)×H×W of B×3×S×S `uint8` images."""
        return self.network((images - self.mean) / self.std)

    def activations(self, images: Tensor) -> Activations:
        joined = self.network.joined((images - self.mean) / self.std)
        return Activations([joined], self.network.scores(joined), self.network.offsets(joined))

    @torch.no_grad()
    def assign(self, boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Objects and the anchors of their classes: IoU, and which anchors are whose.

        Holds at most 64 bytes for each of the N·A·H·W pairs.

        Args:
            boxes: N×4, `xyxy`, input pixels.
            labels: N int64 in 1…C.

        Returns:
            N×(A·H·W) IoU, and a mask of the same shape.
        """
        shapes = self.shapes[labels - 1]
        overlap = grid_overlap(boxes, shapes, (self.cells, self.cells), STRIDE).flatten(1)
        distance = torch.cdist((boxes[:, :2] + boxes[:, 2:]) / 2, self.centres)
        return overlap, clusters(overlap, labels, distance)

    @torch.no_grad()
    def match(self, boxes: Tensor, labels: Tensor) -> Assigned:
        """Assign anchors to the objects of one image; labels are in 1…C."""
        overlap, mask = self.assign(boxes, labels)
        overlap = NORMALISERS[self.config.overlap](overlap, mask)
        objects, places = torch.nonzero(mask & (overlap > THRESHOLD), as_tuple=True)
        anchors = (labels[objects] - 1) * overlap.shape[1] + places
        return Assigned(anchors, overlap[objects, places], boxes[objects])

    def losses(self, images: Tensor, matches: Sequence[Assigned]) -> StepLosses:
        logits, offsets = self(images)
        return self.losses_of(logits, offsets, matches)

    def losses_of(self, logits: Tensor, offsets: Tensor, matches: Sequence[Assigned]) -> StepLosses:
        """Losses of what `forward` gives.

        With their gradients they hold at most 24 bytes for each anchor of the batch (56 with the
        focal loss) and 192 for each assigned one.
        """
        logits = _by_cell(logits).float()
        image = torch.cat([torch.full_like(m.anchors, i) for i, m in enumerate(matches)])
        anchors = torch.cat([m.anchors for m in matches])
        predicted = self.predicted_overlap(offsets, matches)
        positive = positive_labels(
            torch.cat([m.overlap for m in matches]), predicted, ambiguity=self.config.ambiguity
        )
        grids, cells = anchors // self.cells**2, anchors % self.cells**2
        labels = torch.zeros_like(logits)
        labels[image, cells, grids] = positive.float()  # an anchor is assigned once at most
        sums = GridSums(
            localisation=_by_grid(localisation_loss(predicted), grids, logits.shape[2]),
            classification=classification_loss(logits, labels, self.config.loss).sum(dim=(0, 1)),
            positives=_by_grid(positive.float(), grids, logits.shape[2]),
            located=predicted.new_full((), len(predicted)),
            anchors=logits.numel(),
        )
        return StepLosses(
            self.weights(sums),
            counts={"positives": positive.sum(), "located": sums.located},
        )

    @torch.no_grad()
    def positives(self, images: Tensor, matches: Sequence[Assigned]) -> Positives:
        """The anchors that are located; a class's score at one is the best of its shapes there."""
        logits, offsets = self(images)
        image = torch.cat([torch.full_like(m.anchors, i) for i, m in enumerate(matches)])
        anchors = torch.cat([m.anchors for m in matches])
        grids, cells = anchors // self.cells**2, anchors % self.cells**2
        bare = torch.cat([self.centres[cells], self.shapes.flatten(0, 1)[grids]], dim=1)
        overlap = self.predicted_overlap(offsets, matches)
        bare_overlap = paired_iou(
            box_convert(bare, "cxcywh", "xyxy"), torch.cat([m.boxes for m in matches])
        )
        by_class = (-1, self.config.anchors_a_class)
        scores = _by_cell(logits)[image, cells].float().sigmoid().unflatten(1, by_class)
        return Positives(
            labels=grids // self.config.anchors_a_class + 1,
            scores=scores.amax(dim=2),
            loss=localisation_loss(overlap),
            anchor_loss=localisation_loss(bare_overlap),
            iou=overlap,
            anchor_iou=bare_overlap,
        )

    def predicted_overlap(self, offsets: Tensor, matches: Sequence[Assigned]) -> Tensor:
        """Ô: IoU of the box predicted from each assigned anchor with its object.

        Args:
            offsets: of `forward`.
            matches: of each image of the batch.

        Returns:
            P, the anchors of all images in turn.
        """
        image = torch.cat([torch.full_like(m.anchors, i) for i, m in enumerate(matches)])
        predicted = self._decoded(offsets, image, torch.cat([m.anchors for m in matches]))
        return paired_iou(predicted, torch.cat([m.boxes for m in matches]))

    def _decoded(self, offsets: Tensor, image: Tensor, anchors: Tensor) -> Tensor:
        """P×4 boxes of some anchors (P image numbers, P numbers among the C·A·H·W anchors)."""
        grids, cells = anchors // self.cells**2, anchors % self.cells**2
        chosen = _by_cell(offsets).unflatten(2, (-1, 4))[image, cells, grids]
        boxes = torch.cat([self.centres[cells], self.shapes.flatten(0, 1)[grids]], dim=1)
        return decode(chosen.float(), boxes, BoxCoding.SSD)

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        logits, offsets = self(images)
        rule = self.config.selection
        scores = logits.float().sigmoid().flatten(1)
        found = []
        for number, of_image in enumerate(scores):
            anchors = torch.nonzero(of_image > rule.score_floor).flatten()
            if len(anchors) > rule.candidates:
                anchors = anchors[of_image[anchors].topk(rule.candidates).indices]
            boxes = self._decoded(offsets, torch.full_like(anchors, number), anchors)
            labels = anchors // (self.config.anchors_a_class * self.cells**2) + 1
            found.append(suppress(boxes, of_image[anchors], labels, self.config.input_size, rule))
        return found


def _by_cell(maps: Tensor) -> Tensor:
    """B×C×H×W maps as B×(H·W)×C; no copy of maps in channels-last order."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def _by_grid(values: Tensor, grids: Tensor, count: int) -> Tensor:
    """Sums of P values over the grid each belongs to."""
    return values.new_zeros(count).index_add(0, grids, values)
