"""Ranges in which the rows of a study should end, and runs held against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.evaluation.intervals import pooled_spread
from pipelines.runs.parameters import read_parameters
from pipelines.system.errors import UserError
from pipelines.system.paths import RESULTS

METRIC = "AP50"
SPREADS = 4
"""Times the spread between seeds, on either side of the mean."""
LEAST = 1.0
"""Points that a range has on either side at least: last bits differ between processors."""
NOTHING = 1.0
"""AP50 up to which a row finds next to nothing."""
BEGINNING = 5.0
"""Points of a row that finds next to nothing but more than 0.0, as it begins to learn: one that
found 0.6 on one make of processor found 1.9 on another."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """One run beside its range."""

    run: str
    found: float
    expected: Range

    @property
    def inside(self) -> bool:
        low, high = self.expected
        return low <= self.found <= high


def expected_ranges(parameters: Mapping[str, Any], profile: str) -> dict[str, Range]:
    """Row to the AP50 that params.yaml expects of it.

    Raises:
        UserError: something there is no range.
    """
    ranges = {}
    for row, figures in (parameters["profiles"][profile].get("expected") or {}).items():
        try:
            low, high = (float(value) for value in figures[METRIC])
        except (TypeError, ValueError, KeyError):
            raise UserError(
                f"params.yaml: profile {profile}: expected: {row} must be {{{METRIC}: [low, high]}}"
            ) from None
        ranges[row] = (low, high)
    return ranges


def compare(ledger: pd.DataFrame, ranges: Mapping[str, Range]) -> list[Comparison]:
    """Every run of the ledger beside its row's range.

    Raises:
        UserError: a row has no range: then nothing would be compared.
    """
    if missing := sorted(set(ledger["row"]) - ranges.keys()):
        raise UserError(f"params.yaml: nothing is expected of {', '.join(missing)}")
    return [
        Comparison(run, found, ranges[row])
        for run, row, found in zip(ledger["run"], ledger["row"], ledger[METRIC], strict=True)
    ]


def propose(figures: Mapping[str, Sequence[float]]) -> dict[str, Range]:
    """A range for each row from its seeds' figures.

    The spread is pooled over the rows that find something: three seeds know little of their own,
    and rows that find nothing vary by nothing.
    """
    means = {row: sum(own) / len(own) for row, own in figures.items()}
    pooled = pooled_spread([list(own) for row, own in figures.items() if means[row] > NOTHING])
    ranges = {}
    for row, mean in means.items():
        if mean > NOTHING:
            reach = max(SPREADS * pooled.deviation if pooled else 0.0, LEAST)
        else:
            reach = BEGINNING if round(mean, 1) > 0 else LEAST
        ranges[row] = (round(max(mean - reach, 0), 1), round(min(mean + reach, 100), 1))
    return ranges


def hold_against_ranges(profile: str) -> list[Comparison]:
    """Print and return the runs of a study that lie outside their row's range.

    Raises:
        UserError: there is no ledger yet, or a row without a range.
    """
    path = RESULTS / profile / "ledger.csv"
    if not path.exists():
        raise UserError(f"{profile}/ledger.csv is missing: run `dvc repro` first")
    compared = compare(pd.read_csv(path), expected_ranges(read_parameters(), profile))
    outside = [one for one in compared if not one.inside]
    for one in outside:
        low, high = one.expected
        print(f"{one.run}: {METRIC} {one.found:.1f} is outside {low:g} to {high:g}")
    print(f"{len(compared) - len(outside)} of {len(compared)} runs are where they are expected")
    return outside
