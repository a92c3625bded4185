"""The chain of hashes inside a run: from params.yaml to its specification, and to its files."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.data.dataset_spec import Fold
from pipelines.runs.folder import RECORD_FILES
from pipelines.runs.parameters import split_name
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256

REQUIRED = (
    "name", "specification/dataset", "specification/input_size", "specification_hash",
    *(f"files_sha256/{name}" for name in RECORD_FILES[1:]),
    "data/splits/train/boxes", "data/splits/train/annotations_sha256",
    "data/splits/test/annotations_sha256",
    "code/code_hash", "machine/device", "machine/python", "machine/packages/torch",
)  # fmt: skip
"""What every `run.json` holds."""


def check_runs(runs: Path, declared: Mapping[str, RunSpec]) -> dict[str, list[str]]:
    """What is wrong with each run, by name: an empty list for a sound one.

    Args:
        runs: the study's committed runs.
        declared: the study as params.yaml declares it.
    """
    findings: dict[str, list[str]] = {}
    records: dict[str, Mapping[str, Any]] = {}
    for folder in sorted(path for path in runs.iterdir() if path.is_dir()):
        try:
            records[folder.name] = read_record(folder)
            found = _check_run(folder, records[folder.name], declared)
            findings[folder.name] = [f"runs/{folder.name}/{finding}" for finding in found]
        except UserError as error:
            findings[folder.name] = [f"runs/{folder.name}/run.json: {error}"]
    for name, finding in (*_other_data(records), *_copied_seeds(records)):
        findings[name].append(f"runs/{name}/{finding}")
    return findings


def other_code(runs: Path, names: Sequence[str], code_hash: str) -> str:
    """How many of these runs other code has trained than lies here; empty for none.

    That is no fault: their figures follow from their records. It says what only `audit` can tell.
    """
    others = [n for n in names if read_record(runs / n)["code"]["code_hash"] != code_hash]
    return f"; {len(others)} of them trained by other code than lies here" if others else ""


def read_record(folder: Path) -> dict[str, Any]:
    """A run's `run.json`, with all that is `REQUIRED`.

    Raises:
        UserError: it cannot be read or lacks something.
    """
    try:
        record: dict[str, Any] = json.loads((folder / "run.json").read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read: {error}") from None
    for path in REQUIRED:
        value: Any = record
        for key in path.split("/"):
            value = value.get(key) if isinstance(value, dict) else None
        if not value:
            raise UserError(f"holds no {path}")
    return record


def _check_run(
    folder: Path, record: Mapping[str, Any], declared: Mapping[str, RunSpec]
) -> Iterator[str]:
    """From the specification to what params.yaml declares, and from the record to its files."""
    if record["name"] != folder.name:
        yield f"run.json: is the record of {record['name']}"
    spec = RunSpec.parse(record["specification"], "specification")
    if spec.hash != record["specification_hash"]:
        yield (
            f"run.json: the specification was changed after the run: "
            f"its hash is {spec.hash}, not {record['specification_hash']}"
        )
    own = declared.get(folder.name)
    if own is None:
        yield "run.json: params.yaml declares no run of this name"
    elif spec != own:
        apart = ", ".join(
            f"{field.name} is {getattr(spec, field.name)}, not {getattr(own, field.name)}"
            for field in dataclasses.fields(spec)
            if getattr(spec, field.name) != getattr(own, field.name)
        )
        yield f"run.json: is another run than params.yaml declares: {apart}"
    for name in RECORD_FILES[1:]:
        if not (folder / name).is_file():
            yield f"{name}: is missing"
        elif file_sha256(folder / name) != record["files_sha256"][name]:
            yield f"{name}: was changed after the run, its checksum is not that in run.json"


def _other_data(records: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Runs whose data differ from those of most runs on the same data set."""
    by_set: dict[str, dict[str, str]] = defaultdict(dict)
    for name, record in records.items():
        spec = record["specification"]
        part = spec.get("fold", Fold.PUBLISHED)
        fold = "" if part == Fold.PUBLISHED else f", fold {part},"
        dataset = f"{spec['dataset']}{fold} at {spec['input_size']}"
        by_set[dataset][name] = json.dumps(record["data"], sort_keys=True)
    for dataset, manifests in by_set.items():
        usual, _ = Counter(manifests.values()).most_common(1)[0]
        for name, manifest in manifests.items():
            if manifest != usual:
                yield name, f"run.json: other data than the other runs on {dataset}"


def _copied_seeds(records: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Runs with the very detections of another seed of their row."""
    first: dict[tuple[str, str], str] = {}
    for name, record in records.items():
        detections = record["files_sha256"]["detections.json.gz"]
        other = first.setdefault((split_name(name)[0], detections), name)
        if other != name:
            yield name, f"detections.json.gz: is that of {other}, another seed"
