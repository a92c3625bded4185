"""Which shapes of anchors to try for objects of any shape: sets of aspect ratios (width / height).

The papers' tomatoes are round, and one square anchor a cell does for them (scale-aware SSD, §5.1).
Here the sets come from the objects' own ratios, on a logarithmic scale: the square; the centres of
one, two and three groups, for objects that lie in a few ways; and pairs of a ratio and its inverse,
with and without the square between, for objects that lie any way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

SQUARE = (1.0,)
"""The papers' one anchor a cell."""
GROUPS = (1, 2, 3)
SPREADS = (50, 75, 90)
"""Percentiles of the ratio of the longer side to the shorter, at which a pair is tried."""
MOST_ELONGATED = 10.0
"""Objects of a longer side over the shorter than this count as of this."""

_ROUNDS = 20


def candidate_ratios(boxes: Tensor) -> list[tuple[float, ...]]:
    """Sets of aspect ratios for these objects: the fewest anchors first, the square before all.

    Args:
        boxes: N×4, `xyxy`, input pixels, in which anchors are square.
    """
    width, height = (boxes[:, 2:] - boxes[:, :2]).double().unbind(dim=1)
    limit = math.log(MOST_ELONGATED)
    logs = (width / height).log().clamp(-limit, limit)
    sets = {tuple(sorted({_ratio(log) for log in chosen})) for chosen in _log_sets(logs)}
    return sorted(sets, key=lambda ratios: (len(ratios), ratios != SQUARE, ratios))


def _log_sets(logs: Tensor) -> Iterator[tuple[float, ...]]:
    yield (0.0,)
    for count in GROUPS:
        yield tuple(_group_centres(logs, count).tolist())
    spreads = torch.quantile(logs.abs(), logs.new_tensor(SPREADS) / 100)
    for spread in spreads.tolist():
        yield (-spread, spread)
        yield (-spread, 0.0, spread)


def _group_centres(values: Tensor, count: int) -> Tensor:
    """Centres of so many groups by Lloyd's algorithm; groups that lose all values drop out.

    They start evenly over the range of nine tenths of the values, so that a group may be small.
    """
    low, high = torch.quantile(values, values.new_tensor([0.05, 0.95]))
    centres = low + (high - low) * (torch.arange(count, dtype=values.dtype) + 0.5) / count
    for _ in range(_ROUNDS):
        owner = (values[:, None] - centres).abs().argmin(dim=1)
        centres = torch.stack([values[owner == k].median() for k in owner.unique()])
    return centres


def _ratio(log: float) -> float:
    """A ratio that reads well: the longer side over the shorter to one digit, or its inverse."""
    longer = round(math.exp(abs(log)), 1)
    return longer if log >= 0 else round(1 / longer, 2)
