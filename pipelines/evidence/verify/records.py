"""The chain of hashes inside a run: from params.yaml to its specification, and to its files."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.data.dataset_spec import Fold
from pipelines.runs.folder import DETECTIONS, RECORD, RECORD_FILES, RunFolder
from pipelines.runs.parameters import split_name
from pipelines.runs.record import Record
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError

FACTS = (
    *(f"files_sha256/{name}" for name in RECORD_FILES[1:]),
    "data/splits/train/boxes",
    "data/splits/train/annotations_sha256",
    "data/splits/test/annotations_sha256",
    "machine/packages/torch",
)
"""What every record holds beside its typed fields."""


def check_runs(runs: Path, declared: Mapping[str, RunSpec]) -> dict[str, list[str]]:
    """What is wrong with each run, by name: an empty list for a sound one.

    Args:
        runs: the study's committed runs.
        declared: the study as params.yaml declares it.
    """
    findings: dict[str, list[str]] = {}
    records: dict[str, Record] = {}
    for folder in sorted(runs.glob("*/")):
        run = RunFolder(folder)
        try:
            records[run.name] = _whole_record(run)
            found = _check_run(run, records[run.name], declared.get(run.name))
            findings[run.name] = [f"runs/{run.name}/{finding}" for finding in found]
        except UserError as error:
            findings[run.name] = [f"runs/{error}"]
    for name, finding in (*_other_data(records), *_copied_seeds(records)):
        findings[name].append(f"runs/{name}/{finding}")
    return findings


def _whole_record(run: RunFolder) -> Record:
    """A run's record, with all `FACTS`.

    Raises:
        UserError: it cannot be read or lacks something.
    """
    record = run.record()
    for path in FACTS:
        value: Any = record.values
        for key in path.split("/"):
            value = value.get(key) if isinstance(value, dict) else None
        if not value:
            raise UserError(f"{run.name}/{RECORD}: holds no {path}")
    return record


def _check_run(run: RunFolder, record: Record, declared: RunSpec | None) -> Iterator[str]:
    """From the specification to what params.yaml declares, and from the record to its files."""
    spec = record.spec
    if record.name != run.name:
        yield f"{RECORD}: is the record of {record.name}"
    if record.specification_changed:
        yield (
            f"{RECORD}: the specification was changed after the run: "
            f"its hash is {spec.hash}, not {record.specification_hash}"
        )
    if declared is None:
        yield f"{RECORD}: params.yaml declares no run of this name"
    elif spec != declared:
        apart = ", ".join(
            f"{field.name} is {getattr(spec, field.name)}, not {getattr(declared, field.name)}"
            for field in dataclasses.fields(spec)
            if getattr(spec, field.name) != getattr(declared, field.name)
        )
        yield f"{RECORD}: is another run than params.yaml declares: {apart}"
    for name in run.altered():
        if (run.path / name).is_file():
            yield f"{name}: was changed after the run, its checksum is not that in {RECORD}"
        else:
            yield f"{name}: is missing"


def _other_data(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Runs whose data differ from those of most runs on the same data set."""
    by_set: dict[str, dict[str, str]] = defaultdict(dict)
    for name, record in records.items():
        spec = record.spec
        fold = "" if spec.fold == Fold.PUBLISHED else f", fold {spec.fold},"
        dataset = f"{spec.dataset}{fold} at {spec.input_size}"
        by_set[dataset][name] = json.dumps(record.data, sort_keys=True)
    for dataset, manifests in by_set.items():
        usual, _ = Counter(manifests.values()).most_common(1)[0]
        for name, manifest in manifests.items():
            if manifest != usual:
                yield name, f"{RECORD}: other data than the other runs on {dataset}"


def _copied_seeds(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Runs with the very detections of another seed of their row."""
    first: dict[tuple[str, str], str] = {}
    for name, record in records.items():
        detections = record.files_sha256[DETECTIONS]
        other = first.setdefault((split_name(name)[0], detections), name)
        if other != name:
            yield name, f"{DETECTIONS}: is that of {other}, another seed"
