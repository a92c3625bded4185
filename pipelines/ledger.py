"""Take in finished run folders: `python -m pipelines.ledger PROFILE`.

Copies the records of every run of the study into `results/PROFILE/runs/` (all but the weights,
which DVC keeps) and writes `ledger.csv`: one row a run, one column a factor or a metric.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.errors import UserError, note, run_cli
from pipelines.hashing import file_sha256
from pipelines.plan import RESULTS, read_parameters, split_name, study
from pipelines.processes import ALONE
from pipelines.scoring import score_records
from pipelines.spec import Optimiser, RunSpec
from pipelines.voc_ap import Definition, voc_map

RECORD_FILES = ("run.json", "history.csv", "detections.json.gz", "matches.csv.gz")


def ledger_row(folder: Path) -> dict[str, Any]:
    """One run as one flat row; every metric computed anew from the match records.

    Raises:
        UserError: a file is not what the run wrote.
    """
    record = json.loads((folder / "run.json").read_text())
    for name in RECORD_FILES[1:]:
        if file_sha256(folder / name) != record["files_sha256"][name]:
            raise UserError(f"{folder}/{name}: was changed after the run; train it again")
    spec = RunSpec.parse(record["specification"], str(folder / "run.json"))
    if spec.hash != record["specification_hash"]:
        raise UserError(f"{folder}/run.json: the specification was changed after the run")
    matches = pd.read_csv(folder / "matches.csv.gz")
    score = score_records(matches)
    return {
        "run": record["name"],
        "row": split_name(record["name"])[0],
        **{name: _flat(value) for name, value in record["specification"].items()},
        "optimiser": Optimiser.SGD if spec.detector in ALONE else spec.optimiser,
        **score.figures,
        **{definition.value: voc_map(matches, definition) for definition in Definition},
        **{f"AP_{name}": value for name, value in score.class_ap.items()},
        **record["cost"],
        "device": record["machine"]["device"],
        "agreement": record.get("agreement"),  # the oldest runs do not say
        "code_hash": record["code"]["code_hash"],
        "record_sha256": file_sha256(folder / "run.json"),
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


def take_in(study: Mapping[str, RunSpec], trained: Path, runs: Path) -> list[str]:
    """Bring `runs` up to date with what is trained; the names of the runs that are there.

    A run comes from `trained`, where training leaves it, else it stays as it is in `runs`. Either
    counts only if it was made from the study's specification.
    """
    fresh = runs.with_name(".runs.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, spec in study.items():
        for source in (trained / name, runs / name):
            if is_run_of(source, spec):
                (fresh / name).mkdir()
                for file in RECORD_FILES:
                    shutil.copyfile(source / file, fresh / name / file)
                break
    shutil.rmtree(runs, ignore_errors=True)
    fresh.rename(runs)
    return [name for name in study if (runs / name).is_dir()]


def is_run_of(folder: Path, spec: RunSpec) -> bool:
    """Whether the folder holds a finished run of exactly this specification."""
    record = folder / "run.json"
    return record.is_file() and json.loads(record.read_text())["specification_hash"] == spec.hash


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    profile = parser.parse_args().profile
    wanted = study(read_parameters(), profile)
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


if __name__ == "__main__":
    run_cli(main)
