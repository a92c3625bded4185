"""A trained run, opened for use: its detector with its weights, and the names of its classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from method.detector import Detector
from pipelines.data.prepared import MANIFEST, load_prepared
from pipelines.data.preparing import prepared_folder
from pipelines.data.records import Category
from pipelines.detectors.build import build_detector
from pipelines.runs.folder import WEIGHTS, require_run
from pipelines.runs.record import Record
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note


@dataclass(frozen=True)
class TrainedRun:
    """What a run folder holds of a detector."""

    name: str
    spec: RunSpec
    detector: Detector
    """On the CPU, set for inference, in channels-last order."""
    categories: tuple[Category, ...]
    """Of label 1, 2, …"""


def open_run(folder: Path) -> TrainedRun:
    """The detector that a run trained.

    Raises:
        UserError: the folder is no run folder, or its weights do not fit its specification.
    """
    record = require_run(folder)
    spec = record.spec
    categories = _categories(record)
    blank = torch.zeros((1, 3, spec.input_size, spec.input_size), dtype=torch.uint8)
    detector = build_detector(replace(spec, init="none"), len(categories), blank)
    load_weights(detector, folder)
    detector.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TrainedRun(folder.resolve().name, spec, detector, categories)


def load_weights(detector: Detector, folder: Path) -> None:
    """Give a detector the weights of a run folder.

    Raises:
        UserError: they are not there, or of another detector.
    """
    try:
        detector.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"{folder / WEIGHTS}: cannot be loaded, train the run again: {error}"
        ) from None


def _categories(record: Record) -> tuple[Category, ...]:
    """The data set's own ids where it lies prepared, else the recorded names numbered from 1."""
    names, spec = record.classes, record.spec
    folder = prepared_folder(spec.preparation)
    if (folder / MANIFEST).exists():
        categories = load_prepared(folder, "test").coco.categories
        if tuple(category.name for category in categories) == names:
            return categories
    note(f"{spec.dataset} is not prepared here; its classes are numbered 1 to {len(names)}")
    return tuple(Category(number, name) for number, name in enumerate(names, start=1))
