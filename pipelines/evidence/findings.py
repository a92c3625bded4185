"""What the SSD paper's text claims beside its tables, as small results of their own (§3.2, §5.3).

How soon each sampler converges, how its minibatch develops, and whether the A-score goes with AP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, spearmanr

from pipelines.evaluation.intervals import average_seeds
from pipelines.evidence.paper_tables import Table, mean_of
from pipelines.evidence.study import NO_RUN, Study
from pipelines.evidence.trained_tables import mean_a_score, no_fair_pair

WITHIN = 1.0
"""Points of AP from the final value that count as converged."""


def histories(study: Study, row: str) -> list[pd.DataFrame]:
    """The training history of every run of a row."""
    return [study.run(name).history() for name in study.runs(row)["run"]]


def converged_at(steps: Sequence[float], values: Sequence[float]) -> float:
    """First of `steps` from which on all `values` stay within `WITHIN` of the last one."""
    outside = np.flatnonzero(np.abs(np.asarray(values) - values[-1]) > WITHIN)
    return steps[outside[-1] + 1] if len(outside) else steps[0]


def convergence(table: Table, study: Study) -> pd.DataFrame:
    """Iterations and epochs after which validation AP stays near its final value, by sampler."""
    rows = []
    for label, row in table.trained.items():
        curves = [validation_curve(history) for history in histories(study, row)]
        reached = [
            converged_at(curve["step"].tolist(), curve["validation_AP"].tolist())
            for curve in curves
            if len(curve)
        ]
        final = [float(curve["validation_AP"].iloc[-1]) for curve in curves if len(curve)]
        epochs = list(epochs_to_converge(study, row).values())
        rows.append(
            {
                "sampler": label,
                "epochs, paper": table.rows[label].epochs,
                "epochs": average_seeds(epochs) if epochs else "no run",
                "iterations": average_seeds(reached) if reached else "no run",
                "final validation AP": average_seeds(final) if final else "no run",
                "n": len(reached),
            }
        )
    return pd.DataFrame(rows)


def balance(
    table: Table, study: Study, parts: Sequence[float] = (0.05, 0.25, 0.5, 1.0)
) -> pd.DataFrame:
    """Length of the minibatch and negatives to one positive, by sampler and time.

    Args:
        table: whose rows are asked for.
        study: the profile's study.
        parts: ends of the stretches of training that are averaged over, as shares of it.
    """
    rows = []
    for label, row in table.trained.items():
        logs = [history.dropna(subset=["positives"]) for history in histories(study, row)]
        if not logs:
            continue
        mean = pd.concat(logs).groupby("step")[["positives", "negatives"]].mean()
        last, start = mean.index.max(), 0.0
        cells: dict[str, Any] = {"sampler": label}
        for part in parts:
            own = mean[(mean.index > start * last) & (mean.index <= part * last)].mean()
            span = f"{start:.0%}-{part:.0%}"
            cells[f"length, {span}"] = f"{own.sum():.0f}"
            cells[f"ratio, {span}"] = f"{own['negatives'] / own['positives']:.2f}"
            start = part
        rows.append({**cells, "n": len(logs)})
    return pd.DataFrame(rows)


def anchor_scores(study: Study, anchors: Sequence[str]) -> pd.DataFrame:
    """A-score of each anchor row that is trained, and its figures, means over the seeds.

    The seeds of a row share its anchors, so that they are one point and not several. Where rows
    differ in more than anchors, such as the images seen, only the most that are alike are taken.
    """
    rows = []
    for row in _alike(study, [name for name in anchors if len(study.runs(name))]):
        spec = study.row_spec(row)
        if spec:
            figures = study.runs(row)[["AP", "AP50"]].mean()
            rows.append({"A-score": mean_a_score(spec), **figures})
    return pd.DataFrame(rows)


def _alike(study: Study, rows: Sequence[str]) -> list[str]:
    """The most rows of which any two are a fair pair."""
    groups: list[list[str]] = []
    for row in rows:
        fitting = (group for group in groups if not no_fair_pair(study, row, group[0]))
        if (group := next(fitting, None)) is None:
            groups.append(group := [])
        group.append(row)
    return max(groups, key=len, default=[])


def correlation(score: Sequence[float], ap: Sequence[float]) -> dict[str, str]:
    """Pearson's r with its 95 % interval (Fisher's z) and Spearman's rank correlation."""
    if len(score) < 4 or len(set(score)) < 2:
        return {"Pearson's r [95 %]": "too few", "Spearman's ρ": "too few"}
    pearson = pearsonr(score, ap)
    interval = pearson.confidence_interval(0.95)
    span = f"[{interval.low:+.2f}, {interval.high:+.2f}]"
    return {
        "Pearson's r [95 %]": f"{pearson.statistic:+.2f} {span}",
        "Spearman's ρ": f"{spearmanr(score, ap).statistic:+.2f}",
    }


