"""Which negative anchors enter the loss: hard-negative mining and dynamic negative sampling (§3.3).

Every sampler keeps all positives and answers with a mask over the negatives it adds to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from method.choices import Sampler
from method.processes import shared_count

_RATIOS = {Sampler.BASIC: 3, Sampler.ONE_TO_ONE: 1}


@dataclass(frozen=True)
class Sampling:
    """A sampler, and how the released code departs from the text."""

    sampler: Sampler = Sampler.BASIC
    over_batch: bool = False
    """Mine over all images of the batch together, as the released code does, not image by image."""
    limit: int | None = None
    """At most so many samples in a batch (released code: 10,000): of mined negatives the hardest
    stay, of misclassified ones those of the first images."""


def sample_negatives(logits: Tensor, labels: Tensor, sampling: Sampling) -> Tensor:
    """Negatives that enter the loss.

    Args:
        logits: B×A×(C+1) class scores before the softmax, background first.
        labels: B×A int64 in 0…C, 0 for background.
        sampling: the rule.

    Returns:
        B×A mask, true only where `labels` is 0. Where neither a positive nor such a negative is
        left in the whole batch, all negatives, whatever the limit, so that the loss is defined.
    """
    positive = labels > 0
    scores = logits.detach().float()
    background_loss = -torch.log_softmax(scores, dim=-1)[..., 0]
    if sampling.sampler is Sampler.DNS:
        negatives = misclassified_negatives(scores, positive)
    else:
        ratio = _RATIOS[sampling.sampler]
        negatives = hardest_negatives(background_loss, positive, ratio, sampling.over_batch)
    if sampling.limit is not None:
        left = sampling.limit - positive.sum()
        if sampling.sampler is Sampler.DNS:
            negatives &= negatives.flatten().cumsum(0).view_as(negatives) <= left
        else:
            negatives = _hardest(background_loss, negatives, left, over_batch=True)
    samples = shared_count((positive | negatives).sum())
    return torch.where(samples > 0, negatives, ~positive)


def misclassified_negatives(scores: Tensor, positive: Tensor) -> Tensor:
    """Dynamic negative sampling: negatives whose highest score (B×A×(C+1)) is not background's."""
    return ~positive & (scores[..., 1:].amax(dim=-1) > scores[..., 0])


def hardest_negatives(
    background_loss: Tensor, positive: Tensor, ratio: int, over_batch: bool = False
) -> Tensor:
    """The `ratio` times as many negatives as positives with the highest loss.

    Args:
        background_loss: B×A, loss of each anchor if it is background.
        positive: B×A mask.
        ratio: negatives for each positive.
        over_batch: count and rank over all images together.
    """
    count = ratio * (positive.sum() if over_batch else positive.sum(dim=1, keepdim=True))
    return _hardest(background_loss, ~positive, count, over_batch)


def _hardest(loss: Tensor, candidates: Tensor, count: Tensor, over_batch: bool) -> Tensor:
    """Mask of the candidates with the highest loss; equal losses keep their order.

    Args:
        loss: B×A.
        candidates: B×A mask.
        count: how many; of each image (B×1), or of all together (scalar).
        over_batch: rank over all images together.
    """
    rows = (1, -1) if over_batch else loss.shape
    ranked = loss.masked_fill(~candidates, -torch.inf).reshape(rows)
    order = ranked.argsort(dim=1, descending=True, stable=True)
    first = torch.arange(order.shape[1], device=order.device).expand_as(order) < count
    chosen = torch.zeros_like(first).scatter(1, order, first)
    return chosen.view_as(candidates) & candidates
