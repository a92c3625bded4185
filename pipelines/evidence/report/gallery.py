"""The gallery: some test images, and what each detector finds on them, one detector at a time."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.data.prepared import MANIFEST, load_prepared
from pipelines.data.preparing import ensure_prepared
from pipelines.data.records import Box, CocoSplit
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.sources import ImageSource
from pipelines.evidence.figures.found_boxes import best_score_threshold
from pipelines.evidence.figures.style import GREEN, ORANGE, PINK, SKY, VERMILLION, YELLOW
from pipelines.evidence.report.embed import pixels_uri
from pipelines.evidence.study import Study
from pipelines.runs.folder import RunFolder
from pipelines.system.errors import UserError

IMAGES = 8
LONGEST = 720
"""Pixels of an image's longer side on the page."""
COLOURS = (SKY, YELLOW, PINK, ORANGE, GREEN, VERMILLION)
"""Of the classes; they begin anew after the last."""


@dataclass(frozen=True)
class Mark:
    """A box on an image, `xywh` in its pixels."""

    box: Box
    colour: str
    words: str
    """Its class and score."""
    true: bool = True
    """Whether it overlaps an object of its class by half or more that no better box has taken."""


@dataclass(frozen=True)
class Layer:
    """What one source of boxes says about one image."""

    marks: Sequence[Mark]
    summary: str


@dataclass(frozen=True)
class Source:
    """The objects themselves, or a detector."""

    title: str
    run: str | None = None
    threshold: float = 0
    """Score from which on its detections are shown."""


@dataclass(frozen=True)
class Shot:
    """A test image and all that is known of it."""

    picture: str
    """Data URI."""
    width: int
    height: int
    objects: int
    layers: Sequence[Layer]
    """One a source, the objects themselves first."""


@dataclass(frozen=True)
class Gallery:
    """Some images, sources of boxes, and what stands for which class."""

    sources: Sequence[Source]
    shots: Sequence[Shot]
    classes: Mapping[str, str]
    """Name to colour."""
    first: int
    """Source that is shown first: the detector with the best AP50."""


def study_gallery(study: Study, chosen: Mapping[str, str]) -> Gallery:
    """The gallery of a study's own data set, which is prepared and opened for it.

    Args:
        study: the study.
        chosen: detector's label to run.

    Raises:
        UserError: the data set is not found, or is not what the runs were scored on.
    """
    spec = study.spec
    prepared = ensure_prepared(spec.preparation)
    return build_gallery(
        study, chosen, prepared, open_dataset(DatasetSpec(spec.dataset, fold=spec.fold))["test"]
    )


def build_gallery(
    study: Study, chosen: Mapping[str, str], prepared: Path, source: ImageSource
) -> Gallery:
    """The gallery from a prepared data set and where the images of its test split come from."""
    split = load_prepared(prepared, "test").scored
    if source.split != split:
        raise UserError(f"{prepared.name}: is not what its source holds now; remove the folder")
    colours = {c.name: COLOURS[i % len(COLOURS)] for i, c in enumerate(split.categories)}
    layers = [_truth(split, colours)]
    sources = [Source("ground truth")]
    for label, run in chosen.items():
        _check_images(study.folder / "runs" / run, prepared)
        threshold = best_score_threshold(study.matches(run))
        sources.append(Source(label, run, threshold))
        layers.append(_found(study, run, threshold, split, colours))
    shots = []
    for index in choose_images(split):
        image = split.images[index]
        own = [layer[image.id] for layer in layers]
        picture = pixels_uri(source.image(index), LONGEST)
        shots.append(Shot(picture, image.width, image.height, len(own[0].marks), own))
    scores = study.ledger.set_index("run")["AP50"]
    best = max(chosen, key=lambda label: scores[chosen[label]])
    return Gallery(sources, shots, colours, 1 + list(chosen).index(best))


def choose_images(split: CocoSplit, count: int = IMAGES) -> list[int]:
    """Positions of images from the one with the fewest objects to the one with the most.

    Chosen by rank at even steps, by nobody's taste.
    """
    objects = [sum(not a.iscrowd for a in own) for own in split.annotations_by_image()]
    order = np.argsort(objects, kind="stable")
    ranks = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return [int(index) for index in order[ranks]]


def _check_images(run: Path, prepared: Path) -> None:
    scored = RunFolder(run).record().splits["test"]
    shown = json.loads((prepared / MANIFEST).read_text())["splits"]["test"]
    if scored["annotations_sha256"] != shown["annotations_sha256"]:
        raise UserError(
            f"gallery: {run.name} was scored on other test images than {prepared.name} holds; "
            "run `dvc repro`"
        )


def _truth(split: CocoSplit, colours: Mapping[str, str]) -> dict[int, Layer]:
    names = {category.id: category.name for category in split.categories}
    layers = {}
    for image, objects in zip(split.images, split.annotations_by_image(), strict=True):
        marks = [
            Mark(a.bbox, colours[names[a.category_id]], names[a.category_id])
            for a in objects
            if not a.iscrowd
        ]
        layers[image.id] = Layer(marks, _count(len(marks), "object"))
    return layers


def _found(
    study: Study, run: str, threshold: float, split: CocoSplit, colours: Mapping[str, str]
) -> dict[int, Layer]:
    """A run's detections by image, each with what scoring made of it."""
    names = {category.id: category.name for category in split.categories}
    matches = study.matches(run)
    objects = matches[matches["score"].isna()].groupby("image")["objects_all"].sum()
    outcomes = _outcomes(matches)
    marks: defaultdict[int, list[Mark]] = defaultdict(list)
    for found in sorted(study.run(run).detections(), key=lambda one: -one["score"]):
        image, name = found["image_id"], names[found["category_id"]]
        true = next(outcomes.get((image, name), iter(())), False)
        if found["score"] >= threshold:
            words = f"{name}, {found['score']:.2f}{'' if true else ', false'}"
            marks[image].append(Mark(tuple(found["bbox"]), colours[name], words, true))
    return {
        image.id: _layer(marks[image.id], int(objects.get(image.id, 0))) for image in split.images
    }


def _outcomes(matches: pd.DataFrame) -> dict[Any, Any]:
    """Whether each detection is true at an overlap of 0.50, by image and class, best first."""
    found = matches[matches["score"].notna()]
    true = (found["true_all"].astype(int) & 1).astype(bool)
    return {
        place: iter(own.tolist())
        for place, own in true.groupby([found["image"], found["class"]], sort=False)
    }


def _layer(marks: Sequence[Mark], objects: int) -> Layer:
    true = sum(mark.true for mark in marks)
    return Layer(marks, f"{true} of {_count(objects, 'object')} found, {len(marks) - true} false")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
