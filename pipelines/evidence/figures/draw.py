"""The papers' figures of a study: plots, which numbers give, and pictures, which show images."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines.data.prepared import load_prepared
from pipelines.data.preparing import ensure_prepared
from pipelines.detectors.ssd import ssd_config
from pipelines.evidence.figures import (
    attachment,
    class_counts,
    found_boxes,
    learned_weights,
    object_sizes,
    samplers,
    speed_accuracy,
)
from pipelines.evidence.figures.pictures import PICTURES, Pictured
from pipelines.evidence.figures.style import save, styled
from pipelines.evidence.paper_tables import Drawing, PaperFigure, Table
from pipelines.evidence.papers import Papers, read_papers
from pipelines.evidence.study import Study
from pipelines.runs.parameters import profile_settings, read_parameters
from pipelines.runs.spec import RunSpec
from pipelines.system.files import replaced_folder
from pipelines.system.paths import RESULTS


@dataclass(frozen=True)
class Plotted:
    """What plots show."""

    spec: RunSpec
    """The profile's settings."""
    sizes: NDArray[np.int64]
    """`object_sizes.size_counts` of the training split."""
    manifest: Mapping[str, Any]
    """That of the prepared data set."""
    papers: Papers
    study: Study | None
    """None where nothing is trained."""

    @property
    def dataset(self) -> str:
        return Path(self.spec.dataset).name


def draw_figures(
    profile: str, parameters: dict[str, Any], papers: Papers, results: Path
) -> list[Path]:
    """Draw the figures of a profile; the files written.

    Args:
        profile: its name.
        parameters: params.yaml.
        papers: whose figures they are.
        results: the profile's folder of results, with its finished runs.
    """
    settings = {"profile": profile, **profile_settings(parameters, profile)}
    spec = RunSpec.parse(settings, f"profile {profile}")
    prepared = ensure_prepared(spec.preparation)
    own = Study.open(profile, results) if (results / "ledger.csv").exists() else None
    sizes = object_sizes.size_counts(load_prepared(prepared, "train").coco)
    manifest = json.loads((prepared / "manifest.json").read_text())
    with styled():
        plots = draw_plots(Plotted(spec, sizes, manifest, papers, own))
        shown = Pictured(profile, spec, parameters, papers, results, prepared, own is not None)
        pictures = draw_pictures(shown)
        beside = found_boxes.picture_folder(spec.dataset) == "figures"
        with replaced_folder(results / "figures") as folder:
            write_plots(folder, plots, sizes, papers)
            if beside:
                _write_pictures(folder, pictures)
        if not beside:
            with replaced_folder(results / "gallery") as folder:
                _write_pictures(folder, pictures)
    places = ["figures"] if beside else ["figures", "gallery"]
    return [path for place in places for path in sorted((results / place).iterdir())]


def draw_plots(shown: Plotted) -> dict[str, Figure]:
    """File to plot, for every figure that follows from numbers which are there."""
    return {
        figure.file: drawn
        for paper in shown.papers
        for figure in paper.figures.values()
        if figure.builder in PLOTS
        and (drawn := PLOTS[figure.builder](figure, _rows(paper.tables, figure), shown))
    }


def draw_pictures(shown: Pictured) -> dict[str, Figure]:
    """File to picture, for every figure that shows images."""
    return {
        figure.file: drawn
        for paper in shown.papers
        for figure in paper.figures.values()
        if figure.builder in PICTURES and (drawn := PICTURES[figure.builder](figure, shown))
    }


def write_plots(
    folder: Path, plots: Mapping[str, Figure], sizes: NDArray[np.int64], papers: Papers
) -> None:
    """The plots as PNG and SVG, and the sizes of the objects, which no run holds, as CSV."""
    for name, figure in plots.items():
        save(figure, folder, name, "png", "svg")
    if file := sizes_file(papers):
        object_sizes.write_counts(folder / file, sizes)


def sizes_file(papers: Papers) -> str | None:
    """The file beside the figures with the objects' sizes; None where no figure shows them."""
    files = _files(papers, {Drawing.OBJECT_SIZES})
    return f"{files[0]}.csv" if files else None


def picture_files(papers: Papers) -> list[str]:
    """Files of the figures that show images, which committed numbers do not give."""
    return [f"{name}.png" for name in _files(papers, PICTURES.keys())]


def _files(papers: Papers, builders: Collection[Drawing]) -> list[str]:
    return [f.file for paper in papers for f in paper.figures.values() if f.builder in builders]


def _rows(tables: Mapping[str, Table], figure: PaperFigure) -> dict[str, str]:
    """Label to row of params.yaml of the table that a figure shows."""
    return tables[figure.of].trained if figure.of else {}


Rows = Mapping[str, str]


def _object_sizes(figure: PaperFigure, rows: Rows, shown: Plotted) -> Figure:
    return object_sizes.draw(shown.sizes, shown.dataset, figure, shown.spec.anchors)


def _attachment(figure: PaperFigure, rows: Rows, shown: Plotted) -> Figure:
    classes = class_counts.boxes_by_class(shown.manifest)
    return attachment.draw(ssd_config(shown.spec, len(classes)))


def _class_counts(figure: PaperFigure, rows: Rows, shown: Plotted) -> Figure:
    return class_counts.draw(class_counts.boxes_by_class(shown.manifest), shown.dataset, figure)


def _convergence(figure: PaperFigure, rows: Rows, shown: Plotted) -> Figure | None:
    return samplers.draw_convergence(shown.study, rows) if shown.study else None


def _balance(figure: PaperFigure, rows: Rows, shown: Plotted) -> Figure | None:
    return samplers.draw_balance(shown.study, rows) if shown.study else None


def _speed_accuracy(figure: PaperFigure, rows: Rows, shown: Plotted) -> Figure | None:
    study = shown.study
    if study is None or not (study.folder / "speed.csv").exists():
        return None
    timed = pd.read_csv(study.folder / "speed.csv")
    points = speed_accuracy.trade_off(shown.papers.compared, study, timed)
    return speed_accuracy.draw(points, shown.dataset) if points else None


def _learned_weights(figure: PaperFigure, rows: Rows, shown: Plotted) -> Figure | None:
    if shown.study is None:
        return None
    run = shown.study.run(figure.run)
    classes = learned_weights.by_class(run.record()) if run.finished else []
    return learned_weights.draw(classes) if classes else None


PLOTS: Mapping[Drawing, Callable[[PaperFigure, Rows, Plotted], Figure | None]] = {
    Drawing.OBJECT_SIZES: _object_sizes,
    Drawing.ATTACHMENT: _attachment,
    Drawing.CLASS_COUNTS: _class_counts,
    Drawing.CONVERGENCE: _convergence,
    Drawing.BALANCE: _balance,
    Drawing.SPEED_ACCURACY: _speed_accuracy,
    Drawing.LEARNED_WEIGHTS: _learned_weights,
}


def _write_pictures(folder: Path, pictures: Mapping[str, Figure]) -> None:
    for name, figure in pictures.items():
        save(figure, folder, name, "png")


def make_figures(profile: str) -> list[Path]:
    """All figures of a profile's study; the files that are made.

    Raises:
        UserError: there is no such profile, or its data cannot be had.
    """
    return draw_figures(profile, read_parameters(), read_papers(), RESULTS / profile)
