"""The papers' figures that show images: detections, overlaps, ambiguous anchors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pipelines.data.prepared import load_prepared
from pipelines.evidence.figures import ambiguous_anchors, found_boxes, overlap
from pipelines.evidence.paper_tables import Drawing, PaperFigure
from pipelines.evidence.papers import Papers
from pipelines.runs.parameters import declared_runs
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note


@dataclass(frozen=True)
class Pictured:
    """What pictures show."""

    profile: str
    spec: RunSpec
    """The profile's settings as a specification."""
    parameters: Mapping[str, Any]
    """params.yaml."""
    papers: Papers
    results: Path
    """The profile's."""
    prepared: Path
    """The folder of its data."""
    trained: bool
    """Whether the profile has a ledger."""


def _detections(figure: PaperFigure, shown: Pictured) -> Figure | None:
    """What the detectors find, beside the truth; nothing where no run is finished."""
    runs = _chosen_runs(shown)
    if not runs:
        where = f"no finished run on {shown.spec.dataset}"
        note(f"{figure.title} is left out: {where}; run `dvc repro` first")
        return None
    test = load_prepared(shown.prepared, "test")
    if test.photographs:
        note(f"{figure.title} is left out: photographs that were cut into tiles are not at hand")
        return None
    columns = [
        found_boxes.detections(shown.results / "runs" / run, title, shown.prepared)
        for title, run in runs.items()
    ]
    return found_boxes.draw(test, found_boxes.ground_truth(test), columns)


def _chosen_runs(shown: Pictured) -> dict[str, str]:
    """Column title to run: the rows that the profile names as `shown`, else those compared."""
    profile = shown.parameters["profiles"][shown.profile]
    titles = {row: label for label, row in shown.papers.compared.items()}
    rows = profile.get("shown") or list(titles)
    if unknown := [row for row in rows if row not in shown.parameters["rows"]]:
        where = f"params.yaml: profile {shown.profile}: shown"
        raise UserError(f"{where}: there is no row {unknown[0]!r}")
    wanted = {titles.get(row, row): row for row in rows}
    declared = declared_runs(shown.parameters, shown.profile).items()
    names = [name for name, spec in declared if spec.preparation == shown.spec.preparation]
    return found_boxes.choose_runs(wanted, names, shown.results / "runs")


def _overlap(figure: PaperFigure, shown: Pictured) -> Figure | None:
    if not shown.trained:
        return None
    scene = overlap.find_scene(*(load_prepared(shown.prepared, s) for s in ("train", "test")))
    return overlap.draw(scene) if scene else None


def _ambiguous_anchors(figure: PaperFigure, shown: Pictured) -> Figure | None:
    if not shown.trained:
        return None
    test = load_prepared(shown.prepared, "test")
    scene = ambiguous_anchors.find_scene(test, shown.results / "trained" / figure.run)
    return ambiguous_anchors.draw(scene) if scene else None


PICTURES: Mapping[Drawing, Callable[[PaperFigure, Pictured], Figure | None]] = {
    Drawing.DETECTIONS: _detections,
    Drawing.OVERLAP: _overlap,
    Drawing.AMBIGUOUS_ANCHORS: _ambiguous_anchors,
}
