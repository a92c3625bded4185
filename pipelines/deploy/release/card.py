"""The model card: what a detector was trained on, how good it is, and what it is not for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipelines.data.licences import DRAWN, licence_of
from pipelines.evaluation.bootstrap import resample_run
from pipelines.evaluation.coco import score_records
from pipelines.evaluation.intervals import Interval, mean_interval
from pipelines.runs.folder import RunFolder
from pipelines.runs.record import Record
from pipelines.training.health.record import read
from pipelines.training.health.rules import complaints


def write_card(run: RunFolder, model: str, sha256: str, parameters: int) -> str:
    """The card of an exported run, as Markdown.

    Args:
        run: of the test set whose figures the card gives.
        model: the ONNX file's name.
        sha256: of that file.
        parameters: of its network.
    """
    record = run.record()
    spec, matches = record.spec, run.matches()
    parts = [
        f"# {record.name}",
        f"{spec.entry.summary[0].upper()}{spec.entry.summary[1:]}, {parameters / 1e6:.1f} million "
        f"parameters, for images of {spec.input_size}×{spec.input_size} pixels. It finds: "
        f"{', '.join(record.classes)}.",
        f"`{model}`, SHA-256 `{sha256}`. Inputs and outputs stand in the file's metadata.",
        "## Data",
        data_table(record.data),
        f"Data set `{spec.dataset}`. Licence: {licence_of(spec.dataset)}. First weights: "
        f"{first_weights(record)}.",
        "## How good it is",
        figures_table(matches),
        "In percent, on the test images alone; intervals are the bootstrap's over these images, of "
        "one training. Another seed lies elsewhere.",
        "## Health of the training",
        "\n".join(health_lines(record)),
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits(record)),
        "## Where it comes from",
        f"Run `{record.name}`, specification `{record.specification_hash}`, commit "
        f"`{record.code.commit or 'unknown'}`{' with changes' if record.code.changed else ''}, "
        f"{spec.iterations} steps of {spec.batch_size} images, seed {spec.seed}, "
        f"on {record.machine.device}.",
    ]
    return "\n\n".join(parts) + "\n"


def data_table(manifest: Mapping[str, Any]) -> str:
    """Images and objects of each split, by class."""
    rows = [
        {"split": name, "images": split["images"], "objects": split["boxes"]}
        | split["boxes_per_class"]
        for name, split in manifest["splits"].items()
    ]
    return str(pd.DataFrame(rows).to_markdown(index=False))


def figures_table(matches: pd.DataFrame) -> str:
    """COCO's figures and each class's AP, where the bootstrap gives one with its interval."""
    score, samples = score_records(matches), resample_run(matches)
    rows = []
    for name, value in score.figures.items():
        interval = mean_interval({0: samples}, name) if name in samples.point else None
        rows.append({"figure": name, "value": _value(value, interval)})
    rows += [{"figure": f"AP of {name}", "value": _value(v)} for name, v in score.class_ap.items()]
    return str(pd.DataFrame(rows).to_markdown(index=False))


def _value(value: float, interval: Interval | None = None) -> str:
    if value != value:
        return "no such objects"
    return f"{value:.1f}" + (f" [{interval.low:.1f}, {interval.high:.1f}]" if interval else "")


def first_weights(record: Record) -> str:
    """What training began with."""
    init = record.spec.init
    if init == "none":
        return "drawn at random"
    if record.first_weights_sha256:
        return f"a file with SHA-256 `{record.first_weights_sha256[:12]}…`"
    return f"those that {init} publishes"


def health_lines(record: Record) -> list[str]:
    """What the rules of health say of the training."""
    if not record.health:
        return ["It was not measured."]
    found = complaints(read(record.health))
    return [f"- {complaint}" for complaint in found] or ["No rule is broken."]


def limits(record: Record) -> list[str]:
    """What the figures do not say."""
    training = record.data["splits"]["train"]
    found = [
        f"It knows {training['images']} images with {training['boxes']} objects; elsewhere, by "
        "other light or another camera, it can do far worse.",
        "Its scores are no probabilities: choose the threshold on images of your own.",
    ]
    if licence_of(record.spec.dataset) == DRAWN:
        found.insert(0, "It was trained on drawn scenes and has never seen a photograph.")
    scarce = [name for name, count in training["boxes_per_class"].items() if count < 100]
    if scarce:
        found.append(f"Of {', '.join(scarce)} it has seen fewer than 100 objects.")
    return found
