"""The picture of a proposal: sizes, shapes, overlaps and A-scores beside each other."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from torch import Tensor

from method.adaptation import Candidate
from method.coverage import best_overlaps
from method.matching import Matching
from method.scale import A_SCORE_RANGE, REFERENCE_SIZE

BLUE, ORANGE, GREEN = "#56b4e9", "#d55e00", "#009e73"


def draw(best: Candidate, boxes: Tensor, sizes: Tensor, input_size: int) -> Figure:
    """Sizes and shapes with the anchors, overlaps with the best anchor, A-scores of the heads.

    Args:
        best: the choice that is proposed.
        boxes: N×4 training objects, `xyxy`, input pixels.
        sizes: N, sides of equal squares at 512×512.
        input_size: side of the input, pixels.
    """
    figure = Figure(figsize=(15.5, 3.6), layout="constrained")
    size_axes, shape_axes, overlap_axes, score_axes = figure.subplots(1, 4)
    size_axes.hist(sizes.numpy(), bins=40, color=BLUE)
    for side in best.anchors:
        size_axes.axvline(side, color=ORANGE, lw=1.5)
    size_axes.set(
        xlabel="side of the equal square at 512×512, px",
        ylabel="training objects",
        title="Sizes, and the anchors (lines)",
    )
    _shapes(shape_axes, best, boxes)
    sides = [side * input_size / REFERENCE_SIZE for side in best.anchors]
    reached = best_overlaps(boxes, sides, best.strides, input_size, best.aspect_ratios)
    _overlaps(overlap_axes, best, reached)
    _scores(score_axes, best)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _shapes(axes: Axes, best: Candidate, boxes: Tensor) -> None:
    width, height = (boxes[:, 2:] - boxes[:, :2]).double().unbind(dim=1)
    ratios = (width / height).numpy()
    widest = max(4.0, *best.aspect_ratios, *(1 / ratio for ratio in best.aspect_ratios))
    inside = ratios.clip(1 / widest, widest)
    axes.hist(inside, bins=np.geomspace(1 / widest, widest, 41).tolist(), color=BLUE)
    for ratio in best.aspect_ratios:
        axes.axvline(ratio, color=ORANGE, lw=1.5)
    axes.set_xscale("log")
    ticks = [tick for tick in (0.1, 0.25, 0.5, 1, 2, 4, 10) if 1 / widest <= tick <= widest]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(
        xlabel="width over height in the input",
        ylabel="training objects",
        title="Shapes, and those of the anchors (lines)",
    )


def _overlaps(axes: Axes, best: Candidate, reached: Tensor) -> None:
    rule = Matching()
    axes.hist(reached.numpy(), bins=40, range=(0, 1), color=BLUE)
    axes.axvline(rule.positive_iou, color=ORANGE, lw=1.5)
    axes.axvline(rule.fallback_iou, color=ORANGE, lw=1.5, ls="--")
    axes.set(
        xlabel="overlap with the best anchor",
        ylabel="training objects",
        title=f"Coverage: {best.recall:.1%} matched (line),\n"
        f"{best.fallback_recall:.1%} with the fallback (dashed)",
    )


def _scores(axes: Axes, best: Candidate) -> None:
    heads = [f"{side:g} px" for side in best.anchors]
    axes.axhspan(*A_SCORE_RANGE, color=GREEN, alpha=0.2, label="wanted for the mean")
    axes.bar(heads, best.scores, color=BLUE, width=0.6)
    axes.axhline(best.mean_score, color=ORANGE, lw=1.5, label="mean")
    axes.set(
        xlabel="anchor of the head",
        ylabel="receptive field / anchor",
        title=f"A-scores, blocks {best.attach[0]} and {best.attach[1]}",
        ylim=(0, 1.3 * max(*best.scores, A_SCORE_RANGE[1])),
    )
    axes.legend(frameon=False, loc="upper center", ncols=2)
