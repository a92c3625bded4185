"""Fit the detector to a data set's objects: `python -m pipelines.adapt DATASET`.

Proposes the blocks that carry the heads, the anchors and the class weights, says why, and writes
what it looked at to `results/adapt/`. On the workbench, `attach: auto`, `anchors: auto` and
`class_weights: auto` take the proposal.
"""

from __future__ import annotations

import argparse
import json
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
    Candidate,
    attachment_points,
    best_overlaps,
    class_weights,
    rank_candidates,
)
from method.matching import Matching
from method.scale import A_SCORE_RANGE, REFERENCE_SIZE, equal_square_side, relative_sizes
from pipelines.data.folder_swap import replaced_folder
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.errors import UserError, note, run_cli
from pipelines.plan import RESULTS, workbench_spec
from pipelines.prepare import ensure_prepared, prepared_folder

SHOWN = 10
AUTO = "auto"
ADAPTED = ("attach", "anchors", "class_weights")


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
        best, (low, high) = self.chosen, A_SCORE_RANGE
        spread = np.percentile(self.sizes.numpy(), [5, 50, 95])
        lines = [
            f"{len(self.sizes)} training objects; at {REFERENCE_SIZE}x{REFERENCE_SIZE} their sides "
            f"are {spread[0]:.0f} / {spread[1]:.0f} / {spread[2]:.0f} px at percentiles 5 / 50 / 95"
        ]
        if best.misfit > 0:
            lines.append(
                f"no blocks bring the mean A-score into {low}-{high} at input size "
                f"{self.input_size}: the nearest is {best.mean_score:.1f}; "
                + ("take a smaller" if best.mean_score < low else "take a larger")
                + " input size"
            )
        else:
            lines.append(
                f"blocks {best.attach[0]} and {best.attach[1]} see {best.mean_score:.1f} times the "
                f"anchors on average (wanted: {low}-{high})"
            )
        lines.append(
            f"the anchors reach {best.recall:.0%} of the objects at the matching threshold of "
            f"{Matching().positive_iou:g}; the best anchor's mean overlap is {best.mean_iou:.2f}"
        )
        if max(self.class_weights) == LARGEST_WEIGHT:
            lines.append(f"class weights are cut at {LARGEST_WEIGHT:g}")
        return lines


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
        UserError: the data set is not found or broken, or `attach` is no possible pair.
    """
    split = load_prepared(ensure_prepared(dataset, input_size), "train")
    boxes, sizes = _objects(split)
    labels = np.concatenate([split.labels(i) for i in range(len(split.images))])
    counts = tuple(int((labels == k).sum()) for k in range(1, len(split.class_names) + 1))
    try:
        ranked = rank_candidates(boxes, sizes, input_size, attach, anchors)
    except ValueError as error:
        raise UserError(str(error)) from None
    return Proposal(
        input_size, split.class_names, counts, boxes, sizes, class_weights(counts), tuple(ranked)
    )


def fill_in(parameters: dict[str, Any]) -> dict[str, Any]:
    """The workbench's parameters with every `auto` replaced by what fits the data set.

    `attach`, `anchors` and `class_weights` may be `auto`; those that are given stay as they are.
    """
    wanted = [key for key in ADAPTED if parameters.get(key) == AUTO]
    if not wanted:
        return parameters
    given = {key: None if key in wanted else parameters.get(key) for key in ADAPTED}
    spec = workbench_spec({**parameters, **given})
    attach = spec.attach if "attach" not in wanted else None
    anchors = spec.anchors if "anchors" not in wanted else None
    proposal = adapt(
        spec.dataset, spec.input_size, (attach[0], attach[1]) if attach else None, anchors
    )
    found: dict[str, list[float]] = {
        "attach": list(proposal.chosen.attach),
        "anchors": list(proposal.chosen.anchors),
        "class_weights": list(proposal.class_weights),
    }
    for key in wanted:
        note(f"{key}: auto is {'/'.join(f'{value:g}' for value in found[key])}")
    return {**parameters, **{key: found[key] for key in wanted}}


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
    """The candidates as they are printed and written."""
    return pd.DataFrame(
        {
            "blocks": f"{c.attach[0]}, {c.attach[1]}",
            "anchors": "/".join(f"{side:g}" for side in c.anchors),
            "A-scores": " / ".join(f"{score:.1f}" for score in c.scores),
            "mean A-score": round(c.mean_score, 2),
            "recall, %": round(100 * c.recall, 1),
            "mean overlap": round(c.mean_iou, 3),
        }
        for c in candidates
    )


def draw(proposal: Proposal) -> Figure:
    """Sizes with the anchors, overlaps with the best anchor, A-scores of the heads."""
    best = proposal.chosen
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    size_axes, overlap_axes, score_axes = figure.subplots(1, 3)
    size_axes.hist(proposal.sizes.numpy(), bins=40, color="#56b4e9")
    for side in best.anchors:
        size_axes.axvline(side, color="#d55e00", lw=1.5)
    size_axes.set(xlabel="side of the equal square at 512×512, px", ylabel="training objects",
                  title="Sizes, and the anchors (lines)")  # fmt: skip
    sides = [side * proposal.input_size / REFERENCE_SIZE for side in best.anchors]
    strides = [field.stride for field in attachment_points()[best.attach]]
    reached = best_overlaps(proposal.boxes, sides, strides, proposal.input_size)
    overlap_axes.hist(reached.numpy(), bins=40, range=(0, 1), color="#56b4e9")
    overlap_axes.axvline(Matching().positive_iou, color="#d55e00", lw=1.5)
    overlap_axes.set(xlabel="overlap with the best anchor", ylabel="training objects",
                     title=f"Coverage: {best.recall:.0%} at the threshold (line)")  # fmt: skip
    heads = [f"{side:g} px" for side in best.anchors]
    score_axes.axhspan(*A_SCORE_RANGE, color="#009e73", alpha=0.2, label="wanted for the mean")
    score_axes.bar(heads, best.scores, color="#56b4e9")
    score_axes.axhline(best.mean_score, color="#d55e00", lw=1.5, label="mean")
    score_axes.set(xlabel="anchor of the head", ylabel="receptive field / anchor",
                   title=f"A-scores, blocks {best.attach[0]} and {best.attach[1]}")  # fmt: skip
    score_axes.legend(frameon=False)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


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
    parser.add_argument("dataset", help="a data set's name, or the folder of one in COCO form")
    parser.add_argument("--input-size", type=int, default=REFERENCE_SIZE, metavar="S",
                        help="side of the square network input, pixels (%(default)s)")  # fmt: skip
    arguments = parser.parse_args()
    proposal = adapt(arguments.dataset, arguments.input_size)
    name = prepared_folder(arguments.dataset, arguments.input_size).name
    write(proposal, RESULTS / "adapt" / name)
    best = proposal.chosen
    print(candidate_table(proposal.candidates[:SHOWN]).to_markdown(index=False))
    print(*(f"- {reason}" for reason in proposal.reasons), sep="\n")
    weights = ", ".join(
        f"{name} {weight:g}"
        for name, weight in zip(proposal.classes, proposal.class_weights, strict=True)
    )
    print(f"- class weights: {weights}")
    print(
        f"\ndvc exp run -S dataset={arguments.dataset} -S 'attach={list(best.attach)}' "
        f"-S 'anchors={list(best.anchors)}' -S 'class_weights={list(proposal.class_weights)}' "
        "workbench"
    )


if __name__ == "__main__":
    run_cli(main)
