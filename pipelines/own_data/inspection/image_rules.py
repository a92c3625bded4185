"""Rules on images as their records and their numbers of objects show them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.own_data.inspection.kinds import EVERYWHERE, MOST_EXAMPLES, Example, Kind, Suspicion
from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.wording import percent

FAR_OUT = 3.0
"""Interquartile ranges above the upper quartile: Tukey's "far out"."""
LEAST_RANGE = 0.67
"""Interquartile range of the root of a Poisson count, whose standard deviation is a half."""
STRETCHED = 1.5
"""Factor by which a square input changes the aspect ratio of the images beyond a percentile."""
UNEVEN = 3.0
"""Diagonal of large images over that of small ones."""
OUTER = 5
"""Percent of the images at either end that "large", "small" and "stretched" leave aside."""


def empty_images(objects: Objects) -> list[Suspicion]:
    """Images without a single object: background that was meant, or labels that were forgotten."""
    found = np.flatnonzero(objects.counts_by_image == 0)
    return objects.suspect_images(Kind.EMPTY_IMAGE, found, "without objects")


def crowded_images(objects: Objects) -> list[Suspicion]:
    """Images whose number of objects lies FAR_OUT of the others'.

    Roots of counts are compared, whose spread hardly depends on their size; images without
    objects are left aside.
    """
    counts = objects.counts_by_image
    if not counts.any():
        return []
    low, high = np.percentile(np.sqrt(counts[counts > 0]), [25, 75])
    limit = (high + FAR_OUT * max(high - low, LEAST_RANGE)) ** 2
    order = np.argsort(-counts, kind="stable")
    found = order[counts[order] > limit]
    return objects.suspect_images(
        Kind.CROWDED_IMAGE,
        found,
        f"more than {limit:.0f} objects, up to {counts.max()}; "
        f"half of the images have {np.median(counts[counts > 0]):.0f} or fewer",
    )


def stretched_images(splits: Mapping[str, Objects]) -> list[Suspicion]:
    """Whether OUTER % of the images or more are STRETCHED times as long as wide, or as wide.

    Every input is a square, so that a round object of such an image becomes as much longer than
    wide; and of images some wide and some tall, some one way and some the other.
    """
    wide = np.concatenate([own.sides[:, 0] / own.sides[:, 1] for own in splits.values()])
    stretch = np.maximum(wide, 1 / wide)
    if np.percentile(stretch, 100 - OUTER) < STRETCHED:
        return []
    tall = float(np.mean(wide < 1))
    return _suspect(
        splits,
        Kind.STRETCHED_IMAGE,
        stretch >= STRETCHED,
        stretch,
        f"a square input changes aspect ratios by {np.median(stretch):.2f} in the median image, "
        f"by {stretch.max():.2f} at the most; {percent(tall)} of the images are taller than wide",
    )


def uneven_sizes(splits: Mapping[str, Objects]) -> list[Suspicion]:
    """Whether the diagonals of images at percentiles OUTER and 100 - OUTER are UNEVEN apart.

    Relative sizes then compare objects that were taken at very different resolutions.
    """
    diagonals = np.concatenate([np.hypot(*own.sides.T) for own in splits.values()])
    small, large = np.percentile(diagonals, [OUTER, 100 - OUTER])
    if large < UNEVEN * small:
        return []
    return _suspect(
        splits,
        Kind.UNEVEN_SIZES,
        diagonals >= UNEVEN * small,
        diagonals,
        f"diagonals of {small:.0f} to {large:.0f} px at percentiles {OUTER} and {100 - OUTER}",
    )


def _suspect(
    splits: Mapping[str, Objects],
    kind: Kind,
    found: NDArray[np.bool_],
    badness: NDArray[np.float64],
    sentence: str,
) -> list[Suspicion]:
    """A suspicion about all splits, with values of their images one split after the other."""
    files = [Example(own.name, i.file_name) for own in splits.values() for i in own.split.images]
    worst = np.argsort(-badness, kind="stable")[: min(MOST_EXAMPLES, found.sum())]
    examples = [files[i] for i in worst]
    return [Suspicion(kind, EVERYWHERE, sentence, int(found.sum()), examples)]