def anchor_correlation(table: Table, study: Study) -> pd.DataFrame:
    """Does a higher A-score go with a higher AP? Over the sets of anchors of a table, and ours."""
    printed = [(row.a_score, row.printed) for row in table.rows.values() if row.a_score is not None]
    own = anchor_scores(study, list(table.trained.values()))
    trained = sum(len(study.runs(row)) > 0 for row in table.trained.values())
    values = "ours" if len(own) == trained else f"ours, those of {trained} that are trained alike"
    rows = []
    for metric in ("AP", "AP50"):
        figures = [mean_of(cells[metric]) for _, cells in printed]
        theirs = correlation([score for score, _ in printed], figures)
        rows.append({"metric": metric, "values": "paper's", **theirs, "n": len(printed)})
        if len(own):
            ours = correlation(own["A-score"].tolist(), own[metric].tolist())
            rows.append({"metric": metric, "values": values, **ours, "n": len(own)})
    return pd.DataFrame(rows)


def equal_cost(table: Table, study: Study) -> pd.DataFrame | None:
    """What each row of a table had reached for the operations of the reference row's training.

    Validation AP50 by the stored curves. A step is reckoned by the operations of its images, since
    the recorded times are of runs beside others; None where the study has no run of the reference.
    """
    given = _operations(study, table.reference)
    if given is None:
        return None
    rows = []
    for label, row in table.trained.items():
        own = _operations(study, row)
        curves = [c for h in histories(study, row) if len(c := validation_curve(h))]
        ends = [float(curve["validation_AP50"].iloc[-1]) for curve in curves]
        reached = [_reached(curve, given / own) for curve in curves] if own else []
        rows.append(
            {
                table.factor: label,
                "GFLOPs an image": f"{own / 1e9:.1f}" if own else "",
                "validation AP50, at the end": average_seeds(ends) if ends else NO_RUN,
                "validation AP50, at equal cost": _at_equal_cost(reached),
                "n": str(len(ends)),
            }
        )
    return pd.DataFrame(rows)


def _operations(study: Study, row: str) -> float | None:
    """Of a row's network in one image; None without a run."""
    runs = study.runs(row)["run"]
    return study.run(runs.iloc[0]).record().cost.flops_an_image if len(runs) else None


def _reached(curve: pd.DataFrame, share: float) -> float | None:
    """Validation AP50 after this share of the steps; None before the first validation."""
    within = curve[curve["step"] <= share * curve["step"].iloc[-1]]
    return float(within["validation_AP50"].iloc[-1]) if len(within) else None


def _at_equal_cost(reached: Sequence[float | None]) -> str:
    if not reached:
        return ""
    measured = [value for value in reached if value is not None]
    return average_seeds(measured) if len(measured) == len(reached) else "not yet validated"


def validation_curve(history: pd.DataFrame) -> pd.DataFrame:
    """The logged steps at which validation AP was measured; none in a run without validation."""
    measured = history.reindex(columns=history.columns.union(["validation_AP"]))
    return measured.dropna(subset=["validation_AP"])


def epochs_to_converge(study: Study, row: str) -> dict[int, float]:
    """Seed to epochs, for every run of a row with a validation curve."""
    reached = {}
    runs = study.runs(row)
    for run, seed in zip(runs["run"], runs["seed"], strict=True):
        curve = validation_curve(study.run(run).history())
        if len(curve):
            record = study.run(run).record()
            batch, images = record.spec.batch_size, record.splits["train"]["images"]
            steps = converged_at(curve["step"].tolist(), curve["validation_AP"].tolist())
            reached[int(seed)] = steps * batch / images
    return reached
