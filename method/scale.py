"""Object sizes, and how well receptive fields and anchors fit them (scale-aware SSD, §3.1-3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

REFERENCE_SIZE = 512
"""Input side, in pixels, at which the paper states its anchors and box sizes."""

A_SCORE_RANGE = (1.5, 2.5)
"""The range in which the paper wants the mean A-score (§3.2)."""


def relative_sizes(boxes: Tensor, image_sizes: Tensor) -> Tensor:
    """Diagonal of each box over the diagonal of its image, in percent (§3.1, Figure 1).

    Args:
        boxes: N×4, `xyxy`, pixels.
        image_sizes: N×2, width and height of the image of each box, pixels.

    Returns:
        N values in (0, 100].
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).double()
    return (
        100
        * torch.linalg.vector_norm(sides, dim=1)
        / torch.linalg.vector_norm(image_sizes.double(), dim=1)
    )


def equal_square_side(relative_percent: Tensor, input_size: int = REFERENCE_SIZE) -> Tensor:
    """Side, in pixels, of the square with that relative size on a square input: anchors' unit."""
    return relative_percent / 100 * input_size


def a_scores(receptive_fields: Sequence[float], anchors: Sequence[float]) -> list[float]:
    """Alignment of each head: receptive field over anchor size, both in pixels (Table 2).

    Raises:
        ValueError: not one anchor size for each receptive field.
    """
    if len(receptive_fields) != len(anchors):
        raise ValueError(f"{len(receptive_fields)} heads but {len(anchors)} anchor sizes")
    return [field / anchor for field, anchor in zip(receptive_fields, anchors, strict=True)]
