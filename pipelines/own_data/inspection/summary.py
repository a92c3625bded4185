"""A data set in two tables, and a split in one line."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.wording import counts_listed, shown

PERCENTILES = (5, 50, 95)


def describe(objects: Objects) -> str:
    """`train: 354 images, 2357 boxes (unripe 1511, ripe 846); sizes 4.1/11.6/29 %`."""
    names = objects.class_names
    counts = objects.class_counts
    order = np.argsort(-counts, kind="stable")
    named = {names[k]: int(counts[k]) for k in order}
    return (
        f"{objects.name}: {len(objects.split.images)} images, {len(objects)} boxes "
        f"({counts_listed(named)}); sizes {sizes_at_percentiles(objects)}"
    )


def split_table(splits: Mapping[str, Objects]) -> pd.DataFrame:
    """What each split holds, as text; a column a split."""
    return pd.DataFrame({name: _facts(own) for name, own in splits.items()})


def class_table(splits: Mapping[str, Objects]) -> pd.DataFrame:
    """Objects of each class by split, the class with the most first."""
    names = [shown(name) for name in splits["train"].class_names]
    counts = {name: own.class_counts for name, own in splits.items()}
    table = pd.DataFrame(counts, index=pd.Index(names, name="class"))
    order = np.argsort(-table.sum(axis=1).to_numpy(), kind="stable")
    return table.iloc[order]


def sizes_at_percentiles(objects: Objects, mark: str = "/") -> str:
    """Relative sizes at PERCENTILES, to two digits: `4.1/11.6/29 %`."""
    if not len(objects):
        return "none"
    values = np.percentile(objects.sizes, PERCENTILES)
    return mark.join(f"{value:.1f}" if value < 20 else f"{value:.0f}" for value in values) + " %"


def _facts(objects: Objects) -> dict[str, str]:
    counts = objects.counts_by_image
    crowds = len(objects.split.annotations) - len(objects)
    diagonals = np.hypot(*objects.sides.T)
    small, large = (objects.split.images[i(diagonals)] for i in (np.argmin, np.argmax))
    return {
        "images": f"{len(counts)}",
        "boxes": f"{len(objects)}",
        "crowd regions, left out": f"{crowds}",
        "classes with boxes": f"{np.count_nonzero(objects.class_counts)}",
        "relative size at 5 / 50 / 95 %": sizes_at_percentiles(objects, " / "),
        "boxes an image, median and most": f"{np.median(counts):.0f}, {counts.max()}",
        "smallest image": f"{small.width}×{small.height}",
        "largest image": f"{large.width}×{large.height}",
    }
