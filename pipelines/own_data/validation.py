"""A model measured on photographs with boxes: `python -m pipelines.val`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.data.dataset_spec import TOLERANT, Fold
from pipelines.data.folded import joined
from pipelines.data.records import Category, CocoSplit
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.sources import FolderSource, ImageSource
from pipelines.data.tiling import Tiling
from pipelines.deploy.predict.model import Model, load_model
from pipelines.evaluation.coco import FIGURES
from pipelines.own_data.inspection.wording import listed, shown
from pipelines.own_data.recognition import Recognising, trained_on
from pipelines.own_data.run_page.curves import score_told
from pipelines.own_data.run_page.page import Subject, build_page
from pipelines.own_data.run_page.photographs import draw_photographs
from pipelines.own_data.run_page.scored import Scored
from pipelines.own_data.run_page.write import METRICS, PAGE, tiling_notes, write_metrics
from pipelines.runs.folder import RunFolder
from pipelines.system.bars import progress_bar
from pipelines.system.errors import UserError, note
from pipelines.system.files import replaced_folder
from pipelines.system.paths import RESULTS
from pipelines.training.tensorflow import tensorflow_errors

DEFAULT_SPLIT = "test"
"""A folder without one has its val under this name, or a fifth of its photographs."""
ALL = "all"

Detections = list[dict[str, Any]]
"""COCO results."""


@tensorflow_errors()
def validate(
    path: Path,
    dataset: str,
    wanted: str | None = None,
    out: Path | None = None,
    tiling: Tiling | None = None,
    *,
    whole: bool = False,
    skip_broken_images: bool = False,
) -> None:
    """Measure a model on a split, print its figures, and write them and the page.

    Args:
        path: folder of a trained run, or an exported file.
        dataset: a data set's name, or the folder of one of one's own.
        wanted: a split of it, or `all`; DEFAULT_SPLIT when None.
        out: what to write; `results/val/MODEL-DATASET-SPLIT` when None.
        tiling: how to cut photographs; as the model was trained unless given.
        whole: squeeze photographs to the input, whatever the model was trained on.
        skip_broken_images: leave out photographs that cannot be read; all are decoded to know.

    Raises:
        UserError: there is no such model, data set or split, they have no class in common, or the
            model does not fit the tiles.
    """
    name = wanted or DEFAULT_SPLIT
    folder = out or default_folder(path, dataset, name)
    _refuse_foreign_folder(folder)
    trained = load_model(path)
    model = trained.cutting(tiling, whole=whole)
    run = RunFolder(path) if path.is_dir() else None
    said: list[str] = []
    fold = fold_of(run, dataset)
    tolerance = replace(TOLERANT, skip_broken_images=skip_broken_images)
    opened = DatasetSpec(dataset, fold=fold, tolerance=tolerance)
    photographs = choose_split(open_dataset(opened, report=_telling(said)), name, dataset)
    source = Recognising(photographs, trained_on(trained, run), trained)
    split = source.split
    notes = [
        *tiling_notes(model.tiling),
        *class_notes(model.categories, split, str(path)),
    ]
    if fold is not Fold.PUBLISHED:
        notes.append(f"measured on fold {fold}, which this run was not trained on")
    for line in notes:
        note(line)
    scored = Scored(split, find_all(model, source), model.input_size, model.tiling)
    for line in source.notes():
        note(line)
        notes.append(line)
    subject = Subject(str(path), dataset, name, run, notes, said)
    print(f"{name} of {shown(dataset)}: {len(split.images)} photographs")
    print(figure_table(scored).to_markdown(index=False, tablefmt="simple", disable_numparse=True))
    with replaced_folder(folder) as fresh:
        write_metrics(fresh / METRICS, scored, subject)
        page = build_page(scored, subject, draw_photographs(scored, source))
        (fresh / PAGE).write_bytes(page.encode())
    print(folder / PAGE)


def find_all(model: Model, source: ImageSource) -> Detections:
    """What the model finds in every photograph, of the classes that the data set has.

    Args:
        model: its classes mean those of the data set that have their names.
        source: the photographs.

    Returns:
        COCO results, with the data set's ids, in the photographs' own pixels.
    """
    own = {category.name: category.id for category in source.split.categories}
    return [
        {
            "image_id": record.id,
            "category_id": own[found.category.name],
            "bbox": [round(side, 2) for side in found.box],
            "score": round(found.score, 6),
        }
        for index, record in enumerate(
            progress_bar(source.split.images, desc="val", unit="photograph")
        )
        for found in model.detect(source.image(index), 0)
        if found.category.name in own
    ]


def default_folder(model: Path, dataset: str, split: str) -> Path:
    """`results/val/MODEL-DATASET-SPLIT`, in letters that any file system takes."""
    names = (model.resolve().name.removesuffix(".onnx"), Path(dataset).expanduser().name, split)
    return RESULTS / "val" / "-".join(re.sub(r"[^\w.-]+", "_", name) for name in names)


def class_notes(known: Sequence[Category], split: CocoSplit, model: str) -> list[str]:
    """What is said of classes that the model and the data set do not share by name.

    Raises:
        UserError: they share none.
    """
    ours, theirs = [c.name for c in known], [c.name for c in split.categories]
    if not set(ours) & set(theirs):
        raise UserError(
            f"{model} knows {listed(ours)} and the data set has {listed(theirs)}: no class in "
            "common; give the data set's classes the model's names"
        )
    counts = {
        c.name: sum(a.category_id == c.id for a in split.annotations) for c in split.categories
    }
    unknown = [f"{name} ({counts[name]} objects)" for name in theirs if name not in ours]
    unasked = [name for name in ours if name not in theirs]
    notes = []
    if unknown:
        notes.append(f"the model does not know {listed(unknown)}: they count as missed, with AP 0")
    if unasked:
        notes.append(f"the data set has no {listed(unasked)}: detections of it are left out")
    return notes


def figure_table(scored: Scored) -> pd.DataFrame:
    """COCO's figures of all classes together and of each, with its recommended score."""
    together: Mapping[str, float] = scored.score.figures
    rows = [("all", sum(own.objects for own in scored.classes), together, "")]
    rows += [
        (shown(own.name), own.objects, own.figures, score_told(own.curve.threshold))
        for own in scored.classes
    ]
    return pd.DataFrame(
        {"class": name, "objects": f"{objects}", **_told(figures), "score from": score}
        for name, objects, figures, score in rows
    )


