"""What the workbench's run reads beside code and parameters.

The settings behind its profile, the files of a data set of one's own, and the file of its first
weights. DVC cannot see these change by itself: it writes this before each run, and trains again if
something else is written. Torch is not loaded, so that it takes no time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipelines.data.fingerprint import content_digest
from pipelines.data.registry import NAMES, own_folder
from pipelines.system.files import write_whole
from pipelines.system.hashing import file_sha256
from pipelines.system.paths import PARAMETERS, RESULTS, read_paths_as_declared

WRITTEN = RESULTS / "workbench" / "inputs.json"
OTHER_RUNS = ("rows", "runs", "overrides", "profiles", "expected", "notice")
"""Parts of params.yaml that say nothing of the workbench's run."""


def inputs(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the run at the top of params.yaml reads; a wrong parameter is for that run to refuse.

    Raises:
        UserError: the data set is not there.
    """
    profile = _mapping(_mapping(parameters.get("profiles")).get(str(parameters.get("profile"))))
    values = {**_mapping(profile.get("settings")), **_given(parameters)}
    shared = {name: part for name, part in _own(parameters).items() if isinstance(part, dict)}
    return {
        "profile": _own(profile),
        "shared": shared,
        "dataset_sha256": _dataset_digest(values.get("dataset")),
        "init_sha256": {part.name: file_sha256(part) for part in _weights(values.get("init"))},
    }


def _dataset_digest(dataset: object) -> str | None:
    """None for a data set with a name, which stays what it is."""
    if dataset is None or dataset in NAMES:
        return None
    return content_digest(own_folder(str(dataset)))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in OTHER_RUNS}


def _weights(init: object) -> list[Path]:
    """The file of this name, or those of TensorFlow's checkpoint, if it is one at all."""
    path = Path(str(init))
    if not path.is_file():
        return []
    return sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix == ".index" else [path]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def write_inputs() -> None:
    """What the workbench's run reads, where DVC looks for it.

    Raises:
        UserError: the data set is not there.
    """
    read_paths_as_declared()
    parameters = YAML(typ="safe", pure=True).load(PARAMETERS.read_text("utf-8"))
    write_whole(WRITTEN, json.dumps(inputs(parameters), indent=1, default=str) + "\n")
