"""Both papers' figures of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines.data.prepared import load_prepared
from pipelines.data.preparing import ensure_prepared
from pipelines.detectors.registry import ssd_config
from pipelines.evidence.conditions import Paper
from pipelines.evidence.figures import (
    figure1,
    figure2,
    figure3,
    figure4,
    lapnet_figure1,
    lapnet_figure3,
    lapnet_figure5,
    lapnet_figure6,
    samplers,
)
from pipelines.evidence.figures.style import save, styled
from pipelines.evidence.study import Study
from pipelines.runs.parameters import profile_settings, read_parameters, study
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note
from pipelines.system.files import replaced_folder
from pipelines.system.paths import PAPERS, RESULTS

LAPNET = "lapnet-s0"
"""The run that LapNet's Figures 5 and 6 show."""
SIZES = "figure1.csv"
"""Beside the figures: the sizes that Figure 1 shows."""


def draw_figures(
    profile: str, parameters: dict[str, Any], papers: Mapping[str, Any], results: Path
) -> list[Path]:
    """Draw the figures of a profile; the files written.

    Args:
        profile: its name.
        parameters: params.yaml.
        papers: papers.yaml.
        results: the profile's folder of results, with its finished runs.
    """
    settings = {"profile": profile, **profile_settings(parameters, profile)}
    spec = RunSpec.parse(settings, f"profile {profile}")
    prepared = ensure_prepared(spec.dataset, spec.input_size, spec.fold)
    own = Study.open(profile, results) if (results / "ledger.csv").exists() else None
    sizes = figure1.size_counts(load_prepared(prepared, "train").coco)
    manifest = json.loads((prepared / "manifest.json").read_text())
    with styled():
        plots = plot_data(spec, sizes, manifest, papers[Paper.SSD])
        pictures = _show_boxes(profile, parameters, papers[Paper.SSD], results, prepared)
        if own:
            plots |= plot_runs(own, papers[Paper.SSD])
            pictures |= _show_anchors(results, prepared)
        beside = figure3.picture_folder(spec.dataset) == "figures"
        with replaced_folder(results / "figures") as folder:
            write_plots(folder, plots, sizes)
            if beside:
                _write_pictures(folder, pictures)
        if not beside:
            with replaced_folder(results / "gallery") as folder:
                _write_pictures(folder, pictures)
    places = ["figures"] if beside else ["figures", "gallery"]
    return [path for place in places for path in sorted((results / place).iterdir())]


def plot_data(
    spec: RunSpec, sizes: NDArray[np.int64], manifest: Mapping[str, Any], paper: Mapping[str, Any]
) -> dict[str, Figure]:
    """Figures 1, 2 and 4 of the SSD's paper, which need no run.

    Args:
        spec: the profile's settings.
        sizes: `figure1.size_counts` of the training split.
        manifest: that of the prepared data set.
        paper: the SSD paper's part of papers.yaml.
    """
    dataset = Path(spec.dataset).name
    boxes = figure4.boxes_by_class(manifest)
    return {
        "figure1": figure1.draw(sizes, dataset, paper["figure1"], spec.anchors),
        "figure2": figure2.draw(ssd_config(spec, len(boxes))),
        "figure4": figure4.draw(boxes, dataset, paper["figure4"]),
    }


def plot_runs(study: Study, paper: Mapping[str, Any]) -> dict[str, Figure]:
    """Convergence, balance, and Figures 1 and 6 of LapNet's paper, as far as they are measured."""
    drawn = {
        "convergence": samplers.draw_convergence(study),
        "balance": samplers.draw_balance(study),
    }
    rows = {label: row["row"] for label, row in paper["table3"]["rows"].items()}
    timed = study.folder / "speed.csv"
    if timed.exists() and (points := lapnet_figure1.trade_off(rows, study, pd.read_csv(timed))):
        dataset = Path(str(study.settings["dataset"])).name
        drawn["lapnet_figure1"] = lapnet_figure1.draw(points, dataset)
    record = study.folder / "runs" / LAPNET / "run.json"
    if record.exists() and (
        classes := lapnet_figure6.learned_weights(json.loads(record.read_text()))
    ):
        drawn["lapnet_figure6"] = lapnet_figure6.draw(classes)
    return drawn


def write_plots(folder: Path, plots: Mapping[str, Figure], sizes: NDArray[np.int64]) -> None:
    """The plots as PNG and SVG, and the sizes behind Figure 1, which no run holds, as CSV."""
    for name, figure in plots.items():
        save(figure, folder, name, "png", "svg")
    figure1.write_counts(folder / SIZES, sizes)


def _show_boxes(
    profile: str,
    parameters: dict[str, Any],
    paper: Mapping[str, Any],
    results: Path,
    prepared: Path,
) -> dict[str, Figure]:
    """Figure 3 of the SSD's paper; nothing where no run is finished."""
    dataset = profile_settings(parameters, profile)["dataset"]
    runs = _chosen_runs(profile, parameters, paper, dataset, results / "runs")
    if not runs:
        note(f"figure 3 is left out: no finished run on {dataset}; run `dvc repro` first")
        return {}
    test = load_prepared(prepared, "test")
    columns = [
        figure3.detections(results / "runs" / run, title, prepared) for title, run in runs.items()
    ]
    return {"figure3": figure3.draw(test, figure3.ground_truth(test), columns)}


def _show_anchors(results: Path, prepared: Path) -> dict[str, Figure]:
    """Figures 3 and 5 of LapNet's paper."""
    train, test = load_prepared(prepared, "train"), load_prepared(prepared, "test")
    drawn: dict[str, Figure] = {}
    if close := lapnet_figure3.find_scene(train, test):
        drawn["lapnet_figure3"] = lapnet_figure3.draw(close)
    if crowded := lapnet_figure5.find_scene(test, results / "trained" / LAPNET):
        drawn["lapnet_figure5"] = lapnet_figure5.draw(crowded)
    return drawn


def _chosen_runs(
    profile: str, parameters: dict[str, Any], paper: Mapping[str, Any], dataset: str, runs: Path
) -> dict[str, str]:
    """Column title to run: the rows that `figure3` of the profile names, else Table 3's."""
    titles = {row["row"]: label for label, row in paper["table3"]["rows"].items()}
    rows = parameters["profiles"][profile].get("figure3") or list(titles)
    if unknown := [row for row in rows if row not in parameters["rows"]]:
        raise UserError(f"params.yaml: profile {profile}: figure3: there is no row {unknown[0]!r}")
    wanted = {titles.get(row, row): row for row in rows}
    names = [n for n, spec in study(parameters, profile).items() if spec.dataset == dataset]
    return figure3.choose_runs(wanted, names, runs)


def _write_pictures(folder: Path, pictures: Mapping[str, Figure]) -> None:
    for name, figure in pictures.items():
        save(figure, folder, name, "png")


def make_figures(profile: str) -> list[Path]:
    """All figures of a profile's study; the files that are made.

    Raises:
        UserError: there is no such profile, or its data cannot be had.
    """
    papers = yaml.safe_load(PAPERS.read_text(encoding="utf-8"))
    return draw_figures(profile, read_parameters(), papers, RESULTS / profile)
