"""The learned weight of each anchor against its area (LapNet, §4.1 and Figure 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pipelines.evidence.figures.style import BLUE, VERMILLION, new_figure, scale_logarithmically
from pipelines.runs.record import Record
from pipelines.system.errors import note

TASKS = {"localisation": "Localisation", "classification": "Classification"}


@dataclass(frozen=True)
class ClassWeights:
    """The anchors of one class, by area, and what weights they have learned."""

    name: str
    boxes: int
    """Objects of the class in the training split."""
    areas: NDArray[np.float64]
    """A, square pixels, ascending."""
    weights: Mapping[str, NDArray[np.float64]]
    """λ of the A anchors, for each of `TASKS`."""

    def correlation(self, task: str) -> float:
        """Spearman's ρ of weight and area; not a number where either is the same throughout."""
        one, other = self.areas, self.weights[task]
        if np.ptp(one) == 0 or np.ptp(other) == 0:
            return float("nan")
        return float(spearmanr(one, other).statistic)


def by_class(record: Record) -> list[ClassWeights]:
    """The most and the least frequent class of a run; a note says if it has learned no weights.

    Of classes equally frequent the first counts; one without objects has learned nothing.

    Args:
        record: of a LapNet.
    """
    learned = record.learned
    if learned is None or "grid_localisation" not in learned["weights"]:
        note(f"learned weights are left out: {record.name} has learned no anchor weights")
        return []
    counts = record.splits["train"]["boxes_per_class"]
    names = list(counts)
    present = [name for name in names if counts[name]]
    chosen = dict.fromkeys([max(present, key=counts.get), min(present, key=counts.get)])
    return [_of_class(name, counts[name], names.index(name), learned) for name in chosen]


def _of_class(name: str, boxes: int, place: int, learned: Mapping[str, Any]) -> ClassWeights:
    areas = np.array(learned["anchors"][place], np.float64).prod(axis=1)
    order = np.argsort(areas, kind="stable")
    grids = {task: np.array(learned["weights"][f"grid_{task}"][place]) for task in TASKS}
    return ClassWeights(
        name, boxes, areas[order], {task: grid[order] for task, grid in grids.items()}
    )


def draw(classes: list[ClassWeights]) -> Figure:
    """One panel a loss, one line a class.

    Args:
        classes: of `by_class`, the most frequent first.
    """
    figure = new_figure(3.6)
    for axes, (task, title) in zip(figure.subplots(1, 2), TASKS.items(), strict=True):
        for of_class, colour, marker in zip(classes, (BLUE, VERMILLION), "os", strict=False):
            axes.plot(
                of_class.areas,
                of_class.weights[task],
                color=colour,
                marker=marker,
                markersize=5,
                label=_describe(of_class, task),
            )
        axes.set_title(title)
        axes.set(xlabel="anchor area, square pixels", ylabel="learned weight λ of the anchor")
        axes.grid(alpha=0.3)
        scale_logarithmically(axes)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.08), borderaxespad=0)
    return figure


def _describe(of_class: ClassWeights, task: str) -> str:
    correlation = of_class.correlation(task)
    rho = "undefined" if np.isnan(correlation) else f"{correlation:+.2f}".replace("-", "−")
    return f"{of_class.name}, {of_class.boxes} boxes: Spearman's ρ {rho}"
