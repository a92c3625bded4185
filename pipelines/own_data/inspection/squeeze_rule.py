"""The rule on large photographs of small objects, which training in tiles keeps in sight."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.own_data.inspection.kinds import EVERYWHERE, Kind, Suspicion
from pipelines.own_data.inspection.objects import Objects

SMALL = 16.0
"""Pixels of the input: two cells of the finest grid that a head here looks from."""
SQUEEZED = 1.5
"""Times that objects are larger on the photograph than in the input."""


def squeezed_objects(splits: Mapping[str, Objects], input_size: int) -> list[Suspicion]:
    """Whether half of the objects are SMALL only because photographs are squeezed to the input.

    Args:
        splits: their objects; whole photographs.
        input_size: side of the network's input, pixels.
    """
    taken = np.concatenate([np.sqrt(own.boxes[:, 2:].prod(axis=1)) for own in splits.values()])
    area = np.concatenate([own.sides[own.image].prod(axis=1) for own in splits.values()])
    seen = taken * input_size / np.sqrt(area)
    if not len(seen) or np.median(seen) >= SMALL or np.median(taken / seen) < SQUEEZED:
        return []
    across, down = np.median(np.concatenate([own.sides for own in splits.values()]), axis=0)
    sentence = (
        f"half of the objects have a side below {np.median(seen):.1f} px once photographs of "
        f"{across:.0f}×{down:.0f} px are squeezed to {input_size}, {np.median(taken):.0f} px as "
        f"taken; in tiles they keep their pixels: train with -S tiles={input_size}"
    )
    small = [np.flatnonzero(own.sizes * input_size < 100 * SMALL) for own in splits.values()]
    examples = [
        e for own, found in zip(splits.values(), small, strict=True) for e in own.examples(found)
    ]
    count = sum(len(found) for found in small)
    return [Suspicion(Kind.SQUEEZED_OBJECTS, EVERYWHERE, sentence, count, examples[:8])]
