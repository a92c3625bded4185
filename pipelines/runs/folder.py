"""The run folder, in which every trained run leaves what it found."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.runs.spec import RunSpec

RECORD = "run.json"
RECORD_FILES = (RECORD, "history.csv", "detections.json.gz", "matches.csv.gz")
"""What git keeps of a run."""
WEIGHTS = "model.safetensors"


def is_run_of(folder: Path, spec: RunSpec) -> bool:
    """Whether the folder holds a finished run of exactly this specification."""
    record = folder / RECORD
    return record.is_file() and json.loads(record.read_text())["specification_hash"] == spec.hash
