"""The run behind a number: its folder, the command that remakes it, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.evidence.study import Study
from pipelines.evidence.trained_code import commit_name
from pipelines.runs.parameters import stage_names

DEFAULT_PROFILE = "quick"
"""Its stages stand in the dvc.yaml at the top, those of others in results/PROFILE/dvc.yaml."""


@dataclass(frozen=True)
class RunEntry:
    """A finished run, as the page lists it."""

    name: str
    row: str
    seed: int
    command: str
    ap: float
    ap50: float
    seconds: float
    """Of training."""
    images: int
    """Seen in training."""
    images_a_second: float
    memory_mib: float
    """Most that was held."""
    parameters: int
    gflops: float
    """Of one image."""
    device: str
    device_type: str
    threads: int
    code: str
    """Commit that trained it, with a `+` where the tree differed from it."""


def run_entries(study: Study, parameters: Mapping[str, Any]) -> dict[str, RunEntry]:
    """Every finished run of the study by name, in the order of the ledger."""
    declared = stage_names(parameters, study.profile)
    return {
        run["run"]: _entry(study, run, stage_command(study.profile, declared[run["run"]]))
        for _, run in study.ledger.iterrows()
    }


def stage_command(profile: str, stage: str) -> str:
    """The command that makes a stage of a profile's pipeline."""
    place = "" if profile == DEFAULT_PROFILE else f"results/{profile}/dvc.yaml:"
    return f"dvc repro {place}{stage}"


def describe_seconds(seconds: float) -> str:
    """`17 s`, `6.2 min` or `1.4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True)
class Cost:
    """What runs on one device cost together."""

    device: str
    runs: int
    seconds: float
    images: int


def costs_by_device(entries: Sequence[RunEntry]) -> list[Cost]:
    """One sum for each device and number of threads."""
    devices = sorted({(entry.device, entry.threads) for entry in entries})
    costs = []
    for device, threads in devices:
        own = [entry for entry in entries if (entry.device, entry.threads) == (device, threads)]
        name = f"{device}, {threads} thread{'s' if threads > 1 else ''}"
        seconds = sum(entry.seconds for entry in own)
        costs.append(Cost(name, len(own), seconds, sum(entry.images for entry in own)))
    return costs


def _entry(study: Study, run: pd.Series[Any], command: str) -> RunEntry:
    record = study.run(run["run"]).record()
    cost, machine = record.cost, record.machine
    return RunEntry(
        name=run["run"],
        row=run["row"],
        seed=int(run["seed"]),
        command=command,
        ap=run["AP"],
        ap50=run["AP50"],
        seconds=cost.training_seconds,
        images=cost.training_images,
        images_a_second=cost.images_a_second,
        memory_mib=cost.peak_memory_mib,
        parameters=cost.parameters,
        gflops=cost.flops_an_image / 1e9,
        device=machine.device,
        device_type=machine.device_type,
        threads=machine.threads,
        code=commit_name(record.code),
    )
