"""A study's runs: which are to be trained, in what order, where, and what follows them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipelines.cluster.clones import MADE_ANYWHERE, Clones
from pipelines.cluster.local import Launcher
from pipelines.cluster.room import heaviest_run_mib, jobs_that_fit
from pipelines.cluster.schedule import Engine, Resources, Run, bring_up_to_date
from pipelines.cluster.time_left import expected_times
from pipelines.detectors.at_hand import lacking
from pipelines.runs.parameters import declared_runs, read_parameters, stage_names
from pipelines.runs.spec import RunSpec
from pipelines.system.cores import usable_cores
from pipelines.system.errors import note
from pipelines.system.machine import visible_gpus
from pipelines.system.paths import REPOSITORY, RESULTS

WORKBENCH = {"workbench": "workbench"}
TRAINING = "pipelines.evaluation.run"
"""What `pipelines.train` imports."""
MEASURED = ("ledger", "speed")
SIDE_BY_SIDE = ("tables", "claims", "figures")
"""Stages that follow from `MEASURED`, and none from another."""


class Place(StrEnum):
    """Who trains the runs."""

    LOCAL = "local"
    RAY = "ray"
    SLURM = "slurm"


@dataclass(frozen=True)
class Where:
    """Where runs are trained, and with what.

    Args:
        on: who trains them.
        remote: the DVC remote that this machine and the workers share.
        address: of the Ray cluster.
        resources: of every run.
    """

    on: Place = Place.LOCAL
    remote: str | None = None
    address: str | None = None
    resources: Resources = field(default_factory=Resources)


def where_to_train(arguments: argparse.Namespace) -> Where:
    """The command's options, which it has checked, as a place."""
    resources = Resources(
        arguments.gpus or 0.0,
        arguments.memory,
        arguments.time or Resources.minutes,
        arguments.partition,
    )
    return Where(Place(arguments.on), arguments.remote, arguments.address, resources)


def launch(profile: str, jobs: int | None = None, where: Where | None = None) -> None:
    """Train what is missing of a study, then rebuild its tables and figures.

    Args:
        profile: a profile of params.yaml.
        jobs: runs at once; as many as have room when None.
        where: who trains; this machine when None.

    Raises:
        UserError: a stage failed; what was finished before stays finished.
    """
    where = where or Where()
    parameters = read_parameters()
    specs = declared_runs(parameters, profile)
    launcher = Launcher(REPOSITORY, pipeline_file(profile))
    clones = None if where.on is Place.LOCAL else _clones(launcher, where)
    launcher.refresh()
    stages = stage_names(parameters, profile)
    left_out = {} if clones else untrainable(specs)
    for name, why in left_out.items():
        note(f"{name} is left out: {why}")
    out = {stages.pop(name) for name in left_out}
    if not launcher.stale() - out:
        print(f"The study {profile} is up to date.")
        return
    launcher.repro(*MADE_ANYWHERE)
    stale = launcher.stale() - out
    todo = with_children(stages, parents(specs), stale)
    expected = expected_times(specs, profile)
    if clones and todo:
        bring_up_to_date(
            launcher,
            clones,
            _engine(clones, where, jobs),
            as_runs(todo, specs),
            ["plan", *stood_on(todo, stages, parents(specs))],
            jobs if where.on is Place.RAY else None,
            f"{profile}, on {where.on}",
            expected,
        )
        return
    if not clones:
        todo |= {name: stage for name, stage in WORKBENCH.items() if stage in stale}
    if todo:
        gpus = visible_gpus()
        heaviest = heaviest_run_mib(RESULTS / profile / "ledger.csv")
        own = [specs[name] for name in todo if name in specs]
        jobs = jobs or len(gpus) or jobs_that_fit(own, heaviest)
        label = f"{profile}, {jobs} at a time"
        launcher.train(todo, parents(specs), jobs, label, gpus, expected, TRAINING)
    rebuild(launcher, stale, following(launcher, parameters, profile) if out else [])


def rebuild(launcher: Launcher, stale: set[str], following: Sequence[str] = ()) -> None:
    """Bring what follows from the runs up to date.

    Args:
        launcher: of the study.
        stale: stages that are known to be out of date; there may be more.
        following: the stages to run, in this order; all of the pipeline when empty.

    Raises:
        UserError: a stage failed.
    """
    together = {name: name for name in SIDE_BY_SIDE if name in stale}
    if len(together) > 1:
        launcher.repro(*MEASURED)
        cores = usable_cores()
        launcher.train(together, {}, min(cores, len(together)), ", ".join(together))
    launcher.repro(*following)


def untrainable(specs: Mapping[str, RunSpec]) -> dict[str, str]:
    """Runs whose detector cannot be had here, and those that start from one, to the reason."""
    reasons: dict[str, str] = {}
    for name in specs:
        for one in _line(name, parents(specs)):
            if why := lacking(specs[one]):
                reasons[name] = why
    return reasons


