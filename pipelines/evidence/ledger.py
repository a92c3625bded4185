"""The ledger: one row for each finished run, every figure computed anew from its match records."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.evaluation.coco import score_records
from pipelines.evaluation.voc import Definition, voc_map
from pipelines.runs.folder import RECORD, RunFolder
from pipelines.runs.parameters import declared_runs, read_parameters, split_name
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note
from pipelines.system.hashing import file_sha256
from pipelines.system.paths import RESULTS


def ledger_row(folder: Path) -> dict[str, Any]:
    """One run as one flat row; every metric computed anew from the match records.

    Raises:
        UserError: a file is not what the run wrote.
    """
    run = RunFolder(folder)
    record = run.record()
    if altered := run.altered():
        raise UserError(f"{folder}/{altered[0]}: was changed after the run; train it again")
    if record.specification_changed:
        raise UserError(f"{folder}/{RECORD}: the specification was changed after the run")
    spec, matches = record.spec, run.matches()
    score = score_records(matches)
    return {
        "run": record.name,
        "row": split_name(record.name)[0],
        **{name: _flat(value) for name, value in record.values["specification"].items()},
        "optimiser": spec.entry.optimiser or spec.optimiser,
        **score.figures,
        **{definition.value: voc_map(matches, definition) for definition in Definition},
        **{f"AP_{name}": value for name, value in score.class_ap.items()},
        **record.values["cost"],
        "device": record.machine.device,
        "agreement": record.agreement,
        "code_hash": record.code.code_hash,
        "record_sha256": file_sha256(folder / RECORD),
    }


def write_ledger(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """The rows of `ledger_row` as CSV."""
    pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")


def _flat(value: Any) -> Any:
    return (
        "/".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
        if isinstance(value, list)
        else value
    )


def take_in(specs: Mapping[str, RunSpec], trained: Path, runs: Path) -> list[str]:
    """Bring `runs` up to date with what is trained; the names of the runs that are there.

    A run comes from `trained`, where training leaves it, else it stays as it is in `runs`. Either
    counts only if it was made from its specification in `specs`.
    """
    fresh = runs.with_name(".runs.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, spec in specs.items():
        for source in (trained / name, runs / name):
            if RunFolder(source).is_of(spec):
                RunFolder(source).copy_records(fresh / name)
                break
    shutil.rmtree(runs, ignore_errors=True)
    fresh.rename(runs)
    return [name for name in specs if (runs / name).is_dir()]


def make_ledger(profile: str) -> None:
    """Take in the finished runs of a study, and write `ledger.csv`.

    Copies the records of every run of the study into its `runs` folder: all but the weights, which
    DVC keeps.

    Raises:
        UserError: no run is trained yet, or a file is not what its run wrote.
    """
    wanted = declared_runs(read_parameters(), profile)
    folder = RESULTS / profile
    names = take_in(wanted, folder / "trained", folder / "runs")
    rows = [ledger_row(folder / "runs" / name) for name in names]
    if not rows:
        raise UserError(f"no run of {profile} is trained yet: run `dvc repro` first")
    write_ledger(rows, folder / "ledger.csv")
    missing = [name for name in wanted if name not in names]
    print(f"{len(rows)} runs in {profile}/ledger.csv")
    if missing:
        note(f"{len(missing)} runs are not trained yet: {', '.join(missing)}")
