"""A finished training on disk before it is scored, as it comes home from a bundle."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from pipelines.cluster.bundle.contents import UNSCORED, verify_sums, write_sums
from pipelines.system.errors import UserError
from pipelines.training.health.network import Fit, NetworkHealth, Spread
from pipelines.training.run import Detections, Trained

STATE = "weights.pt"
DETECTIONS, SAMPLE = "detections.json.gz", "sample.json.gz"


def validation_file(folder: Path, step: int) -> Path:
    """Where the detections of one validation are kept."""
    return folder / f"validation-{step:07d}.json.gz"


def keep_validation(folder: Path, step: int, detections: Detections) -> dict[str, float]:
    """Keep detections to be scored at home; they add no figure to the history yet."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(validation_file(folder, step), detections)
    return {}


def write_unscored(folder: Path, trained: Trained, *, validations: Path, weights: bool) -> None:
    """Write a training in one move.

    Args:
        folder: where it goes.
        trained: the training.
        validations: folder in which the detections of its validations are.
        weights: whether to write the weights too.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    values = {
        "record": trained.record,
        "history": trained.history,
        "sample_images": trained.sample_images,
        "max_detections": trained.max_detections,
        "health": dataclasses.asdict(trained.health),
    }
    (fresh / UNSCORED).write_text(json.dumps(values))
    _write_json(fresh / DETECTIONS, trained.detections)
    _write_json(fresh / SAMPLE, trained.sample_detections)
    if validations.is_dir():
        for path in sorted(validations.iterdir()):
            shutil.copyfile(path, fresh / path.name)
    if weights:
        torch.save(trained.state, fresh / STATE)
    write_sums(fresh, sorted(fresh.iterdir()))
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(fresh, folder)
    shutil.rmtree(validations, ignore_errors=True)


def read_unscored(folder: Path) -> tuple[Trained, dict[int, Detections]]:
    """What `write_unscored` wrote, without weights where it wrote none; validations by step.

    Raises:
        UserError: a file is missing or damaged.
    """
    verify_sums(folder)
    try:
        values = json.loads((folder / UNSCORED).read_text())
        parts = values.pop("health")
        for name, kind in (("start", Spread), ("end", Spread), ("training", Fit), ("test", Fit)):
            parts[name] = kind(**parts[name]) if parts[name] else None
        state = folder / STATE
        trained = Trained(
            **values,
            health=NetworkHealth(**parts),
            detections=_read_json(folder / DETECTIONS),
            sample_detections=_read_json(folder / SAMPLE),
            state=torch.load(state, weights_only=True) if state.exists() else {},
        )
        validations = {
            int(path.name.split("-")[1].split(".")[0]): _read_json(path)
            for path in sorted(folder.glob("validation-*.json.gz"))
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: is not a training of a bundle ({error})") from None
    return trained, validations


def _write_json(path: Path, values: Any) -> None:
    text = json.dumps(values, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _read_json(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))
