"""A data set made ready for training, with a word on what looks wrong in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.data import preparing
from pipelines.data.dataset_spec import Fold, Tolerance
from pipelines.data.sources import ImageSource
from pipelines.data.tiling import Tiling


def ensure_prepared(
    dataset: str,
    input_size: int,
    fold: Fold = Fold.PUBLISHED,
    tiling: Tiling | None = None,
    *,
    tolerance: Tolerance | None = None,
) -> Path:
    """As `pipelines.data.preparing.ensure_prepared`, with a look at a folder of one's own."""

    def look(sources: Mapping[str, ImageSource], size: int) -> Iterator[str]:
        from pipelines.own_data.inspection.suspicions import summary_lines

        yield from summary_lines(sources, size, tiling)
        yield f"to look at it: python -m pipelines.inspect {shlex.quote(dataset)}"

    return preparing.ensure_prepared(
        dataset, input_size, fold, tiling, tolerance=tolerance, look=look
    )
