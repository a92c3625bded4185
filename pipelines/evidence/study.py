"""A paper's table as a query over the ledger: which runs, their mean and spread, beside the paper.

A row of a table names a row of params.yaml; its runs are all of that row in the ledger, one a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from method.scale import REFERENCE_SIZE, a_scores
from method.ssd import SSD
from pipelines.data.dataset_spec import Fold
from pipelines.detectors.ssd import ssd_config
from pipelines.evaluation.bootstrap import METRICS, RunSamples, resample_run
from pipelines.evaluation.coco import score_records
from pipelines.evaluation.intervals import (
    Spread,
    average_seeds,
    describe_difference,
    pooled_spread,
    widened_difference,
)
from pipelines.evaluation.voc import Definition, voc_ap
from pipelines.evidence.paper_noise import could_tell
from pipelines.evidence.paper_tables import Cell, Row, Table
from pipelines.evidence.papers import Paper
from pipelines.runs.folder import RunFolder
from pipelines.runs.parameters import profile_settings, read_parameters, split_name, study
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import RESULTS

COULD_TELL = "could the paper tell?"
NO_RUN = "no run"
UNFAIR = "no fair pair"
POOLED = "AP, detections pooled"
"""Of the runs of a row that test different photographs, as if one detector had made them all."""


@dataclass(frozen=True)
class Study:
    """What a profile declares and what of it is trained."""

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
        return cls(profile, settings, study(parameters, profile), ledger, folder, notice)

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


def trained_table(paper: Paper, table: Table, study: Study) -> pd.DataFrame:
    """A table that runs answer: paper and ours, n, paired differences, departures.

    Rows without a row of params.yaml are the paper's own citations. Where the paper prints how far
    its runs lie apart, a column says which differences it could tell.
    """
    metrics = table.metrics
    printed = [m for m in metrics if any(m in row.printed for row in table.rows.values())]
    with_words = any(row.says for row in table.rows.values())
    folded = any(study.tests_folds(row.row) for row in table.rows.values())
    rows = []
    for label, row in table.rows.items():
        name = row.row
        runs = study.runs(name)
        cells: dict[str, Any] = {table.factor: label}
        if row.a_score is not None and name:
            cells |= {"A-score, paper": row.a_score, "A-score": _a_score(study, name)}
        no_run = study.no_run(name) if name and runs.empty else ""
        for metric in metrics:
            if metric in printed:
                cells[f"{metric}, paper"] = _printed(row.printed.get(metric))
            cells[metric] = no_run or (_ours(runs[metric]) if name else "")
            no_run = no_run and NO_RUN
        if folded:
            cells[POOLED] = _pooled(study, name)
        cells["n"] = str(len(runs)) if name else ""
        if with_words:
            cells["difference, paper"] = row.says
        if paper.deviations and printed:
            cells[COULD_TELL] = _could_tell(row, table, paper.deviations)
        reference = row.reference or table.reference
        unfair = no_fair_pair(study, name, reference) if name and len(runs) else ""
        for metric in (m for m in metrics if m in METRICS):
            column = f"Δ{metric} [95 %]"
            cells[column] = unfair or _difference(study, name, reference, metric)
            unfair = unfair and UNFAIR
        spec = study.row_spec(name) if name else None
        cells["differs from the paper in"] = ", ".join(paper.departures(spec)) if spec else ""
        rows.append(cells)
    return pd.DataFrame(rows)


def _pooled(study: Study, row: str | None) -> str:
    """`pooled_ap` of a row whose runs test different photographs; else empty."""
    if row is None or not study.tests_folds(row) or study.runs(row).empty:
        return ""
    return f"{pooled_ap(study, row):.1f}"


def pooled_ap(study: Study, row: str) -> float:
    """AP of all runs' detections in all their images, in percent.

    A check on the mean of the runs' own figures, not a figure to compare by: scores of different
    trainings are not calibrated to each other.
    """
    found = [study.matches(run) for run in study.runs(row)["run"]]
    apart = [one.assign(image=[f"{i}/{image}" for image in one["image"]])
             for i, one in enumerate(found)]  # fmt: skip
    return score_records(pd.concat(apart, ignore_index=True)).figures["AP"]


def _could_tell(row: Row, table: Table, noise: Mapping[str, float]) -> str:
    other = table.reference_row
    if other is None:
        return ""
    return "reference" if row is other else could_tell(row, other, noise, table.repeats)


def class_columns(table: Table, study: Study) -> pd.DataFrame:
    """VOC07 AP of each class, mean over the runs of each row of a table with classes.

    Beside it the paper's, where the study's data set has the paper's classes.
    """
    found = [
        [study.matches(name) for name in study.runs(row.row)["run"]] for row in table.rows.values()
    ]
    classes = dict.fromkeys(name for own in found for one in own for name in one["class"].unique())
    rows = []
    for row, matches in zip(table.rows.values(), found, strict=True):
        cells = {}
        for name in classes:
            if name in table.classes:
                printed = dict(zip(table.classes, row.per_class, strict=False))
                cells[f"{name}, paper"] = _printed(printed.get(name))
            values = [voc_ap(own, name, Definition.VOC07) for own in matches]
            cells[name] = average_seeds(values) if values else ""
        rows.append(cells)
    return pd.DataFrame(rows)


def _printed(value: Cell | None) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        mean, deviation, best = value
        return f"{mean:.1f} ± {deviation:.1f}, best {best:.1f}"
    return f"{value:g}"


def _ours(values: pd.Series[float]) -> str:
    best = f", best {values.max():.1f}" if len(values) > 1 else ""
    return average_seeds(values.tolist()) + best


def _difference(study: Study, row: str | None, reference: str, metric: str) -> str:
    if row == reference:
        return "reference"
    if row is None:
        return ""
    return describe_difference(
        widened_difference(
            study.samples(row), study.samples(reference), metric, study.seed_spread(metric)
        )
    )


def no_fair_pair(study: Study, row: str, reference: str) -> str:
    """Why the difference of two rows says nothing of what they are rows for; empty if it does.

    Photographs tested, images seen, and for two detectors also whether the first weights were
    trained.
    """
    one, other = study.row_spec(row), study.row_spec(reference)
    if one is None or other is None:
        return ""
    seen = [spec.images_seen for spec in (one, other)]
    unequal = [] if seen[0] == seen[1] else [f"images seen ({seen[0]:,} against {seen[1]:,})"]
    tested = ["each part" if study.tests_folds(name) else "one part" for name in (row, reference)]
    if tested[0] != tested[1]:
        unequal.append(f"photographs tested ({tested[0]} against {tested[1]})")
    random = [spec.init == "none" for spec in (one, other)]
    if one.detector != other.detector and random[0] != random[1]:
        start = ["random" if r else "trained" for r in random]
        unequal.append(f"first weights ({start[0]} against {start[1]})")
    return f"{UNFAIR} here: unequal {' and '.join(unequal)}" if unequal else ""


def _a_score(study: Study, row: str) -> str:
    spec = study.row_spec(row)
    return f"{mean_a_score(spec):.1f}" if spec else ""


def mean_a_score(spec: RunSpec) -> float:
    """Mean over the heads of receptive field over anchor, both in pixels of the run's own input."""
    classes = len(spec.class_weights or (1,))
    fields = [head.size for head in SSD(ssd_config(spec, classes)).fields]
    sides = [side * spec.input_size / REFERENCE_SIZE for side in spec.anchors]
    return float(np.mean(a_scores(fields, sides)))
