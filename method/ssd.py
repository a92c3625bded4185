"""The scale-aware SSD on MobileNet v2, and the original SSD on the same code (§3.2, Figure 2).

A head is attached to two blocks of the encoder and to two extra layers behind the second of them.
The paper's custom detector takes blocks 5 and 8, the original one block 14 and the last; the two
differ in nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_convert

from method.anchors import anchor_grid
from method.boxes import BoxCoding, decode, encode, paired_iou, whole_pixels
from method.choices import CUSTOM_ATTACHMENT
from method.detection import Detections, Selection, select
from method.detector import Activations, Positives, StepLosses, Tensors, TrainableDetector
from method.losses import classification_loss, localisation_loss
from method.matching import Matching, match
from method.mobilenet import encoder_blocks, out_channels
from method.receptive_field import ReceptiveField, receptive_field
from method.samplers import Sampling, sample_negatives
from method.scale import REFERENCE_SIZE

PAPER_ANCHORS = (25.0, 38.0, 58.0, 87.0)

_EXTRA_CHANNELS = ((256, 512), (128, 256))
"""Width of the 1×1 and of the 3×3 convolution of each extra layer (released code)."""


@dataclass(frozen=True)
class SSDConfig:
    """Everything that makes one SSD differ from another."""

    classes: int
    """Foreground classes."""
    input_size: int = REFERENCE_SIZE
    """Side of the square input, pixels."""
    attach: tuple[int, int] = CUSTOM_ATTACHMENT
    """The two encoder blocks that carry a head."""
    anchors: tuple[float, ...] = PAPER_ANCHORS
    """Side of the square anchor of each of the four heads, in pixels of a 512×512 input."""
    aspect_ratios: tuple[float, ...] = (1.0,)
    """Anchors of a cell, width over height."""
    width: float = 1.0
    """Multiplier of the encoder's and the extra layers' channels."""
    class_weights: tuple[float, ...] | None = None
    """Weight of each foreground class in the classification loss; background's is 1."""
    coding: BoxCoding = BoxCoding.SSD
    whole_pixel_targets: bool = False
    """Cut objects to whole pixels before they are matched and coded, and put the corners of anchors
    on whole pixels, as the released code does."""
    softmax_twice: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    matching: Matching = field(default_factory=Matching)
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True)
class SSDMatch(Tensors):
    """The positive anchors of one image."""

    anchors: Tensor
    """P int64, indices of anchors."""
    labels: Tensor
    """P int64 in 1…C."""
    offsets: Tensor
    """P×4, the coded boxes."""


