"""Whether a paper could tell two of its own figures apart, by the spread that it prints itself.

The scale-aware SSD's Table 8 gives mean and standard deviation of 15 runs; its other tables
compare single runs. Two single runs of deviation s differ by luck with a deviation of s·√2; a mean
of n runs has s/√n. A difference divided by its deviation is z, and |z| below 1.96 is what luck
alone gives in 19 of 20 comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import norm

RUNS = 15
"""Behind a mean of Table 8."""
TELLS = float(norm.ppf(0.975))
"""|z| from which on a difference is not luck, at 95 %."""


@dataclass(frozen=True)
class Figure:
    """A printed figure and the deviation that it has by luck."""

    value: float
    deviation: float

    @classmethod
    def printed(cls, value: Any, deviation_of_a_run: float) -> Figure:
        """Of a single run, or of [mean, standard deviation, best] over `RUNS` runs."""
        if isinstance(value, list):
            mean, deviation, _ = value
            return cls(float(mean), float(deviation) / math.sqrt(RUNS))
        return cls(float(value), deviation_of_a_run)


def noise_of(table8: Mapping[str, Any]) -> dict[str, float]:
    """Metric to the standard deviation of one run, as Table 8's reference row prints it."""
    rows = table8["rows"].values()
    own = next(row for row in rows if row["row"] == table8["reference"])
    return {metric: float(own[metric][1]) for metric in ("AP", "AP50")}


def z_score(figure: Figure, reference: Figure) -> float:
    """Of the difference of two figures, in deviations."""
    return (figure.value - reference.value) / math.hypot(figure.deviation, reference.deviation)


def could_tell(
    row: Mapping[str, Any], reference: Mapping[str, Any], noise: Mapping[str, float]
) -> str:
    """`AP no (z +0.7), AP50 yes (z +2.8)`; empty where the paper prints no pair of figures.

    Args:
        row: of a table of papers.yaml, metric to printed figure among the rest.
        reference: the row that it is compared with.
        noise: of `noise_of`.
    """
    said = []
    for metric, deviation in noise.items():
        if metric in row and metric in reference:
            own, other = (Figure.printed(r[metric], deviation) for r in (row, reference))
            z = z_score(own, other)
            said.append(f"{metric} {'yes' if abs(z) >= TELLS else 'no'} (z {z:+.1f})")
    return ", ".join(said)
