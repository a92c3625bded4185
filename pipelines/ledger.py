"""Take in finished run folders: `python -m pipelines.ledger PROFILE`.

Copies the records of every run of the study into `results/PROFILE/runs/` (all but the weights,
which DVC keeps) and writes `ledger.csv`: one row a run, one column a factor or a metric.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.errors import UserError, run_cli
from pipelines.plan import RESULTS, read_parameters, study
from pipelines.scoring import score_records
from pipelines.spec import RunSpec

RECORD_FILES = ("run.json", "history.csv", "detections.json.gz", "matches.csv.gz")


def row_key(spec: RunSpec) -> str:
    """What the runs of one row share: the hash of the specification without its seed."""
    return replace(spec, seed=0).hash


def ledger_row(folder: Path) -> dict[str, Any]:
    """One run as one flat row; every metric computed anew from the match records."""
    record = json.loads((folder / "run.json").read_text())
    spec = RunSpec.parse(record["specification"], str(folder / "run.json"))
    if spec.hash != record["specification_hash"]:
        raise UserError(f"{folder}/run.json: the specification was changed after the run")
    score = score_records(pd.read_csv(folder / "matches.csv.gz"))
    return {
        "run": record["name"],
        "row": row_key(spec),
        **{name: _flat(value) for name, value in record["specification"].items()},
        **score.figures,
        **{f"AP_{name}": value for name, value in score.class_ap.items()},
        **record["cost"],
        "device": record["machine"]["device"],
        "code_hash": record["code"]["code_hash"],
    }


def _flat(value: Any) -> Any:
    return (
        "/".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
        if isinstance(value, list)
        else value
    )


def take_in(names: list[str], trained: Path, runs: Path) -> None:
    """Copy the records of each named run; a folder that DVC does not have is an error."""
    fresh = runs.with_name(".runs.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name in names:
        (fresh / name).mkdir(parents=True)
        for file in RECORD_FILES:
            source = trained / name / file
            if not source.is_file():
                raise UserError(f"{source} is missing: run `dvc repro train` for it first")
            shutil.copyfile(source, fresh / name / file)
    shutil.rmtree(runs, ignore_errors=True)
    fresh.rename(runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    profile = parser.parse_args().profile
    names = list(study(read_parameters(), profile))
    folder = RESULTS / profile
    take_in(names, folder / "trained", folder / "runs")
    rows = [ledger_row(folder / "runs" / name) for name in names]
    pd.DataFrame(rows).to_csv(folder / "ledger.csv", index=False, float_format="%.6g")
    print(f"{len(rows)} runs in {profile}/ledger.csv")


if __name__ == "__main__":
    run_cli(main)