def _told(figures: Mapping[str, float]) -> dict[str, str]:
    return {n: "–" if math.isnan(figures[n]) else f"{figures[n]:.1f}" for n in FIGURES}


def _telling(said: list[str]) -> Callable[[str], None]:
    """Says a line, and keeps it."""

    def report(line: str) -> None:
        note(line)
        said.append(line)

    return report


def fold_of(run: RunFolder | None, dataset: str) -> Fold:
    """The fold that a run leaves out of its own data set; the published split of any other."""
    spec = run.record().spec if run else None
    return spec.fold if spec and spec.dataset == dataset else Fold.PUBLISHED


def choose_split(sources: Mapping[str, ImageSource], name: str, dataset: str) -> ImageSource:
    """A split by its name, or all photographs of a folder.

    Raises:
        UserError: there is no such split.
    """
    if name in sources:
        return sources[name]
    parts = [source for source in sources.values() if isinstance(source, FolderSource)]
    if name == ALL and len(parts) == len(sources):
        return joined(parts)
    there = [*sources, *([ALL] if len(parts) == len(sources) else [])]
    raise UserError(f"{dataset}: has no split {name!r}; --split may be {', '.join(there)}")


def _refuse_foreign_folder(folder: Path) -> None:
    """Replacing removes the folder, so that it must hold nothing but an earlier result."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; give a folder for the figures and the page")
    present = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if foreign := sorted(present - {METRICS, PAGE}):
        raise UserError(
            f"{folder}: holds {foreign[0]!r}, which val did not write; give a new or empty folder"
        )
