"""Fit the detector to a data set's objects: `python -m pipelines.adapt DATASET`.

Proposes the blocks that carry the heads, the anchors and the class weights, says why, and writes
what it looked at to `results/adapt/`. On the workbench, `attach: auto`, `anchors: auto` and
`class_weights: auto` take the proposal.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from method.adaptation import (
    LARGEST_WEIGHT,
    RECALL_GIVEN_UP,
    Candidate,
    best_overlaps,
    class_weights,
    rank_candidates,
)
from method.matching import Matching
from method.scale import A_SCORE_RANGE, REFERENCE_SIZE, equal_square_side, relative_sizes
from pipelines.data.folder_swap import replaced_folder
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.detectors import SSDS, ssd_config
from pipelines.errors import UserError, note, run_cli
from pipelines.plan import RESULTS, profile_settings, workbench_spec
from pipelines.prepare import ensure_prepared, prepared_folder
from pipelines.spec import RunSpec

SHOWN = 10
AUTO = "auto"
ADAPTED = ("attach", "anchors", "class_weights")
BLUE, ORANGE, GREEN = "#56b4e9", "#d55e00", "#009e73"


@dataclass(frozen=True)
class Proposal:
    """What fits a data set, and what was looked at to find it."""

    input_size: int
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    """Training objects of each class."""
    boxes: Tensor
    """N×4 training objects, `xyxy`, input pixels."""
    sizes: Tensor
    """N, sides of equal squares at 512×512."""
    class_weights: tuple[float, ...]
    candidates: tuple[Candidate, ...]
    """Best first."""

    @property
    def chosen(self) -> Candidate:
        return self.candidates[0]

    @property
    def reasons(self) -> list[str]:
        """Why, in sentences."""
        best, rule = self.chosen, Matching()
        relative = self._percentiles(100 / REFERENCE_SIZE)
        lines = [
            f"{len(self.sizes)} training objects; their relative sizes are {relative} % at "
            f"percentiles 5 / 50 / 95, or {self._percentiles(1)} px at "
            f"{REFERENCE_SIZE}x{REFERENCE_SIZE}",
            self._alignment(),
            f"the anchors reach {best.recall:.1%} of the objects at the matching threshold of "
            f"{rule.positive_iou:g} and {best.fallback_recall:.1%} at the fallback's "
            f"{rule.fallback_iou:g}; the best anchor's mean overlap is {best.mean_iou:.2f}",
        ]
        alike = [c for c in self.candidates if c.misfit <= best.misfit]
        widest = max(alike, key=lambda c: c.recall)
        if widest.recall - best.recall >= 0.01:
            lines.append(
                f"{_named(widest)} would reach {widest.recall:.1%}: up to {RECALL_GIVEN_UP:.0%} of "
                "the objects are given up for a coarser grid, A-scores nearer to the range or "
                "closer anchors"
            )
        if max(self.class_weights) == LARGEST_WEIGHT:
            lines.append(f"class weights are cut at {LARGEST_WEIGHT:g}")
        return lines

    def _percentiles(self, scale: float) -> str:
        """Sizes at percentiles 5 / 50 / 95, to two digits."""
        values = scale * np.percentile(self.sizes.numpy(), [5, 50, 95])
        return " / ".join(f"{value:.2g}" if value < 100 else f"{value:.0f}" for value in values)

    def _alignment(self) -> str:
        best, (low, high) = self.chosen, A_SCORE_RANGE
        sight = (
            f"{best.mean_score:.1f} times the anchors on average (wanted: {low}-{high}) and "
            f"{min(best.scores):.1f} times at the least (wanted: 1 or more)"
        )
        if best.fits:
            return f"{_named(best)} see {sight}"
        size = "larger" if best.mean_score > high else "smaller"
        return (
            f"nothing fits at input size {self.input_size}: the nearest, {_named(best)}, see "
            f"{sight}; take a {size} input size"
        )


def adapt(
    dataset: str,
    input_size: int,
    attach: tuple[int, int] | None = None,
    anchors: tuple[float, ...] | None = None,
) -> Proposal:
    """Search for what fits the training images of a data set.

    Args:
        dataset: a name or a folder, as in params.yaml.
        input_size: side of the network's input, pixels.
        attach: keep these blocks.
        anchors: keep these anchors.

    Raises:
        UserError: the data set is not found, broken or empty, or a value is none of the right ones.
    """
    RunSpec.parse({"dataset": dataset, "input_size": input_size}, "adapt")
    split = load_prepared(ensure_prepared(dataset, input_size), "train")
    boxes, sizes = _objects(split)
    labels = np.concatenate([split.labels(i) for i in range(len(split.images))])
    counts = tuple(int((labels == k).sum()) for k in range(1, len(split.class_names) + 1))
    try:
        ranked = rank_candidates(boxes, sizes, input_size, attach, anchors)
    except ValueError as error:
        raise UserError(f"{dataset}: {error}") from None
    return Proposal(
        input_size, split.class_names, counts, boxes, sizes, class_weights(counts), tuple(ranked)
    )


def fill_in(parameters: dict[str, Any]) -> dict[str, Any]:
    """The workbench's parameters with every `auto` replaced by what fits the data set.

    `attach`, `anchors` and `class_weights` may be `auto`, at the top or in the profile; the
    profile's is for this project's SSDs alone. Those that are given stay as they are, and blocks
    that are not given are the detector's own.
    """
    own = {key: parameters[key] for key in ADAPTED if parameters.get(key) is not None}
    parameters, of_profile = _without_auto(parameters)
    spec = workbench_spec(parameters)
    if spec.detector not in SSDS:
        of_profile = []
    wanted = [key for key in ADAPTED if own.get(key, AUTO if key in of_profile else None) == AUTO]
    if not wanted:
        return parameters
    attach = None if "attach" in wanted else ssd_config(spec, classes=1).attach
    anchors = None if "anchors" in wanted else spec.anchors
    proposal = adapt(spec.dataset, spec.input_size, attach, anchors)
    if not proposal.chosen.fits:
        note(proposal.reasons[1])
    found: dict[str, list[float]] = {
        "attach": list(proposal.chosen.attach),
        "anchors": list(proposal.chosen.anchors),
        "class_weights": list(proposal.class_weights),
    }
    for key in wanted:
        note(f"{key}: auto is {_joined(found[key])}")
    return {**parameters, **{key: found[key] for key in wanted}}


def _without_auto(parameters: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The parameters with null for each `auto`, and the names that are `auto` in the profile."""
    name = str(parameters.get("profile"))
    settings = profile_settings(parameters, name)
    plain = {key: value for key, value in settings.items() if value != AUTO}
    profile = {**parameters["profiles"][name], "settings": plain}
    top = {key: None for key in ADAPTED if parameters.get(key) == AUTO}
    return (
        {**parameters, **top, "profiles": {**parameters["profiles"], name: profile}},
        [key for key in settings if key not in plain],
    )


