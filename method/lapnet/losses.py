"""LapNet's losses, labels and learned weights (§3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from method.lapnet.choices import Balance, ClassificationLoss
from method.processes import shared_count

THRESHOLD = 0.5
"""Overlap above which an anchor takes part in the localisation, and is positive."""


@dataclass(frozen=True)
class GridSums:
    """The losses of one step, summed over the cells and images of each of G anchor grids."""

    localisation: Tensor
    """G: sum of (1 − Ô)²."""
    classification: Tensor
    """G: sum of the classification loss."""
    positives: Tensor
    """G: anchors with a positive label."""
    located: Tensor
    """Scalar: N⁺, anchors that take part in the localisation."""
    anchors: int
    """N, all anchors of all images."""


def localisation_loss(predicted_overlap: Tensor) -> Tensor:
    """(1 − Ô)² (eq. 2), for the anchors whose overlap is above the threshold."""
    return (1 - predicted_overlap) ** 2


def positive_labels(overlap: Tensor, predicted_overlap: Tensor, *, ambiguity: bool) -> Tensor:
    """Which anchors are positive (eq. 3); no gradient flows through.

    Args:
        overlap: P, PONO or absolute overlap.
        predicted_overlap: P, Ô of the current prediction.
        ambiguity: manage ambiguity: overlap times Ô must pass the threshold, not overlap alone.
    """
    value = overlap * predicted_overlap.detach() if ambiguity else overlap
    return value > THRESHOLD


def classification_loss(logits: Tensor, labels: Tensor, kind: ClassificationLoss) -> Tensor:
    """Loss of every anchor (eq. 4), in the shape of `logits`; labels are 0 or 1 of that type."""
    if kind is ClassificationLoss.FOCAL:
        loss: Tensor = sigmoid_focal_loss(logits, labels, alpha=0.25, gamma=2.0)
        return loss
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none")


class Weights(nn.Module):
    """The weights λ of the losses (eqs. 5–7), as s = log(1/λ), all 1 at first.

    Args:
        grids: G, anchor grids: classes times anchors a class.
        balance: which of them are learned.
    """

    def __init__(self, grids: int, balance: Balance) -> None:
        super().__init__()
        self.balance = balance
        if balance in (Balance.LEARNED_LOSSES, Balance.LEARNED):
            self.localisation = nn.Parameter(torch.ones(()))
            self.classification = nn.Parameter(torch.ones(()))
        if balance is Balance.LEARNED:
            self.grid_localisation = nn.Parameter(torch.ones(grids))
            self.grid_classification = nn.Parameter(torch.ones(grids))

    def forward(self, sums: GridSums) -> dict[str, Tensor]:
        """The three terms of the total loss: localisation, classification, regularisation.

        A grid without a positive label gets no gradient for its two weights.
        """
        located = shared_count(sums.located, least=1)
        localisation, classification = sums.localisation, sums.classification
        regularisation = localisation.new_zeros(())
        if self.balance is Balance.LEARNED:
            met = shared_count(sums.positives) > 0
            s_loc, s_cls = (
                torch.where(met, s, s.detach())
                for s in (self.grid_localisation, self.grid_classification)
            )
            localisation = localisation * torch.exp(-s_loc)
            classification = classification * torch.exp(-s_cls)
            regularisation = regularisation + (s_loc + s_cls).mean()
        terms = {
            "localisation": localisation.sum() / located,
            "classification": classification.sum() / sums.anchors,
        }
        if self.balance is Balance.RATIO:
            terms["classification"] = terms["classification"] * sums.anchors / located
        if self.balance in (Balance.LEARNED_LOSSES, Balance.LEARNED):
            terms["localisation"] = terms["localisation"] * torch.exp(-self.localisation)
            terms["classification"] = terms["classification"] * torch.exp(-self.classification)
            regularisation = regularisation + self.localisation + self.classification
        return {**terms, "regularisation": regularisation}