class SSD(TrainableDetector[SSDMatch]):
    """Single-shot detector with four heads of one 3×3 convolution for classes and one for boxes."""

    mean: Tensor
    std: Tensor
    anchors: Tensor
    class_weights: Tensor

    def __init__(self, config: SSDConfig) -> None:
        super().__init__()
        first, second = config.attach
        if not 0 < first < second:
            raise ValueError(f"heads attach to two blocks in order, not to {config.attach}")
        if config.class_weights and len(config.class_weights) != config.classes:
            raise ValueError(
                f"{len(config.class_weights)} class weights for {config.classes} classes"
            )
        self.config = config
        self.encoder = encoder_blocks(second, config.width)
        self.extras = extra_layers(out_channels(self.encoder[second]), config.width)
        self.fields = head_fields(self.encoder, self.extras, first)
        if len(config.anchors) != len(self.fields):
            raise ValueError(f"{len(self.fields)} heads need as many anchors: {config.anchors}")
        channels = [
            out_channels(layer)
            for layer in (self.encoder[first], self.encoder[second], *self.extras)
        ]
        per_cell = len(config.aspect_ratios)
        self.class_heads = _heads(channels, per_cell * (config.classes + 1))
        self.box_heads = _heads(channels, per_cell * 4)
        self.register_buffer("mean", torch.full((3, 1, 1), 127.5), persistent=True)
        self.register_buffer("std", torch.full((3, 1, 1), 127.5), persistent=True)
        self.register_buffer("anchors", self._all_anchors(), persistent=False)
        weights = config.class_weights or (1.0,) * config.classes
        self.register_buffer("class_weights", torch.tensor((1.0, *weights)), persistent=False)

    def _all_anchors(self) -> Tensor:
        size = self.config.input_size
        grids = []
        for head, anchor in zip(self.fields, self.config.anchors, strict=True):
            cells = math.ceil(size / head.stride)
            side = anchor * size / REFERENCE_SIZE
            grids.append(anchor_grid((cells, cells), head.stride, side, self.config.aspect_ratios))
        anchors = torch.cat(grids)
        if self.config.whole_pixel_targets:
            anchors[:, :2] += anchors[:, 2:] / 2 % 1
        return anchors

    @property
    def max_detections(self) -> int:
        return self.config.selection.most

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores B×A×(C+1) and coded boxes B×A×4 of B×3×S×S `uint8` images."""
        return self._heads_of(self._taps(images))

    def activations(self, images: Tensor) -> Activations:
        taps = self._taps(images)
        return Activations(taps, *self._heads_of(taps))

    def _taps(self, images: Tensor) -> list[Tensor]:
        """The feature map under each head."""
        x = (images - self.mean) / self.std
        taps = []
        for number, block in enumerate(self.encoder):
            x = block(x)
            if number in self.config.attach:
                taps.append(x)
        for extra in self.extras:
            x = extra(x)
            taps.append(x)
        return taps

    def _heads_of(self, taps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        heads = zip(taps, self.class_heads, self.box_heads, strict=True)
        logits, offsets = zip(*((c(tap), b(tap)) for tap, c, b in heads), strict=True)
        return _by_anchor(logits, self.config.classes + 1), _by_anchor(offsets, 4)

    def match(self, boxes: Tensor, labels: Tensor) -> SSDMatch:
        if self.config.whole_pixel_targets:
            boxes = whole_pixels(boxes)
        anchors, owner = match(boxes, self.anchors, self.config.matching)
        offsets = encode(boxes[owner], self.anchors[anchors], self.config.coding)
        return SSDMatch(anchors, labels[owner], offsets)

    def losses(self, images: Tensor, matches: Sequence[SSDMatch]) -> StepLosses:
        logits, offsets = self(images)
        labels, targets = self._dense_targets(matches)
        positive = labels > 0
        negatives = sample_negatives(logits, labels, self.config.sampling)
        return StepLosses(
            terms={
                "classification": classification_loss(
                    logits,
                    labels,
                    positive | negatives,
                    self.class_weights,
                    softmax_twice=self.config.softmax_twice,
                ),
                "localisation": localisation_loss(offsets, targets, positive),
            },
            counts={"positives": positive.sum(), "negatives": negatives.sum()},
        )

    @torch.no_grad()
    def positives(self, images: Tensor, matches: Sequence[SSDMatch]) -> Positives:
        logits, offsets = self(images)
        image = torch.cat([torch.full_like(m.anchors, i) for i, m in enumerate(matches)])
        numbers = torch.cat([m.anchors for m in matches])
        targets = torch.cat([m.offsets for m in matches])
        anchors, coding = self.anchors[numbers], self.config.coding
        bare = box_convert(anchors, "cxcywh", "xyxy")
        predicted = offsets[image, numbers].float()
        objects = decode(targets, anchors, coding)

        def loss(coded: Tensor) -> Tensor:
            return F.smooth_l1_loss(coded, targets, reduction="none").mean(dim=-1)

        return Positives(
            labels=torch.cat([m.labels for m in matches]),
            scores=logits[image, numbers].float().softmax(dim=-1)[:, 1:],
            loss=loss(predicted),
            anchor_loss=loss(encode(bare, anchors, coding)),
            iou=paired_iou(decode(predicted, anchors, coding), objects),
            anchor_iou=paired_iou(bare, objects),
        )

    def _dense_targets(self, matches: Sequence[SSDMatch]) -> tuple[Tensor, Tensor]:
        anchors = self.anchors
        labels = anchors.new_zeros((len(matches), len(anchors)), dtype=torch.int64)
        targets = anchors.new_zeros((len(matches), len(anchors), 4))
        image = torch.cat([torch.full_like(m.anchors, i) for i, m in enumerate(matches)])
        index = (image, torch.cat([m.anchors for m in matches]))
        labels[index] = torch.cat([m.labels for m in matches])
        targets[index] = torch.cat([m.offsets for m in matches])
        return labels, targets

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        logits, offsets = self(images)
        probabilities = logits.float().softmax(dim=-1)
        boxes = decode(offsets.float(), self.anchors, self.config.coding)
        size, rule = self.config.input_size, self.config.selection
        return [select(p, b, size, rule) for p, b in zip(probabilities, boxes, strict=True)]


def extra_layers(channels: int, width: float = 1.0) -> nn.ModuleList:
    """The two layers behind the encoder that carry the third and the fourth head."""
    layers = nn.ModuleList()
    for narrow, wide in _EXTRA_CHANNELS:
        narrow, wide = int(narrow * width), int(wide * width)
        layers.append(
            nn.Sequential(
                nn.Conv2d(channels, narrow, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(narrow, wide, 3, stride=2, padding=1),
                nn.ReLU(inplace=True),
            )
        )
        channels = wide
    return layers


def head_fields(
    encoder: nn.Sequential, extras: nn.ModuleList, first: int
) -> tuple[ReceptiveField, ...]:
    """Receptive field of the feature map under each head, finest first."""
    fields = [receptive_field(encoder[: first + 1]), receptive_field(encoder)]
    for extra in extras:
        fields.append(receptive_field(extra, fields[-1]))
    return tuple(fields)


def _heads(channels: Sequence[int], outputs: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv2d(width, outputs, 3, padding=1) for width in channels)


def _by_anchor(maps: Sequence[Tensor], values: int) -> Tensor:
    """Join head outputs B×(anchors·values)×H×W into B×A×values, in the order of the anchors."""
    flat = [m.permute(0, 2, 3, 1).reshape(m.shape[0], -1, values) for m in maps]
    return torch.cat(flat, dim=1)
