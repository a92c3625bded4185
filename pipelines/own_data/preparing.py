"""A data set made ready for training, with a word on what looks wrong in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.data import preparing
from pipelines.data.dataset_spec import Tolerance
from pipelines.data.preparation import Preparation
from pipelines.data.sources import ImageSource


def ensure_prepared(wanted: Preparation, *, tolerance: Tolerance | None = None) -> Path:
    """As `pipelines.data.preparing.ensure_prepared`, with a look at a folder of one's own."""

    def look(sources: Mapping[str, ImageSource], size: int) -> Iterator[str]:
        from pipelines.own_data.inspection.suspicions import summary_lines

        yield from summary_lines(sources, size, wanted.tiling)
        yield f"to look at it: python -m pipelines.inspect {shlex.quote(wanted.dataset)}"

    return preparing.ensure_prepared(wanted, tolerance=tolerance, look=look)
