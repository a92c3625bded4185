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

TELLS = float(norm.ppf(0.975))
"""|z| from which on a difference is not luck, at 95 %."""


@dataclass(frozen=True)
class Figure:
    """A printed figure and the deviation that it has by luck."""

    value: float
    deviation: float

    @classmethod
    def printed(cls, value: Any, metric: str, noise: Mapping[str, Any]) -> Figure:
        """Of a single run, or of [mean, standard deviation, best] over `noise["runs"]` runs."""
        if isinstance(value, list):
            mean, deviation, _ = value
            return cls(float(mean), float(deviation) / math.sqrt(noise["runs"]))
        return cls(float(value), float(noise[metric]))


def z_score(figure: Figure, reference: Figure) -> float:
    """Of the difference of two figures, in deviations."""
    return (figure.value - reference.value) / math.hypot(figure.deviation, reference.deviation)


def could_tell(
    row: Mapping[str, Any], reference: Mapping[str, Any], noise: Mapping[str, Any]
) -> str:
    """`AP no (z +0.7), AP50 yes (z +2.8)`; empty where the paper prints no pair of figures.

    Args:
        row: of a table of papers.yaml, metric to printed figure among the rest.
        reference: the row that it is compared with.
        noise: metric to the standard deviation of one run, and `runs` behind a printed mean.
    """
    said = []
    for metric in noise:
        if metric != "runs" and metric in row and metric in reference:
            own, other = (Figure.printed(r[metric], metric, noise) for r in (row, reference))
            z = z_score(own, other)
            said.append(f"{metric} {'yes' if abs(z) >= TELLS else 'no'} (z {z:+.1f})")
    return ", ".join(said)
