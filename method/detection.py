"""From class scores and decoded boxes to detections: score floor, suppression, the best so many."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import batched_nms, clip_boxes_to_image

from method.boxes import whole_pixels


@dataclass(frozen=True)
class Detections:
    """What a detector says of one image, best score first."""

    boxes: Tensor
    """N×4, `xyxy`, input pixels, inside the image."""
    scores: Tensor
    """N, in (0, 1]."""
    labels: Tensor
    """N int64, in 1…C."""


@dataclass(frozen=True)
class Selection:
    """Which candidates become detections."""

    score_floor: float = 0.01
    """Score that a detection must exceed. The released code's 0.3 cuts the curve short."""
    nms_iou: float = 0.45
    """Overlap at which the weaker of two detections of one class goes (released code: 0.3)."""
    most: int = 100
    """Detections kept an image; COCO's AP looks at 100 (released code: 300)."""
    candidates: int = 1000
    """Candidates that enter suppression, the best of them."""
    in_order: bool = False
    """They are the first so many above the floor, in the order of the anchors, finest head first
    (released code), not the best."""
    best_class_only: bool = False
    """One class an anchor, its best (released code), instead of every class above the floor."""
    whole_pixels: bool = False
    """Cut detections to whole pixels, as the released code does."""


def select(probabilities: Tensor, boxes: Tensor, size: int, selection: Selection) -> Detections:
    """Detections of one image.

    Args:
        probabilities: A×(C+1), background first, each row adding up to 1.
        boxes: A×4, `xyxy`, input pixels.
        size: side of the square input, pixels.
        selection: the rule.
    """
    scores = probabilities[:, 1:]
    if selection.best_class_only:
        scores = scores * (probabilities.argmax(dim=1, keepdim=True) == _classes(probabilities))
    anchor, label = torch.nonzero(scores > selection.score_floor, as_tuple=True)
    kept_scores = scores[anchor, label]
    if len(kept_scores) > selection.candidates:
        first = torch.arange(selection.candidates, device=scores.device)
        best = first if selection.in_order else kept_scores.topk(selection.candidates).indices
        kept_scores, anchor, label = kept_scores[best], anchor[best], label[best]
    return suppress(boxes[anchor], kept_scores, label + 1, size, selection)


def suppress(
    boxes: Tensor, scores: Tensor, labels: Tensor, size: int, selection: Selection
) -> Detections:
    """Candidates of one image that no better one of their class covers.

    Args:
        boxes: N×4, `xyxy`, input pixels; clipped to the image.
        scores: N.
        labels: N int64, from 1.
        size: side of the square input, pixels.
        selection: the rule.
    """
    boxes = clip_boxes_to_image(boxes, (size, size))
    keep = batched_nms(boxes, scores, labels, selection.nms_iou)[: selection.most]
    found = whole_pixels(boxes[keep]) if selection.whole_pixels else boxes[keep]
    return Detections(found, scores[keep], labels[keep])


def _classes(probabilities: Tensor) -> Tensor:
    return torch.arange(1, probabilities.shape[1], device=probabilities.device)
