"""A paper's table as a query over the ledger: which runs, their mean and spread, beside the paper.

A row of a table names a row of params.yaml; its runs are all of that row in the ledger, one a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from method.scale import REFERENCE_SIZE, a_scores
from method.ssd import SSD
from pipelines.detectors import ssd_config
from pipelines.errors import UserError
from pipelines.plan import RESULTS, profile_settings, read_parameters, study
from pipelines.spec import Precision, RunSpec, Schedule
from pipelines.statistics import (
    METRICS,
    RunSamples,
    average_seeds,
    describe_difference,
    paired_difference,
    resample_run,
)

PAPER_IMAGES = 94_500
"""Images that the SSD paper's training sees: 500 epochs of 85 % of TomatOD's 222 (READING)."""


@dataclass(frozen=True)
class Study:
    """What a profile declares and what of it is trained."""

    profile: str
    settings: Mapping[str, Any]
    specs: Mapping[str, RunSpec]
    """Run name to specification, trained or not."""
    ledger: pd.DataFrame
    folder: Path

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
        return cls(profile, settings, study(parameters, profile), ledger, folder)

    @property
    def spec(self) -> RunSpec:
        """The profile's settings as a specification, before any row's change."""
        return RunSpec.parse(self.settings, f"profile {self.profile}")

    def runs(self, row: str) -> pd.DataFrame:
        """The ledger's runs of a row, one a seed."""
        return self.ledger[self.ledger["row"] == row].sort_values("seed")

    def row_spec(self, row: str) -> RunSpec | None:
        """Specification of a row at its first seed; None where the profile does not have it."""
        return next((s for name, s in self.specs.items() if name.rpartition("-s")[0] == row), None)

    def samples(self, row: str) -> dict[int, RunSamples]:
        """Seed to resampled figures, for every run of a row."""
        runs = self.runs(row)
        return {
            int(seed): _resampled(self.folder / "runs" / name / "matches.csv.gz")
            for name, seed in zip(runs["run"], runs["seed"], strict=True)
        }


@cache
def _resampled(matches: Path) -> RunSamples:
    return resample_run(pd.read_csv(matches))


def trained_table(paper: Mapping[str, Any], study: Study) -> pd.DataFrame:
    """One trained table of papers.yaml: paper and ours, n, paired differences, departures."""
    rows = []
    with_paper = any("AP" in row for row in paper["rows"].values())
    for label, row in paper["rows"].items():
        runs = study.runs(row["row"])
        cells: dict[str, Any] = {paper["factor"]: label}
        if "a_score" in row:
            cells |= {"A-score, paper": row["a_score"], "A-score": _a_score(study, row["row"])}
        for metric in METRICS:
            if with_paper:
                cells[f"{metric}, paper"] = _printed(row.get(metric))
            cells[metric] = _ours(runs[metric])
        cells["n"] = len(runs)
        reference = row.get("reference", paper["reference"])
        if any("says" in other for other in paper["rows"].values()):
            cells["difference, paper"] = row.get("says", "")
        for metric in METRICS:
            cells[f"Δ{metric} [95 %]"] = _difference(study, row["row"], reference, metric)
        spec = study.row_spec(row["row"])
        cells["differs from the paper in"] = ", ".join(departures(spec)) if spec else ""
        rows.append(cells)
    return pd.DataFrame(rows)


def _printed(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        mean, deviation, best = value
        return f"{mean:.1f} ± {deviation:.1f}, best {best:.1f}"
    return f"{value:g}"


def _ours(values: pd.Series[float]) -> str:
    if len(values) == 0:
        return "no run"
    best = f", best {values.max():.1f}" if len(values) > 1 else ""
    return average_seeds(values.tolist()) + best


def _difference(study: Study, row: str, reference: str, metric: str) -> str:
    if row == reference:
        return "reference"
    return describe_difference(
        paired_difference(study.samples(row), study.samples(reference), metric)
    )


def _a_score(study: Study, row: str) -> str:
    spec = study.row_spec(row)
    return f"{mean_a_score(spec):.1f}" if spec else ""


def mean_a_score(spec: RunSpec) -> float:
    """Mean over the heads of receptive field over anchor, both in pixels of the run's own input."""
    classes = len(spec.class_weights or (1,))
    fields = [head.size for head in SSD(ssd_config(spec, classes)).fields]
    sides = [side * spec.input_size / REFERENCE_SIZE for side in spec.anchors]
    return float(np.mean(a_scores(fields, sides)))


def departures(spec: RunSpec) -> list[str]:
    """In what a run's conditions differ from the scale-aware SSD's experiments (§4.1, READING)."""
    conditions = {
        "data": spec.dataset == "tomatod",
        "input size": spec.input_size == REFERENCE_SIZE,
        "width": spec.width == 1,
        "first weights": spec.init == "torchvision" or spec.init.endswith(".npz"),
        "optimiser": (spec.learning_rate, spec.schedule, spec.batch_size)
        == (1e-4, Schedule.STEP, 4),
        "images seen": spec.iterations * spec.batch_size >= PAPER_IMAGES,
        "precision": spec.precision is Precision.FP32,
    }
    return [name for name, alike in conditions.items() if not alike]


def explain_departures(spec: RunSpec) -> str:
    """What stands behind the words of `departures`, for a profile."""
    start = {"none": "random first weights", "torchvision": "an ImageNet encoder"}.get(
        spec.init,
        "an ImageNet encoder" if spec.init.endswith(".npz") else "an encoder trained here",
    )
    return (
        "Paper: TomatOD at 512×512, ImageNet encoder, Adam at 1e-4 in steps, batches of 4, up to "
        f"500 epochs ({PAPER_IMAGES:,} images). Here: {spec.dataset} at "
        f"{spec.input_size}×{spec.input_size}, width {spec.width:g}, {start}, AdamW at "
        f"{spec.learning_rate:g} with {spec.schedule} schedule, {spec.iterations} batches of "
        f"{spec.batch_size} ({spec.iterations * spec.batch_size:,} images), {spec.precision}. "
        "Δ is the mean difference to the reference row over the seeds both have; its 95 % interval "
        "comes from drawing test images and seeds anew. With n = 1 it knows nothing of the spread "
        "between seeds, and a difference within it says nothing."
    )
