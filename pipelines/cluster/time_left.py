"""How long the rest of a study takes, by what runs of the same kind took."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pipelines.runs.spec import RunSpec
from pipelines.system.paths import RESULTS

SECONDS_AROUND = 20.0
"""Of a run beside its training: to start, to detect, to score."""


@dataclass(frozen=True)
class Expected:
    """What a run should take, as far as finished ones tell."""

    kind: str
    """Detector and backbone."""
    seconds: float
    """On the machine where those were trained."""


@dataclass
class TimeLeft:
    """What is still to do; how fast this machine is, the runs that it has finished tell.

    Args:
        expected: run to what it should take; a run without is taken to be as long as the others.
    """

    expected: Mapping[str, Expected]
    _took: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """A run has taken so long here."""
        self._took[name] = seconds

    def seconds(self, waiting: Iterable[str], at_work: Mapping[str, float]) -> float | None:
        """Until all are done; None where nothing is known of one of them.

        Args:
            waiting: runs that have not begun.
            at_work: run to the seconds since it began.
        """
        runs = {**dict.fromkeys(waiting, 0.0), **at_work}
        whole = {name: self._whole(name) for name in runs}
        left = [max(seconds - runs[name], 0.0) for name, seconds in whole.items() if seconds]
        if len(left) < len(runs):
            return None
        return max([sum(left) / max(len(at_work), 1), *left], default=0.0)

    def _whole(self, name: str) -> float | None:
        """Seconds of a run here, from its beginning."""
        if name not in self.expected:
            return sum(self._took.values()) / len(self._took) if self._took else None
        own = self.expected[name]
        known = self._took.keys() & self.expected.keys()
        alike = {one for one in known if self.expected[one].kind == own.kind} or known
        if not alike:
            return own.seconds
        pace = sum(self._took[n] for n in alike) / sum(self.expected[n].seconds for n in alike)
        return own.seconds * pace


def expected_times(
    specs: Mapping[str, RunSpec], profile: str, results: Path = RESULTS
) -> dict[str, Expected]:
    """What the runs should take by the ledger of their profile, else by the others'.

    A run's work is taken to be its images by their area. A kind that no ledger has is taken to be
    as fast as the median kind; without any ledger nothing is known.
    """
    ledgers = sorted(results.glob("*/ledger.csv"), key=lambda path: path.parent.name != profile)
    paces: dict[str, float] = {}
    for ledger in ledgers:
        paces = _paces(ledger) | paces
    if not paces:
        return {}
    usual = median(paces.values())
    return {
        name: Expected(kind, SECONDS_AROUND + work / paces.get(kind, usual))
        for name, spec in specs.items()
        for kind, work in [(_kind(spec), spec.images_seen * spec.input_size**2)]
    }


def _kind(spec: RunSpec) -> str:
    return f"{spec.detector} {spec.backbone}"


def _paces(ledger: Path) -> dict[str, float]:
    """Kind to the pixels a second of its median run."""
    found: dict[str, list[float]] = {}
    with ledger.open(newline="") as file:
        for run in csv.DictReader(file):
            pace = float(run["images_a_second"]) * int(run["input_size"]) ** 2
            found.setdefault(f"{run['detector']} {run['backbone']}", []).append(pace)
    return {kind: median(paces) for kind, paces in found.items()}
