"""What fits a data set's objects, and why, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor

from method.adaptation import LARGEST_WEIGHT, RATIO_TOLERANCE, RECALL_GIVEN_UP, Candidate
from method.aspect_ratios import SQUARE
from method.matching import Matching
from method.scale import A_SCORE_RANGE, REFERENCE_SIZE
from pipelines.data.tiling import Tiling


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
    tiling: Tiling | None = None
    """How photographs are cut."""
    cost: str = ""
    """What the best candidate costs, in a sentence."""
    warnings: tuple[str, ...] = ()
    """What is better mended first, or done instead."""

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
            self._shapes(),
        ]
        alike = [
            c
            for c in self.candidates
            if c.misfit <= best.misfit and c.aspect_ratios == best.aspect_ratios
        ]
        widest = max(alike, key=lambda c: c.recall)
        if widest.recall - best.recall >= 0.01:
            lines.append(
                f"{_named(widest)} would reach {widest.recall:.1%}: up to {RECALL_GIVEN_UP:.0%} of "
                "the objects are given up for a coarser grid, A-scores nearer to the range or "
                "closer anchors"
            )
        if max(self.class_weights) == LARGEST_WEIGHT:
            lines.append(f"class weights are cut at {LARGEST_WEIGHT:g}")
        if self.cost:
            lines.append(self.cost)
        return [*lines, *self.warnings]

    def _percentiles(self, scale: float) -> str:
        """Sizes at percentiles 5 / 50 / 95, to two digits."""
        values = scale * np.percentile(self.sizes.numpy(), [5, 50, 95])
        return " / ".join(f"{value:.2g}" if value < 100 else f"{value:.0f}" for value in values)

    def _shapes(self) -> str:
        """Which aspect ratios, and what others would reach."""
        best = self.chosen
        first = {c.aspect_ratios: c for c in reversed(self.candidates)}
        others = [c for ratios, c in first.items() if ratios not in (SQUARE, best.aspect_ratios)]
        if best.aspect_ratios != SQUARE:
            chosen = f"{_anchors_a_cell(best)}: {_reached(best)}"
            square = first.get(SQUARE)
            return f"{chosen}; by square anchors {_reached(square)}" if square else chosen
        said = f"{_anchors_a_cell(best)}: {_reached(best)}"
        if not others:
            return said
        widest = max(others, key=lambda c: c.recall)
        return (
            f"{said}; by the best of other shapes, {joined(widest.aspect_ratios)} times as wide as "
            f"high, {_reached(widest)}; {RATIO_TOLERANCE:.0%} more would not pay for more anchors"
        )

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


def candidate_table(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """The candidates as they are printed and written; the first is the chosen one."""
    return pd.DataFrame(
        {
            "blocks": f"{c.attach[0]}, {c.attach[1]}",
            "anchors": joined(c.anchors),
            "aspect ratios": joined(c.aspect_ratios),
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


def joined(values: Sequence[float], mark: str = "/") -> str:
    return mark.join(f"{value:g}" for value in values)


def _named(candidate: Candidate) -> str:
    first, second = candidate.attach
    return f"blocks {first} and {second} with anchors {joined(candidate.anchors)}"


def _reached(candidate: Candidate) -> str:
    return (
        f"{candidate.recall:.1%} of the objects are reached with a mean overlap of "
        f"{candidate.mean_iou:.2f}"
    )


def _anchors_a_cell(candidate: Candidate) -> str:
    ratios = candidate.aspect_ratios
    if ratios == SQUARE:
        return "one square anchor a cell"
    shapes = f"{joined(ratios)} times as wide as high"
    if len(ratios) == 1:
        return f"one anchor a cell, {shapes}"
    return f"{len(ratios)} anchors a cell, all of the same area, {shapes}"
