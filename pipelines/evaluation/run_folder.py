"""The folder of a run: what its training left, scored and sealed."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pandas as pd
from safetensors.torch import save

from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.evaluation.coco import match_records, score_records
from pipelines.system.hashing import file_sha256
from pipelines.training.health import record as health_record
from pipelines.training.health.measures import Health
from pipelines.training.run import Detections, Trained


def validation_figures(split: PreparedSplit, detections: Detections) -> dict[str, float]:
    """What a validation adds to the history."""
    figures = score_records(match_records(split.coco.to_coco(), detections)).figures
    return {"validation_AP": figures["AP"], "validation_AP50": figures["AP50"]}


def write_run_folder(folder: Path, trained: Trained, data_folder: Path) -> Health:
    """Score a training and write its five files beside the place, then move them there together.

    `run.json` holds the hash of each of the others, so that a change made afterwards is seen.

    Args:
        folder: where it goes; what is there is replaced at the end.
        trained: what the training left.
        data_folder: the prepared data that it was trained on.

    Returns:
        The training's health, which is also in `run.json`.
    """
    training, test = (load_prepared(data_folder, name) for name in ("train", "test"))
    health = health_record.measure(
        trained.health,
        training.first(trained.sample_images),
        trained.sample_detections,
        test,
        trained.detections,
        trained.max_detections,
        trained.history,
    )
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        _write_files(fresh, trained, test)
        hashes = {path.name: file_sha256(path) for path in sorted(fresh.iterdir())}
        record = {
            **trained.record,
            "health": health_record.write(health),
            "files_sha256": hashes,
        }
        (fresh / "run.json").write_text(json.dumps(record, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return health


def _write_files(folder: Path, trained: Trained, test: PreparedSplit) -> None:
    logged = None if trained.history else ["step", "loss"]
    history = pd.DataFrame(trained.history, columns=logged)
    history.to_csv(folder / "history.csv", index=False)
    found = json.dumps(trained.detections, separators=(",", ":"))
    write_gzip(folder / "detections.json.gz", found)
    matches = match_records(test.coco.to_coco(), trained.detections)
    write_gzip(folder / "matches.csv.gz", matches.to_csv(index=False))
    (folder / "model.safetensors").write_bytes(save(trained.state))


def write_gzip(path: Path, text: str) -> None:
    """Compress without a date or a name, so that equal text gives equal bytes."""
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
