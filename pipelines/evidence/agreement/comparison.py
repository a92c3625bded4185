"""Runs that were made here beside the committed runs of the same specification."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines.evaluation.intervals import NORMAL_95, Spread, pooled_spread
from pipelines.runs.folder import RunFolder
from pipelines.runs.record import Machine

METRIC = "AP50"


@dataclass(frozen=True)
class Pair:
    """One run, made twice."""

    run: str
    bitwise: bool
    """Whether history, detections, match records and weights are the same bytes."""
    promised: bool
    """Whether the run is of the class *bitwise*."""
    committed: float
    """AP50 in percent."""
    here: float

    @property
    def difference(self) -> float:
        """Points of AP50."""
        return self.here - self.committed


@dataclass(frozen=True)
class Agreement:
    """A study that was made twice."""

    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]
    """Runs made here that have no committed run of the same specification."""
    left_out: tuple[str, ...]
    """Runs that were not made here: where they would be, the committed ones stand."""
    spread: Spread | None
    """Of AP50 between seeds, over the committed rows that have several."""
    machines: tuple[frozenset[str], frozenset[str]]
    """On what the committed runs were made, and these."""

    @property
    def differing(self) -> list[Pair]:
        """Runs that are not the same bytes, the farthest apart first."""
        found = [pair for pair in self.pairs if not pair.bitwise]
        return sorted(found, key=lambda pair: -abs(pair.difference))

    @property
    def chance(self) -> float | None:
        """How far two seeds of one row lie apart at most, in 95 of 100 cases: points of AP50."""
        return NORMAL_95 * math.sqrt(2) * self.spread.deviation if self.spread else None

    @property
    def verdict(self) -> str:
        """In a sentence."""
        if not self.pairs:
            return "Nothing was compared: no run made here has a committed run beside it."
        same = len(self.pairs) - len(self.differing)
        if not self.differing:
            return f"All {same} runs came out bit for bit."
        said = f"{same} of {len(self.pairs)} runs came out bit for bit"
        if self.chance is None:
            return f"{said}; no row has several seeds to judge the others by."
        far = [pair.run for pair in self.differing if abs(pair.difference) > self.chance]
        by = f"{self.chance:.1f} AP50, as far as another seed can take a run"
        if not far:
            return f"{said}; all others lie within {by}."
        return (
            f"{said}; of the {len(self.differing)} others {len(far)} lie farther apart than {by}: "
            f"{', '.join(far)} (by chance one in twenty does)."
        )


def compare(committed: Path, here: Path) -> Agreement:
    """Hold the runs of two folders of a study against each other.

    Args:
        committed: folder with `runs/` and `ledger.csv`.
        here: the same, made here.
    """
    before, now = (pd.read_csv(f / "ledger.csv").set_index("run") for f in (committed, here))
    pairs, alone, left_out = [], [], []
    machines: tuple[set[str], set[str]] = (set(), set())
    for name in now.index:
        known = RunFolder(committed / "runs" / str(name))
        record = RunFolder(here / "runs" / str(name)).record()
        if name not in before.index or not known.is_of(record.spec):
            alone.append(str(name))
            continue
        theirs = known.record()
        if theirs.values == record.values:
            left_out.append(str(name))
            continue
        for found, made in zip(machines, (theirs, record), strict=True):
            found.add(_described(made.machine))
        pairs.append(
            Pair(
                run=str(name),
                bitwise=theirs.files_sha256 == record.files_sha256,
                promised=record.agreement == theirs.agreement == "bitwise",
                committed=float(before[METRIC][name]),
                here=float(now[METRIC][name]),
            )
        )
    spread = pooled_spread([own.tolist() for _, own in before.groupby("row")[METRIC]])
    both = frozenset(machines[0]), frozenset(machines[1])
    return Agreement(tuple(pairs), tuple(alone), tuple(left_out), spread, both)


def _described(machine: Machine) -> str:
    return f"{machine.device}, torch {machine.packages.get('torch', 'unknown')}"
