"""Several seeds of every row of a study, trained beside it, and the ranges that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

from pipelines.cluster.launch import parents
from pipelines.evaluation.run import run
from pipelines.evidence.expected import METRIC, propose
from pipelines.evidence.ledger import ledger_row
from pipelines.runs.folder import WEIGHTS, RunFolder
from pipelines.runs.parameters import declared_runs, read_parameters, split_name
from pipelines.runs.spec import RunSpec
from pipelines.system.bars import progress_bar
from pipelines.system.cores import usable_cores
from pipelines.system.paths import CHECKPOINTS

SCRATCH = CHECKPOINTS / "expected"


def print_ranges(profile: str, seeds: int) -> None:
    """Train seeds of every row, as many at once as there are cores, and print a range a row.

    Raises:
        UserError: there is no such profile, or a run cannot be trained.
    """
    specs = seeded(read_parameters(), profile, seeds)
    figures = train_seeds(specs, usable_cores())
    for row, (low, high) in propose(figures).items():
        print(f"{row}: {{{METRIC}: [{low:g}, {high:g}]}}")


def seeded(parameters: Mapping[str, Any], profile: str, seeds: int) -> dict[str, RunSpec]:
    """Every row of a study with the seeds 0 to `seeds` - 1, started from runs of `SCRATCH`."""
    declared = parameters["profiles"][profile]
    groups = {
        group: [f"{row}-s{seed}" for seed in range(seeds) for row in _rows(names)]
        for group, names in declared["runs"].items()
    }
    changed = {**declared, "runs": groups}
    profiles = {**parameters["profiles"], profile: changed}
    specs = declared_runs({**parameters, "profiles": profiles}, profile)
    starts = parents(specs)
    return {
        name: replace(spec, init=str(SCRATCH / starts[name] / WEIGHTS)) if name in starts else spec
        for name, spec in specs.items()
    }


def _rows(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(split_name(name)[0] for name in names))


def train_seeds(specs: Mapping[str, RunSpec], jobs: int) -> dict[str, list[float]]:
    """AP50 of every run by row, trained in `SCRATCH`; what is there is not trained again."""
    first = {name: spec for name, spec in specs.items() if not spec.init.startswith(str(SCRATCH))}
    then = {name: spec for name, spec in specs.items() if name not in first}
    figures: dict[str, list[float]] = {}
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for runs in (first, then):
            found = pool.map(_trained_figure, runs, runs.values())
            bar = progress_bar(runs, desc="seeds", unit="run")
            for name, value in zip(bar, found, strict=True):
                figures.setdefault(split_name(name)[0], []).append(value)
    return figures


def _trained_figure(name: str, spec: RunSpec) -> float:
    folder = SCRATCH / name
    if not RunFolder(folder).is_of(spec):
        log = SCRATCH / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as file, redirect_stdout(file), redirect_stderr(file):
            run(spec, folder)
    return float(ledger_row(folder)[METRIC])
