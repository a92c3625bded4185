"""The multibox loss: weighted cross-entropy and smooth L1 over the sampled anchors (§3.3, §5.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from method.processes import shared_count


def classification_loss(
    logits: Tensor,
    labels: Tensor,
    sampled: Tensor,
    weights: Tensor,
    *,
    softmax_twice: bool = False,
) -> Tensor:
    """Cross-entropy: weighted mean over the sampled anchors, so that a short sample weighs more.

    That the loss is a mean over a batch of varying length is what DNS's "adversarial effect" (§3.3)
    rests on; the released code has it so too.

    Args:
        logits: B×A×(C+1), background first.
        labels: B×A int64 in 0…C.
        sampled: B×A mask of the anchors that count.
        weights: C+1 class weights, background's first.
        softmax_twice: hand probabilities to the cross-entropy, which applies a log-softmax again,
            as the released code does.
    """
    scores = logits.float().flatten(0, 1)
    if softmax_twice:
        scores = scores.softmax(dim=-1)
    labels, sampled = labels.flatten(), sampled.flatten()
    loss = F.cross_entropy(scores, labels, weight=weights, reduction="none")
    return (loss * sampled).sum() / shared_count((weights[labels] * sampled).sum())


def localisation_loss(offsets: Tensor, targets: Tensor, positive: Tensor) -> Tensor:
    """Smooth L1 between offsets and targets (both B×A×4), mean over the positives' coordinates.

    Zero, with a gradient of zero, where no anchor is positive.
    """
    loss = F.smooth_l1_loss(offsets.float(), targets, reduction="none").sum(dim=-1)
    count = shared_count(positive.sum(), least=1) * offsets.shape[-1]
    return torch.where(positive, loss, 0).sum() / count