def following(launcher: Launcher, parameters: Mapping[str, Any], profile: str) -> list[str]:
    """The stages of the pipeline that train no run of the study, in its order."""
    declared = YAML(typ="safe").load(launcher.root / launcher.pipeline)["stages"]
    groups = parameters["profiles"][profile]["runs"]
    return [stage for stage in declared if stage not in groups]


def preview(profile: str, where: Where) -> str:
    """Which runs would be trained, where, and with what; a line each. Changes nothing."""
    parameters = read_parameters()
    specs = declared_runs(parameters, profile)
    launcher = Launcher(REPOSITORY, pipeline_file(profile))
    if where.on is not Place.LOCAL:
        _clones(launcher, where)
    stages = stage_names(parameters, profile)
    replanned = {stages[name] for name, spec in specs.items() if not _is_planned(name, spec)}
    todo = with_children(stages, parents(specs), launcher.stale() | replanned)
    left_out = untrainable(specs) if where.on is Place.LOCAL else {}
    runs = [run for run in as_runs(todo, specs) if run.name not in left_out]
    lines = [f"{len(runs)} runs to train of {len(stages)}, on {where.on}"]
    for run in runs:
        after = f", after {run.parent}" if run.parent else ""
        lines.append(f"{run.name}: {_told(run, where)}{after}")
    lines += [f"{name} is left out: {why}" for name, why in left_out.items()]
    return "\n".join(lines)


def pipeline_file(profile: str) -> str:
    """Where the study's stages are declared."""
    own = f"results/{profile}/dvc.yaml"
    return own if (REPOSITORY / own).exists() else "dvc.yaml"


def parents(specs: Mapping[str, RunSpec]) -> dict[str, str]:
    """Run to the run of the same study whose weights it starts from, where there is one."""
    starts = {name: Path(spec.init).parent.name for name, spec in specs.items()}
    return {name: start for name, start in starts.items() if start in specs}


def with_children(
    stages: Mapping[str, str], parents: Mapping[str, str], stale: set[str]
) -> dict[str, str]:
    """Runs that are stale or start from one that is, each after the one it starts from."""
    found: dict[str, str] = {}
    waiting = {
        name: stage
        for name, stage in stages.items()
        if any(stages[one] in stale for one in _line(name, parents))
    }
    while waiting:
        ready = {name: stage for name, stage in waiting.items() if parents.get(name) not in waiting}
        found |= ready
        waiting = {name: stage for name, stage in waiting.items() if name not in ready}
    return found


def stood_on(
    todo: Mapping[str, str], stages: Mapping[str, str], parents: Mapping[str, str]
) -> list[str]:
    """Stages of the runs that are done and that others still start from."""
    done = {parents[name] for name in todo if name in parents} - todo.keys()
    return sorted(stages[name] for name in done)


def as_runs(todo: Mapping[str, str], specs: Mapping[str, RunSpec]) -> list[Run]:
    """The runs as a cluster is asked for them."""
    starts = parents(specs)
    return [
        Run(
            name, stage, starts.get(name) if starts.get(name) in todo else None, specs[name].threads
        )
        for name, stage in todo.items()
    ]


def _line(name: str, parents: Mapping[str, str]) -> list[str]:
    """The run, the one it starts from, the one that starts from, and so on."""
    line = [name]
    while line[-1] in parents and parents[line[-1]] not in line:
        line.append(parents[line[-1]])
    return line


def _clones(launcher: Launcher, where: Where) -> Clones:
    return Clones.at_head(launcher.root, launcher.pipeline, where.remote)


def _engine(clones: Clones, where: Where, jobs: int | None) -> Engine:
    """The cluster's; its package is imported only here."""
    if where.on is Place.RAY:
        from pipelines.cluster.ray_engine import RayEngine

        return RayEngine(clones, where.resources, where.address)
    from pipelines.cluster.slurm_engine import SlurmEngine

    return SlurmEngine(clones, where.resources, jobs)


def _is_planned(name: str, spec: RunSpec) -> bool:
    path = RESULTS / spec.profile / "specs" / f"{name}.json"
    return path.exists() and json.loads(path.read_text()) == json.loads(json.dumps(spec.changes()))


def _told(run: Run, where: Where) -> str:
    """A run's resources in words."""
    resources = where.resources
    parts = [f"{run.cpus or 'all'} CPUs"]
    if resources.gpus:
        parts.append(f"{resources.gpus:g} GPUs")
    if resources.memory:
        parts.append(f"{resources.memory:g} GiB")
    if where.on is Place.SLURM:
        parts.append(f"{resources.minutes} minutes at a stretch")
        parts.append(f"partition {resources.partition or 'by default'}")
    if where.on is Place.RAY:
        parts.append(f"Ray at {where.address or 'this machine'}")
    return ", ".join(parts)
