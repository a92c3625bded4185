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

from scipy.stats import norm

from pipelines.evidence.paper_tables import Cell, Row

TELLS = float(norm.ppf(0.975))
"""|z| from which on a difference is not luck, at 95 %."""


@dataclass(frozen=True)
class Figure:
    """A printed figure and the deviation that it has by luck."""

    value: float
    deviation: float

    @classmethod
    def of(cls, cell: Cell, deviation_of_a_run: float, repeats: int = 1) -> Figure:
        """A single run's, or (mean, standard deviation, best) over `repeats` runs."""
        if isinstance(cell, tuple):
            mean, deviation, _ = cell
            return cls(float(mean), float(deviation) / math.sqrt(repeats))
        return cls(float(cell), deviation_of_a_run)


def z_score(figure: Figure, reference: Figure) -> float:
    """Of the difference of two figures, in deviations."""
    return (figure.value - reference.value) / math.hypot(figure.deviation, reference.deviation)


def could_tell(row: Row, reference: Row, noise: Mapping[str, float], repeats: int = 1) -> str:
    """`AP no (z +0.7), AP50 yes (z +2.8)`; empty where the paper prints no pair of figures.

    Args:
        row: of a table.
        reference: the row that it is compared with.
        noise: metric to the standard deviation of one run.
        repeats: runs behind a mean of this table.
    """
    said = []
    for metric, deviation in noise.items():
        if metric in row.printed and metric in reference.printed:
            own, other = (
                Figure.of(r.printed[metric], deviation, repeats) for r in (row, reference)
            )
            z = z_score(own, other)
            said.append(f"{metric} {'yes' if abs(z) >= TELLS else 'no'} (z {z:+.1f})")
    return ", ".join(said)