def _objects(split: PreparedSplit) -> tuple[Tensor, Tensor]:
    """Boxes in input pixels, and sizes from the boxes in the images' own pixels (§3.1)."""
    boxes, relative = [], []
    for i, record in enumerate(split.coco.images):
        own = torch.from_numpy(split.boxes(i))
        side = own.new_tensor([record.width, record.height])
        original = torch.from_numpy(split.to_image_frame(i, split.boxes(i)))
        boxes.append(own)
        relative.append(relative_sizes(original, side.expand(len(own), 2)))
    return torch.cat(boxes), equal_square_side(torch.cat(relative))


def candidate_table(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """The candidates as they are printed and written; the first is the chosen one."""
    return pd.DataFrame(
        {
            "blocks": f"{c.attach[0]}, {c.attach[1]}",
            "anchors": _joined(c.anchors),
            "stride": c.strides[0],
            "A-scores": " / ".join(f"{score:.1f}" for score in c.scores),
            "mean A-score": round(c.mean_score, 2),
            "recall, %": round(100 * c.recall, 1),
            "recall with fallback, %": round(100 * c.fallback_recall, 1),
            "mean overlap": round(c.mean_iou, 3),
            "chosen": "yes" if place == 0 else "",
        }
        for place, c in enumerate(candidates)
    )


def draw(proposal: Proposal) -> Figure:
    """Sizes with the anchors, overlaps with the best anchor, A-scores of the heads."""
    best, rule = proposal.chosen, Matching()
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    size_axes, overlap_axes, score_axes = figure.subplots(1, 3)
    size_axes.hist(proposal.sizes.numpy(), bins=40, color=BLUE)
    for side in best.anchors:
        size_axes.axvline(side, color=ORANGE, lw=1.5)
    size_axes.set(xlabel="side of the equal square at 512×512, px", ylabel="training objects",
                  title="Sizes, and the anchors (lines)")  # fmt: skip
    sides = [side * proposal.input_size / REFERENCE_SIZE for side in best.anchors]
    reached = best_overlaps(proposal.boxes, sides, best.strides, proposal.input_size)
    overlap_axes.hist(reached.numpy(), bins=40, range=(0, 1), color=BLUE)
    overlap_axes.axvline(rule.positive_iou, color=ORANGE, lw=1.5)
    overlap_axes.axvline(rule.fallback_iou, color=ORANGE, lw=1.5, ls="--")
    overlap_axes.set(
        xlabel="overlap with the best anchor", ylabel="training objects",
        title=f"Coverage: {best.recall:.1%} matched (line),\n"
              f"{best.fallback_recall:.1%} with the fallback (dashed)")  # fmt: skip
    heads = [f"{side:g} px" for side in best.anchors]
    score_axes.axhspan(*A_SCORE_RANGE, color=GREEN, alpha=0.2, label="wanted for the mean")
    score_axes.bar(heads, best.scores, color=BLUE, width=0.6)
    score_axes.axhline(best.mean_score, color=ORANGE, lw=1.5, label="mean")
    score_axes.set(xlabel="anchor of the head", ylabel="receptive field / anchor",
                   title=f"A-scores, blocks {best.attach[0]} and {best.attach[1]}",
                   ylim=(0, 1.3 * max(*best.scores, A_SCORE_RANGE[1])))  # fmt: skip
    score_axes.legend(frameon=False, loc="upper center", ncols=2)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def training_command(dataset: str, proposal: Proposal) -> str:
    """The line that trains the workbench's run with the proposal, on its data and input size."""
    best = proposal.chosen
    values = {"attach": best.attach, "anchors": best.anchors,
              "class_weights": proposal.class_weights}  # fmt: skip
    lists = {key: f"[{_joined(value, ',')}]" for key, value in values.items()}
    changes = {"profile": "own", "dataset": dataset, "input_size": proposal.input_size, **lists}
    words = [word for key, value in changes.items() for word in ("-S", f"{key}={value}")]
    return shlex.join(["dvc", "exp", "run", *words, "workbench"])


def write(proposal: Proposal, folder: Path) -> None:
    """Proposal, all candidates and the picture."""
    best = proposal.chosen
    summary = {
        "attach": best.attach,
        "anchors": best.anchors,
        "class_weights": dict(zip(proposal.classes, proposal.class_weights, strict=True)),
        "reasons": proposal.reasons,
    }
    with replaced_folder(folder) as partial:
        (partial / "proposal.json").write_text(json.dumps(summary, indent=1) + "\n")
        candidate_table(proposal.candidates).to_csv(partial / "candidates.csv", index=False)
        draw(proposal).savefig(partial / "adaptation.png", dpi=100, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a data set's name, or the folder of one of your own")
    parser.add_argument("--input-size", type=int, default=REFERENCE_SIZE, metavar="S",
                        help="side of the square network input, pixels (%(default)s)")  # fmt: skip
    arguments = parser.parse_args()
    proposal = adapt(arguments.dataset, arguments.input_size)
    name = prepared_folder(arguments.dataset, arguments.input_size).name
    write(proposal, RESULTS / "adapt" / name)
    print(candidate_table(proposal.candidates[:SHOWN]).to_markdown(index=False))
    print(*(f"- {reason}" for reason in proposal.reasons), sep="\n")
    weights = ", ".join(
        f"{name} {weight:g}"
        for name, weight in zip(proposal.classes, proposal.class_weights, strict=True)
    )
    print(f"- class weights: {weights}")
    print(f"\n{training_command(arguments.dataset, proposal)}")


def _joined(values: Sequence[float], mark: str = "/") -> str:
    return mark.join(f"{value:g}" for value in values)


def _named(candidate: Candidate) -> str:
    first, second = candidate.attach
    return f"blocks {first} and {second} with anchors {_joined(candidate.anchors)}"


if __name__ == "__main__":
    run_cli(main)
