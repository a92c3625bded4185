"""What a study cost, row by row, what one more seed of each row would, and what code made it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipelines.evidence.study import Study
from pipelines.evidence.trained_code import commit_name

TOGETHER = "together"
MEBIBYTE = 1 / 1024


def costs(study: Study) -> pd.DataFrame:
    """Time, speed, memory, energy and code of the trainings of each row, and their sum.

    Energy is that of the processor and the GPU where they can be read; a row without it has none.
    """
    runs = pd.DataFrame([_run(study, run) for _, run in study.ledger.iterrows()])
    rows = [_row(str(name), own) for name, own in runs.groupby("row", sort=False)]
    together = {
        "row": TOGETHER,
        "runs": str(len(runs)),
        "hours": f"{runs['seconds'].sum() / 3600:.1f}",
        "images": f"{runs['images'].sum():,}",
        "one more seed, minutes": f"{runs.groupby('row')['seconds'].mean().sum() / 60:.0f}",
        "energy, Wh": _watt_hours(runs["joules"]),
    }
    return pd.DataFrame([*rows, together]).fillna("")


def _run(study: Study, run: pd.Series[Any]) -> dict[str, Any]:
    record = study.run(run["run"]).record()
    cost, machine = record.cost, record.machine
    return {
        "row": run["row"],
        "device": f"{machine.device}, threads: {machine.threads}"
        + (f", processes: {machine.processes}" if machine.processes > 1 else ""),
        "seconds": cost.training_seconds,
        "images": cost.training_images,
        "images_a_second": cost.images_a_second,
        "memory": cost.peak_memory_mib * MEBIBYTE,
        "joules": float("nan") if cost.joules is None else cost.joules,
        "commit": commit_name(record.code),
    }


def _row(name: str, runs: pd.DataFrame) -> dict[str, str]:
    minutes = runs["seconds"].mean() / 60
    return {
        "row": name,
        "runs": str(len(runs)),
        "commits": _counted(runs["commit"]),
        "device": "; ".join(sorted(set(runs["device"]))),
        "hours": f"{runs['seconds'].sum() / 3600:.2f}",
        "images": f"{runs['images'].sum():,}",
        "images/s": f"{runs['images_a_second'].mean():.1f}",
        "peak memory, GiB": f"{runs['memory'].max():.1f}",
        "one more seed, minutes": f"{minutes:.1f}",
        "energy, Wh": _watt_hours(runs["joules"]),
    }


def _counted(names: pd.Series[str]) -> str:
    """Each name once, with how many runs have it if some have another."""
    counts = names.value_counts(sort=False)
    many = [f"{name} (runs: {count})" for name, count in counts.items()]
    return ", ".join(many) if len(counts) > 1 else str(counts.index[0])


def _watt_hours(joules: pd.Series[float]) -> str:
    return f"{joules.sum() / 3600:.1f}" if joules.notna().all() else ""
