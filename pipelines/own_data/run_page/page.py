"""The page of one model on one split, in one file that fetches nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jinja2 import Environment

from pipelines.evaluation.bootstrap import resample_run
from pipelines.evaluation.coco import FIGURES
from pipelines.evaluation.intervals import Interval, mean_interval
from pipelines.evidence.report.runs import describe_seconds
from pipelines.evidence.report.templating import page_environment
from pipelines.own_data.inspection.wording import percent, shown
from pipelines.own_data.run_page import health
from pipelines.own_data.run_page.commands import export_command, predict_command, training_command
from pipelines.own_data.run_page.curves import score_told
from pipelines.own_data.run_page.errors import ErrorKind, ErrorType, error_types
from pipelines.own_data.run_page.photographs import Photographs
from pipelines.own_data.run_page.plots import (
    calibration_panel,
    ladder_panel,
    score_curves,
    size_panel,
    training_panels,
)
from pipelines.own_data.run_page.scored import Scored
from pipelines.runs.folder import RunFolder
from pipelines.runs.record import Record
from pipelines.training.health.record import read as read_health

MOST_IN_MATRIX = 12
"""Classes of a confusion matrix that can still be read; of more the commonest are shown."""
MOST_CONFUSED = 8
"""Pairs of classes that are named."""
FEWEST_PHOTOGRAPHS = 20
"""With objects; below, redrawing them says nothing of how sure AP is."""

MENDING = {
    ErrorKind.CLASS: "the place is right, the class is not: look at the labels of the classes that "
    "the matrix shows as confused, annotate more of the rarer one, set class_weights",
    ErrorKind.LOCATION: "the object is seen, its box lies badly: anchors nearer to the objects' "
    "sizes and shapes (adapt), a larger input, tighter annotation",
    ErrorKind.BOTH: "wrong in class and place: what mends either mends some of these",
    ErrorKind.DUPLICATE: "one object found twice: boxes that overlap in the annotation, or objects "
    "closer together than suppression allows",
    ErrorKind.BACKGROUND: "something that is no annotated object: look at the worst photographs, "
    "where it is often one that was forgotten; add photographs without objects",
    ErrorKind.MISSED: "not seen at all: see recall by size; a larger input, anchors for that size, "
    "more photographs like these",
}
"""What to do about each error."""


@dataclass(frozen=True)
class Subject:
    """Whose page it is."""

    model: str
    """The run folder or file, as it was named."""
    dataset: str
    split: str
    run: RunFolder | None
    """None of an exported file."""
    notes: Sequence[str] = ()
    """What is unusual about the comparison."""
    said: Sequence[str] = ()
    """How the data set was read."""


@dataclass(frozen=True)
class Loss:
    """One of TIDE's errors, as the page tells it."""

    error: ErrorType
    in_use: int
    """How often it occurs at the recommended scores."""
    share: float
    """Of the largest loss, 0 to 1."""
    mending: str


@dataclass(frozen=True)
class Confused:
    """Objects of one class that are taken for another."""

    truth: str
    taken_for: str
    count: int
    share: float
    """Of the objects of that class."""


def build_page(scored: Scored, subject: Subject, photographs: Photographs | None) -> str:
    """The page as HTML.

    Args:
        scored: the detections and what follows from them.
        subject: whose they are.
        photographs: the best and the worst; None where they are not at hand.
    """
    record = subject.run.record() if subject.run else None
    used = scored.in_use
    return (
        _environment()
        .get_template("run.html")
        .render(
            subject=subject,
            scored=scored,
            figures=scored.score.figures,
            order=FIGURES,
            intervals=intervals(scored),
            hits=sum(int(image.true.sum()) for image in used),
            wrong=sum(int(image.false.sum()) for image in used),
            objects=sum(len(image.objects) for image in used),
            curves=score_curves(scored.classes),
            shown_classes=_commonest(scored),
            confused=confused(scored),
            ladder=ladder_panel(scored.ladder),
            losses=_losses(scored),
            calibration_plot=calibration_panel(scored.calibration),
            sizes=size_panel(scored.sizes),
            photographs=photographs,
            record=record,
            health=health.view(read_health(record.health)) if record and record.health else None,
            training=training_panels(subject.run.history()) if subject.run else [],
            made=training_command(record.spec) if record else None,
            next_command=_next_command(subject, record, scored),
            not_exported=record.spec.entry.not_exported if record else None,
        )
    )


def intervals(scored: Scored) -> dict[str, Interval]:
    """Of AP and AP50 under redrawn photographs, 95 %; none of too few photographs."""
    if sum(bool(len(image.objects)) for image in scored.images) < FEWEST_PHOTOGRAPHS:
        return {}
    samples = {0: resample_run(scored.records)}
    found = {name: mean_interval(samples, name) for name in ("AP", "AP50")}
    return {name: interval for name, interval in found.items() if interval}


def confused(scored: Scored) -> list[Confused]:
    """The most frequent confusions of two classes."""
    names = [shown(category.name) for category in scored.split.categories]
    totals = scored.confusion[:-1].sum(axis=1)
    between = scored.confusion[:-1, :-1].copy()
    np.fill_diagonal(between, 0)
    order = np.argsort(-between, axis=None, kind="stable")[:MOST_CONFUSED]
    pairs = np.stack(np.unravel_index(order, between.shape), axis=1).tolist()
    return [
        Confused(names[i], names[j], int(between[i, j]), between[i, j] / totals[i])
        for i, j in pairs
        if between[i, j]
    ]


def _losses(scored: Scored) -> list[Loss]:
    """The largest first."""
    used = error_types(scored.in_use, len(scored.split.categories))
    largest = max(error.cost for error in scored.errors)
    return [
        Loss(own, kept.count, max(own.cost / largest, 0) if largest > 0 else 0, MENDING[own.kind])
        for own, kept in sorted(zip(scored.errors, used, strict=True), key=lambda e: -e[0].cost)
    ]


def _commonest(scored: Scored) -> list[int]:
    """Labels of the classes of the matrix, in the data set's order, and background's place."""
    totals = scored.confusion.sum(axis=1) + scored.confusion.sum(axis=0)
    order = np.argsort(-totals[:-1], kind="stable")[:MOST_IN_MATRIX]
    return [*sorted(int(k) for k in order), len(totals) - 1]


def _next_command(subject: Subject, record: Record | None, scored: Scored) -> str:
    """Export after a run that can be exported, else prediction."""
    if record and not record.spec.entry.not_exported:
        return export_command(subject.model)
    known = scored.thresholds[np.isfinite(scored.thresholds)]
    return predict_command(subject.model, float(known.min()) if len(known) else 0.3)


def _environment() -> Environment:
    """With the report's base and style sheet, and the inspection's, at hand."""
    environment = page_environment("pipelines.own_data.run_page", "pipelines.own_data.inspection")
    environment.filters["percent"] = percent
    environment.filters["duration"] = describe_seconds
    environment.filters["shown"] = shown
    environment.filters["score"] = score_told
    environment.filters["figure"] = lambda value, digits=1: (
        f"{value:.{digits}f}" if math.isfinite(value) else "–"
    )
    return environment
