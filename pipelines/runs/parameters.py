"""From params.yaml to specifications: every run of a study, and the workbench's.

A stage depends on its own specification alone, so that a change of one row trains one row.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipelines.data.folds import FOLDS
from pipelines.runs.registry import ENTRIES
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import PARAMETERS, RESULTS


def read_parameters(path: Path = PARAMETERS) -> dict[str, Any]:
    """The whole of params.yaml, its rows and profiles of the right shape.

    Read as DVC reads it, by YAML 1.2: PyYAML would take the `1:1` that DVC writes for 61.

    Raises:
        UserError: it is missing, no YAML, or something in it is of the wrong kind.
    """
    try:
        parameters = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, YAMLError) as error:
        raise UserError(f"{path.name}: cannot be read: {error}") from None
    where = path.name
    _mapping(parameters, where)
    rows = _named(parameters.get("rows") or {}, f"{where}: rows")
    for name, changes in rows.items():
        _mapping(changes or {}, f"{where}: row {name}")
    _check_detectors(parameters.setdefault("detectors", {}), where)
    profiles = _named(parameters.get("profiles") or {}, f"{where}: profiles")
    for name, profile in profiles.items():
        _check_profile(profile, f"{where}: profile {name}")
    return parameters


def _check_profile(profile: Any, where: str) -> None:
    parts = _mapping(profile, where)
    for part in ("settings", "overrides", "runs"):
        _mapping(parts.setdefault(part, {}), f"{where}: {part}")
    _check_detectors(parts.setdefault("detectors", {}), where)
    parts["notice"] = " ".join(str(parts.get("notice") or "").split())
    for row, changes in parts["overrides"].items():
        _mapping(changes or {}, f"{where}: override of {row}")
    known: set[str] = set()
    for group, names in parts["runs"].items():
        told = f"{where}: runs of {group}"
        if not isinstance(names, list):
            raise UserError(f"{told} must be a list of runs, not {str(names)[:60]}")
        for name in names:
            if not re.fullmatch(r".+-s\d{1,9}", str(name)):
                raise UserError(f"{told}: {str(name)[:60]!r} is no ROW-sSEED, such as lapnet-s0")
            if name in known:
                raise UserError(f"{told}: {name} stands there twice")
            known.add(name)


def _check_detectors(value: Any, where: str) -> None:
    for name, changes in _mapping(value, f"{where}: detectors").items():
        if name not in ENTRIES:
            raise UserError(
                f"{where}: detectors: there is no {name!r}; there are {', '.join(ENTRIES)}"
            )
        _mapping(changes or {}, f"{where}: detectors: {name}")


def _named(value: Any, where: str) -> dict[str, Any]:
    """A mapping whose names can be folders and files."""
    names = _mapping(value, where)
    for name in names:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise UserError(f"{where}: {name!r} is no name of small letters, digits and -")
    return names


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(type(key) is str for key in value):
        raise UserError(f"{where} must be a mapping of names to values, not {str(value)[:60]!r}")
    return value


def profile_settings(parameters: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """What a profile says of all its runs; where seeds take folds in turn, as for the first."""
    return with_fold(_profile(parameters, profile)["settings"], "params.yaml")


def require_profile(name: str) -> None:
    """Refuse a name that is no profile of params.yaml, before anything heavy is loaded.

    Raises:
        UserError: there is no such profile, or params.yaml is wrong.
    """
    _profile(read_parameters(), name)


def _profile(parameters: Mapping[str, Any], name: str) -> dict[str, Any]:
    profiles: dict[str, dict[str, Any]] = parameters.get("profiles") or {}
    if name not in profiles:
        raise UserError(f"profile must be one of {', '.join(profiles)}, not {name!r}")
    return profiles[name]


def resolve(
    parameters: Mapping[str, Any], profile: str, changes: Mapping[str, Any], where: str
) -> RunSpec:
    """A run's specification: the profile's settings, then its detector's, then its own changes.

    Args:
        parameters: params.yaml.
        profile: a profile of it.
        changes: what the run says itself.
        where: file and place, for the message.

    Raises:
        UserError: there is no such profile, or a wrong value.
    """
    settings = _profile(parameters, profile)["settings"]
    detector = str(changes.get("detector") or settings.get("detector") or RunSpec.detector)
    of_detector: dict[str, Any] = {}
    for place in (parameters, _profile(parameters, profile)):
        of_detector |= (place.get("detectors") or {}).get(detector) or {}
    values = {"profile": profile, **settings, **of_detector, **changes}
    return RunSpec.parse(with_fold(values, where), where)


def with_fold(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values, where `fold: SEED` is the seed modulo five: as many folds as seeds, in turn."""
    if values.get("fold") != "SEED":
        return dict(values)
    seed = RunSpec.parse({"seed": values.get("seed") or 0}, where).seed
    return {**values, "fold": str(seed % FOLDS)}


def stage_names(parameters: Mapping[str, Any], profile: str) -> dict[str, str]:
    """Run to the stage that trains it, in the order of params.yaml."""
    groups = parameters["profiles"][profile]["runs"].items()
    return {name: f"{group}@{name}" for group, names in groups for name in names}


def split_name(run: str) -> tuple[str, str]:
    """Row and seed of a run."""
    row, _, seed = run.rpartition("-s")
    return row, seed


def declared_runs(parameters: Mapping[str, Any], profile: str) -> dict[str, RunSpec]:
    """Every run of a profile's study, by its name ROW-sSEED.

    In `init`, SEED stands for the run's seed.

    Raises:
        UserError: a row that is not declared, a wrong value, or one run under two names.
    """
    rows, overrides = parameters.get("rows") or {}, _profile(parameters, profile)["overrides"]
    runs: dict[str, RunSpec] = {}
    for name in stage_names(parameters, profile):
        row, seed = split_name(name)
        if row not in rows:
            raise UserError(f"params.yaml: profile {profile}: there is no row {row!r}")
        changes = {**(rows[row] or {}), **(overrides.get(row) or {}), "seed": int(seed)}
        if isinstance(init := changes.get("init"), str):
            changes["init"] = init.replace("SEED", seed)
        runs[name] = resolve(parameters, profile, changes, f"params.yaml, row {row}")
    names: dict[str, str] = {}
    for name, spec in runs.items():
        if spec.hash in names:
            raise UserError(f"params.yaml: {names[spec.hash]} and {name} are the same run")
        names[spec.hash] = name
    return runs


def workbench_spec(parameters: dict[str, Any]) -> RunSpec:
    """The workbench's run: its profile's settings, changed by what stands at the top."""
    values = {
        key: value
        for key, value in parameters.items()
        if key not in ("profiles", "rows", "detectors", "profile") and value is not None
    }
    return resolve(parameters, str(parameters.get("profile")), values, "params.yaml")


def write_specifications(profile: str) -> int:
    """One file a run in the profile's `specs` folder; how many.

    Raises:
        UserError: params.yaml is wrong, or has no such profile.
    """
    runs = declared_runs(read_parameters(), profile)
    folder = RESULTS / profile / "specs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, spec in runs.items():
        (folder / f"{name}.json").write_text(json.dumps(spec.changes(), indent=1) + "\n")
    return len(runs)
