"""What timings say: medians, and how many times as fast one detector is, round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.small_samples import median_interval
from pipelines.runs.spec import DetectorName, Precision
from pipelines.system.files import write_whole

ORIGINAL = DetectorName.SSD_MOBILENET_V2
ROUNDS_FILE = "speed_rounds.csv"
DIGITS = "%.5g"
"""Of the figures in `speed.csv`."""


@dataclass(frozen=True)
class Work:
    """What is timed."""

    detector: str
    """A name of the registry, or LapNet's with a heavy backbone's."""
    precision: Precision
    postprocessing: bool
    """With decoding and non-maximum suppression."""


Timings = Mapping[Work, Sequence[float]]
"""Milliseconds of each work in each round; the n-th of every work comes from the same round."""


def summarise(timings: Timings) -> pd.DataFrame:
    """One row a work: median, 95th percentile, and how many times as fast as the original SSD."""
    rows = []
    for work, taken in timings.items():
        ratio = speed_ratio(timings, work, replace(work, detector=ORIGINAL))
        rows.append(
            {
                **asdict(work),
                "median_ms": np.median(taken),
                "p95_ms": np.percentile(taken, 95),
                "frames_a_second": 1000 / np.median(taken),
                "ratio_to_original": ratio.estimate,
                "ratio_low": ratio.low,
                "ratio_high": ratio.high,
            }
        )
    return pd.DataFrame(rows)


def speed_ratio(timings: Timings, one: Work, other: Work) -> Interval:
    """How many times as fast `one` is as `other`: the median over rounds, with its interval.

    What slows a whole round, such as other work on the machine, cancels out.
    """
    return median_interval(np.divide(timings[other], timings[one]))


def write_rounds(timings: Timings, path: Path) -> None:
    """A row for each work and round."""
    table = pd.DataFrame(
        [(*astuple(work), n, ms) for work, taken in timings.items() for n, ms in enumerate(taken)],
        columns=[*_WORK, "round", "ms"],
    )
    write_whole(path, table.to_csv(index=False))


def read_rounds(path: Path) -> dict[Work, list[float]]:
    """What `write_rounds` wrote, in its order."""
    timings: dict[Work, list[float]] = {}
    table = pd.read_csv(path).sort_values("round", kind="stable")
    for detector, precision, postprocessing, ms in table[[*_WORK, "ms"]].to_numpy():
        work = Work(detector, Precision(precision), postprocessing)
        timings.setdefault(work, []).append(ms)
    return timings


_WORK = [field.name for field in fields(Work)]
