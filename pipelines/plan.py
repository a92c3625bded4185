"""From params.yaml to specifications: `python -m pipelines.plan PROFILE` writes one file a run.

A stage depends on its own specification alone, so that a change of one row trains one row.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import UserError, run_cli
from pipelines.runtime import REPOSITORY
from pipelines.spec import RunSpec

PARAMETERS = REPOSITORY / "params.yaml"
RESULTS = REPOSITORY / "results"


def read_parameters(path: Path = PARAMETERS) -> dict[str, Any]:
    """The whole of params.yaml.

    Raises:
        UserError: it is missing, or no mapping in YAML.
    """
    try:
        parameters = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path.name}: cannot be read: {error}") from None
    if not isinstance(parameters, dict):
        raise UserError(f"{path.name}: must be a mapping of names to values")
    return parameters


def profile_settings(parameters: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """What a profile says of all its runs."""
    profiles = parameters.get("profiles") or {}
    if profile not in profiles:
        raise UserError(f"profile must be one of {', '.join(profiles)}, not {profile!r}")
    return dict(profiles[profile]["settings"])


def groups(parameters: Mapping[str, Any], profile: str) -> Iterator[tuple[str, str, int]]:
    """Group, row and seed of every run of a profile, in the order of params.yaml."""
    for name, group in parameters["profiles"][profile]["runs"].items():
        for row in group["rows"]:
            for seed in group["seeds"]:
                yield name, row, seed


def study(parameters: Mapping[str, Any], profile: str) -> dict[str, RunSpec]:
    """Every run of a profile's study, by name: `ROW-sSEED`.

    Raises:
        UserError: a row that is not declared, a wrong value, or one run under two names.
    """
    settings = profile_settings(parameters, profile)
    rows, overrides = parameters.get("rows") or {}, parameters["profiles"][profile]["overrides"]
    runs: dict[str, RunSpec] = {}
    for _, row, seed in groups(parameters, profile):
        if row not in rows:
            raise UserError(f"params.yaml: profile {profile}: there is no row {row!r}")
        changes = {**(rows[row] or {}), **(overrides.get(row) or {})}
        values = {"profile": profile, **settings, **changes, "seed": seed}
        runs[f"{row}-s{seed}"] = RunSpec.parse(values, f"params.yaml, row {row}")
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
        if key not in ("profiles", "rows", "profile") and value is not None
    }
    name = str(parameters.get("profile"))
    settings = profile_settings(parameters, name)
    return RunSpec.parse({"profile": name, **settings, **values}, "params.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    arguments = parser.parse_args()
    runs = study(read_parameters(), arguments.profile)
    folder = RESULTS / arguments.profile / "specs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, spec in runs.items():
        (folder / f"{name}.json").write_text(json.dumps(spec.changes(), indent=1) + "\n")
    print(f"{len(runs)} runs in the study {arguments.profile}")


if __name__ == "__main__":
    run_cli(main)
