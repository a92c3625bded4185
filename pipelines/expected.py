"""Is each row where it is expected? `python -m pipelines.expected PROFILE`.

Compares every run in the ledger with the range that params.yaml expects of its row, names what lies
outside, and then ends with exit code 1. With `--seeds N` it trains N seeds of every row instead,
beside the study, and prints the ranges to expect: the mean, and on either side four times the
spread between seeds, pooled over the rows.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import pandas as pd
from tqdm import tqdm

from pipelines.errors import UserError, run_cli
from pipelines.launch.study import parents
from pipelines.ledger import is_run_of, ledger_row
from pipelines.plan import RESULTS, read_parameters, split_name, study
from pipelines.runtime import REPOSITORY, tune_allocator
from pipelines.spec import RunSpec
from pipelines.statistics import pooled_spread
from pipelines.train import run
from pipelines.trained import WEIGHTS

METRIC = "AP50"
SPREADS = 4
"""Times the spread between seeds, on either side of the mean."""
LEAST = 1.0
"""Points that a range has on either side at least: last bits differ between processors."""
NOTHING = 1.0
"""AP50 up to which a row finds next to nothing."""
SCRATCH = REPOSITORY / ".checkpoints" / "expected"

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
        spread = pooled.deviation if pooled and mean > NOTHING else 0.0
        reach = max(SPREADS * spread, LEAST)
        ranges[row] = (round(max(mean - reach, 0), 1), round(min(mean + reach, 100), 1))
    return ranges


def seeded(parameters: Mapping[str, Any], profile: str, seeds: int) -> dict[str, RunSpec]:
    """Every row of a study with the seeds 0 to `seeds` - 1, started from runs of `SCRATCH`."""
    declared = parameters["profiles"][profile]
    groups = {
        group: [f"{row}-s{seed}" for seed in range(seeds) for row in _rows(names)]
        for group, names in declared["runs"].items()
    }
    changed = {**declared, "runs": groups}
    specs = study({**parameters, "profiles": {**parameters["profiles"], profile: changed}}, profile)
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
            for name, value in zip(tqdm(runs, desc="seeds", unit="run"), found, strict=True):
                figures.setdefault(split_name(name)[0], []).append(value)
    return figures


def _trained_figure(name: str, spec: RunSpec) -> float:
    folder = SCRATCH / name
    if not is_run_of(folder, spec):
        log = SCRATCH / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as file, redirect_stdout(file), redirect_stderr(file):
            run(spec, folder)
    return float(ledger_row(folder)[METRIC])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", nargs="?", default="quick", help="of params.yaml (%(default)s)")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="train N seeds a row and print ranges to expect"
    )
    arguments = parser.parse_args()
    parameters, profile = read_parameters(), arguments.profile
    if arguments.seeds is not None:
        if arguments.seeds < 3:
            raise UserError(f"--seeds must be 3 or more to know a spread, not {arguments.seeds}")
        specs = seeded(parameters, profile, arguments.seeds)
        figures = train_seeds(specs, len(os.sched_getaffinity(0)))
        for row, (low, high) in propose(figures).items():
            print(f"{row}: {{{METRIC}: [{low:g}, {high:g}]}}")
        return
    path = RESULTS / profile / "ledger.csv"
    if not path.exists():
        raise UserError(f"{profile}/ledger.csv is missing: run `dvc repro` first")
    compared = compare(pd.read_csv(path), expected_ranges(parameters, profile))
    outside = [one for one in compared if not one.inside]
    for one in outside:
        low, high = one.expected
        print(f"{one.run}: {METRIC} {one.found:.1f} is outside {low:g} to {high:g}")
    print(f"{len(compared) - len(outside)} of {len(compared)} runs are where they are expected")
    if outside:
        sys.exit(1)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
