"""torchvision's own detectors behind this project's interface, so that its trainer serves them.

Network, targets, losses and post-processing are torchvision's; ours are the score floor and the
hundred detections an image that every detector here is scored with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import (
    RetinaNet_ResNet50_FPN_Weights,
    SSDLite320_MobileNet_V3_Large_Weights,
    retinanet_resnet50_fpn,
    ssdlite320_mobilenet_v3_large,
)

from method.depthwise import replace_strided_depthwise
from method.detection import Detections, Selection
from method.detector import Activations, StepLosses, Tensors, TrainableDetector


@dataclass(frozen=True)
class Target(Tensors):
    """The objects of one image."""

    boxes: Tensor
    """N×4, `xyxy`, input pixels."""
    labels: Tensor
    """N int64, from 1."""


class TorchvisionDetector(TrainableDetector[Target]):
    """A model of `torchvision.models.detection` that has a backbone and one head.

    Args:
        model: built for C + 1 classes.
        input_size: side of the square input, pixels; torchvision resizes no image of that size.
    """

    model: Any

    def __init__(self, model: nn.Module, input_size: int) -> None:
        super().__init__()
        self.model = model
        self.model.transform.fixed_size = (input_size, input_size)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores B×A×(C+1) and coded boxes B×A×4 of B×3×S×S `uint8` images."""
        found = self.activations(images)
        return found.logits, found.offsets

    def activations(self, images: Tensor) -> Activations:
        batch, _ = self.model.transform(list(images / 255))
        features = list(self.model.backbone(batch.tensors).values())
        found = self.model.head(features)
        return Activations(features, found["cls_logits"], found["bbox_regression"])

    def match(self, boxes: Tensor, labels: Tensor) -> Target:
        """The objects as they are: torchvision assigns them to anchors at every step."""
        return Target(boxes, labels)

    def losses(self, images: Tensor, matches: Sequence[Target]) -> StepLosses:
        terms = self.model(list(images / 255), [vars(match) for match in matches])
        names = {"bbox_regression": "localisation"}
        return StepLosses({names.get(name, name): value for name, value in terms.items()})

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        found = self.model(list(images / 255))
        return [Detections(f["boxes"].float(), f["scores"].float(), f["labels"]) for f in found]


def ssdlite(classes: int, input_size: int, *, pretrained: bool, seed: int) -> TorchvisionDetector:
    """SSDLite on MobileNet v3 large; `pretrained` starts all but the class heads from COCO."""
    weights = SSDLite320_MobileNet_V3_Large_Weights.COCO_V1 if pretrained else None
    # COCO's weights belong to the narrower tail, which an ImageNet encoder does not have.
    build = partial(ssdlite320_mobilenet_v3_large, weights_backbone=None)
    return _build(build, weights, classes, input_size, seed)


def retinanet(classes: int, input_size: int, *, pretrained: bool, seed: int) -> TorchvisionDetector:
    """RetinaNet on ResNet-50 with a feature pyramid; from scratch its batch norms are trained."""
    weights = RetinaNet_ResNet50_FPN_Weights.COCO_V1 if pretrained else None
    build = partial(retinanet_resnet50_fpn, weights_backbone=None)
    return _build(build, weights, classes, input_size, seed)


def _build(
    build: Callable[..., nn.Module], weights: Any, classes: int, input_size: int, seed: int
) -> TorchvisionDetector:
    rule = Selection()
    limits = {"score_thresh": rule.score_floor, "detections_per_img": rule.most}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(num_classes=classes + 1, **limits)
    if weights is not None:
        own = model.state_dict()
        published = weights.get_state_dict(progress=True, check_hash=True)
        fitting = {k: v for k, v in published.items() if v.shape == own[k].shape}
        model.load_state_dict(fitting, strict=False)
    replace_strided_depthwise(model)
    return TorchvisionDetector(model, input_size)
