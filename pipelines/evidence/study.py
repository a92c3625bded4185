"""A study: what a profile declares, and what of it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.data.dataset_spec import Fold
from pipelines.evaluation.bootstrap import RunSamples, resample_run
from pipelines.evaluation.intervals import Spread, pooled_spread
from pipelines.runs.folder import RunFolder
from pipelines.runs.parameters import declared_runs, profile_settings, read_parameters, split_name
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import RESULTS

NO_RUN = "no run"


@dataclass(frozen=True)
class Study:
    """The runs of a profile, declared and trained.

    A row of params.yaml has one run for each of its seeds.
    """

    profile: str
    settings: Mapping[str, Any]
    specs: Mapping[str, RunSpec]
    """Run name to specification, trained or not."""
    ledger: pd.DataFrame
    folder: Path
    notice: str = ""
    """What a reader must know before any number of the study."""
    resampled: Mapping[str, RunSamples] = field(default_factory=dict)
    """Run name to resampled figures, as far as they are at hand; others are computed once."""

    @classmethod
    def open(cls, profile: str, results: Path | None = None) -> Study:
        """Read params.yaml and the ledger in `results`, unless given the profile's own folder.

        Raises:
            UserError: there is no such profile, or no ledger yet.
        """
        parameters = read_parameters()
        settings = {"profile": profile, **profile_settings(parameters, profile)}
        folder = results or RESULTS / profile
        if not (folder / "ledger.csv").exists():
            raise UserError(f"{profile}/ledger.csv is missing: run `dvc repro` first")
        ledger = pd.read_csv(folder / "ledger.csv")
        notice = parameters["profiles"][profile]["notice"]
        return cls(profile, settings, declared_runs(parameters, profile), ledger, folder, notice)

    @property
    def spec(self) -> RunSpec:
        """The profile's settings as a specification, before any row's change."""
        return RunSpec.parse(self.settings, f"profile {self.profile}")

    def runs(self, row: str | None) -> pd.DataFrame:
        """The ledger's runs of a row, one a seed; none for no row."""
        return self.ledger[self.ledger["row"] == row].sort_values("seed")

    @property
    def runs_by_row(self) -> dict[str, list[str]]:
        """Row of params.yaml to its runs in the ledger, seeds ascending."""
        by_row = self.ledger.sort_values(["row", "seed"]).groupby("row", sort=False)["run"]
        return {str(row): runs.tolist() for row, runs in by_row}

    def row_spec(self, row: str) -> RunSpec | None:
        """Specification of a row at its first seed; None where the profile does not have it."""
        return next((s for name, s in self.specs.items() if split_name(name)[0] == row), None)

    def no_run(self, row: str) -> str:
        """What is said of a row without runs: also what its detector needs, if not all have it."""
        spec = self.row_spec(row)
        return f"{NO_RUN}: it needs {spec.entry.needs}" if spec and spec.entry.needs else NO_RUN

    def tests_folds(self, row: str | None) -> bool:
        """Whether the row's runs test different parts of the photographs."""
        spec = self.row_spec(row) if row else None
        return spec is not None and spec.fold is not Fold.PUBLISHED

    def samples(self, row: str) -> dict[int, RunSamples]:
        """Seed to resampled figures, for every run of a row."""
        runs = self.runs(row)
        return {
            int(seed): self.resampled.get(name) or resampled(self.folder / "runs" / name)
            for name, seed in zip(runs["run"], runs["seed"], strict=True)
        }

    def seed_spread(self, metric: str) -> Spread | None:
        """How far a figure's seeds lie apart on one test set, over all rows that have several."""
        by = ["row", "fold"] if "fold" in self.ledger else ["row"]
        groups = self.ledger.groupby(by, dropna=False)[metric]
        return pooled_spread([own.tolist() for _, own in groups])

    def matches(self, run: str) -> pd.DataFrame:
        """The match records of a run."""
        return self.run(run).matches()

    def run(self, name: str) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.folder / "runs" / name)


@cache
def resampled(run: Path) -> RunSamples:
    """Figures of a run folder under resampled test images."""
    return resample_run(RunFolder(run).matches())
