"""The paper's Figures 1-4 of a profile: `python -m pipelines.figures PROFILE`.

1: sizes of the objects and of the anchors, beside TomatOD's. 2: where the heads attach, and what
they see there. 3: what the detectors find, beside the truth. 4: boxes of each class, beside
TomatOD's. Two more, convergence and balance, show how training goes by sampler. They go to
results/PROFILE/figures/, as PNG and SVG; but Figure 3, which shows the images, goes to
results/PROFILE/gallery/ where these are not drawn here (git ignores that folder).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure

from pipelines.data.folder_swap import replaced_folder
from pipelines.data.prepared import load_prepared
from pipelines.detectors import ssd_config
from pipelines.errors import UserError, note, run_cli
from pipelines.figures import figure1, figure2, figure3, figure4, samplers
from pipelines.figures.style import save, styled
from pipelines.plan import RESULTS, profile_settings, read_parameters, study
from pipelines.prepare import ensure_prepared
from pipelines.queries import Study
from pipelines.runtime import REPOSITORY
from pipelines.spec import RunSpec


def draw_figures(
    profile: str, parameters: dict[str, Any], paper: Mapping[str, Any], results: Path
) -> list[Path]:
    """Draw the figures of a profile; the files written.

    Args:
        profile: its name.
        parameters: params.yaml.
        paper: the part of papers.yaml on the scale-aware SSD.
        results: the profile's folder of results, with its finished runs.
    """
    settings = {"profile": profile, **profile_settings(parameters, profile)}
    spec = RunSpec.parse(settings, f"profile {profile}")
    prepared = ensure_prepared(spec.dataset, spec.input_size)
    train = load_prepared(prepared, "train").coco
    dataset = Path(spec.dataset).name
    counts = figure1.size_counts(train)
    config = ssd_config(spec, len(train.categories))
    with styled():
        drawn = {
            "figures": {
                "figure1": figure1.draw(counts, dataset, paper["figure1"], spec.anchors),
                "figure2": figure2.draw(config),
                "figure4": figure4.draw(_boxes_by_class(prepared), dataset, paper["figure4"]),
            }
        }
        if (results / "ledger.csv").exists():
            own = Study.open(profile, results)
            drawn["figures"]["convergence"] = samplers.draw_convergence(own)
            drawn["figures"]["balance"] = samplers.draw_balance(own)
        runs = _chosen_runs(profile, parameters, paper, spec.dataset, results / "runs")
        if runs:
            test = load_prepared(prepared, "test")
            columns = [
                figure3.detections(results / "runs" / run, title, prepared)
                for title, run in runs.items()
            ]
            place = figure3.picture_folder(spec.dataset)
            drawn.setdefault(place, {})["figure3"] = figure3.draw(
                test, figure3.ground_truth(test), columns
            )
        else:
            note(f"figure 3 is left out: no finished run on {dataset}; run `dvc repro` first")
        return [path for place in drawn for path in _write(results / place, drawn[place])]


def _boxes_by_class(prepared: Path) -> dict[str, int]:
    """Boxes of each class in all splits together."""
    manifest = json.loads((prepared / "manifest.json").read_text())
    boxes: Counter[str] = Counter()
    for split in manifest["splits"].values():
        boxes.update(split["boxes_per_class"])
    return dict(boxes)


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


def _write(folder: Path, figures: Mapping[str, Figure]) -> list[Path]:
    with replaced_folder(folder) as partial:
        for name, figure in figures.items():
            save(figure, partial, name, *(("png",) if name == "figure3" else ("png", "svg")))
    return sorted(folder.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Figure 3 shows those rows of Table 3 that are trained, or the study's first runs.\n"
        "To choose others, give the profile in params.yaml a list, such as\n"
        "  figure3: [sampler-basic, sampler-dns]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("profile", help="a profile of params.yaml, such as quick")
    profile = parser.parse_args().profile
    paper = yaml.safe_load((REPOSITORY / "papers.yaml").read_text())["scale_aware_ssd"]
    for path in draw_figures(profile, read_parameters(), paper, RESULTS / profile):
        print(path.relative_to(REPOSITORY))


if __name__ == "__main__":
    run_cli(main)
