"""A model's page and its figures as files, and the page of a run that was just trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.data.dataset_spec import Tolerance
from pipelines.data.prepared import load_prepared
from pipelines.data.preparing import require_prepared
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.tiling import Tiling
from pipelines.own_data.run_page.curves import Curve
from pipelines.own_data.run_page.page import Subject, build_page, intervals
from pipelines.own_data.run_page.photographs import Photographs, draw_photographs
from pipelines.own_data.run_page.scored import ClassFigures, Scored
from pipelines.runs.folder import RunFolder
from pipelines.runs.record import Record
from pipelines.system.errors import UserError
from pipelines.system.files import write_whole

PAGE, METRICS = "page.html", "metrics.json"


def write_run_page(folder: Path, name: str) -> Path:
    """The page of a finished run on its own test photographs, in its folder.

    Args:
        folder: of the run.
        name: how the page calls it.

    Returns:
        The page's path.

    Raises:
        UserError: there is no run, or its data set is not prepared.
    """
    run = RunFolder(folder)
    record = run.record()
    spec = record.spec
    prepared = require_prepared(spec.preparation)
    split = load_prepared(prepared, "test").scored
    scored = Scored(split, run.detections(), spec.input_size, spec.tiling)
    reading = record.data.get("reading", {})
    subject = Subject(
        name, spec.dataset, "test", run, tiling_notes(spec.tiling), reading.get("said", ())
    )
    page = build_page(scored, subject, _photographs(scored, record))
    write_whole(folder / PAGE, page)
    return folder / PAGE


def tiling_notes(tiling: Tiling | None) -> list[str]:
    """A word where photographs were cut."""
    if tiling is None:
        return []
    return [f"detected in {tiling}, merged: whole photographs are scored"]


def _photographs(scored: Scored, record: Record) -> Photographs | None:
    """None where the data set is gone, or has changed since it was prepared."""
    reading, spec = record.data.get("reading", {}), record.spec
    asked = {name: reading.get(name, False) for name in Tolerance.__dataclass_fields__}
    opened = DatasetSpec(spec.dataset, fold=spec.fold, tolerance=Tolerance(**asked))
    try:
        source = open_dataset(opened, report=lambda line: None)["test"]
        return draw_photographs(scored, source) if source.split == scored.split else None
    except UserError:
        return None


def write_metrics(path: Path, scored: Scored, subject: Subject) -> None:
    """Every figure of the page as JSON; what is undefined is null."""
    names = [category.name for category in scored.split.categories]
    values = {
        "model": subject.model,
        "dataset": subject.dataset,
        "split": subject.split,
        "images": len(scored.split.images),
        "notes": list(subject.notes),
        "figures": scored.score.figures,
        "intervals": {k: [own.low, own.high] for k, own in intervals(scored).items()},
        "classes": {own.name: _class_values(own) for own in scored.classes},
        "confusion": {"classes": [*names, "background"], "counts": scored.confusion.tolist()},
        "errors": {e.kind: {"count": e.count, "AP50_lost": e.cost} for e in scored.errors},
        "ladder": scored.ladder,
        "calibration": {"error": scored.calibration.error, "bias": scored.calibration.bias},
    }
    path.write_text(json.dumps(_defined(values), indent=1, allow_nan=False) + "\n")


def _class_values(own: ClassFigures) -> dict[str, Any]:
    return {"objects": own.objects, "figures": own.figures, **_at_threshold(own.curve)}


def _at_threshold(curve: Curve) -> dict[str, float | None]:
    """Nothing where no score is recommended."""
    if (best := curve.best) is None:
        return {"score": None}
    return {
        "score": curve.threshold,
        "precision": float(curve.precision[best]),
        "recall": float(curve.recall[best]),
        "F1": float(curve.f1[best]),
    }


def _defined(value: Any) -> Any:
    """Rounded to four places, NaN as None."""
    if isinstance(value, Mapping):
        return {name: _defined(own) for name, own in value.items()}
    if isinstance(value, list):
        return [_defined(own) for own in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
