"""A paper's table as a query over the ledger: which runs, their mean and spread, beside the paper.

A row of a table names a row of params.yaml; its runs are all of that row in the ledger, one a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from method.scale import REFERENCE_SIZE, a_scores
from method.ssd import SSD
from pipelines.detectors.ssd import ssd_config
from pipelines.evaluation.bootstrap import METRICS
from pipelines.evaluation.coco import score_records
from pipelines.evaluation.intervals import average_seeds, describe_difference, widened_difference
from pipelines.evaluation.voc import Definition, voc_ap
from pipelines.evidence.paper_noise import could_tell
from pipelines.evidence.paper_tables import Cell, Row, Table
from pipelines.evidence.papers import Paper
from pipelines.evidence.study import NO_RUN, Study
from pipelines.runs.spec import RunSpec

COULD_TELL = "could the paper tell?"
UNFAIR = "no fair pair"
POOLED = "AP, detections pooled"
"""Of the runs of a row that test different photographs, as if one detector had made them all."""


def trained_table(paper: Paper, table: Table, study: Study) -> pd.DataFrame:
    """A table that runs answer: paper and ours, n, paired differences, departures.

    Rows without a row of params.yaml are the paper's own citations. Where the paper prints how far
    its runs lie apart, a column says which differences it could tell.
    """
    metrics = table.metrics
    printed = [m for m in metrics if any(m in row.printed for row in table.rows.values())]
    with_words = any(row.says for row in table.rows.values())
    folded = any(study.tests_folds(row.row) for row in table.rows.values())
    rows = []
    for label, row in table.rows.items():
        name = row.row
        runs = study.runs(name)
        cells: dict[str, Any] = {table.factor: label}
        if row.a_score is not None and name:
            cells |= {"A-score, paper": row.a_score, "A-score": _a_score(study, name)}
        no_run = study.no_run(name) if name and runs.empty else ""
        for metric in metrics:
            if metric in printed:
                cells[f"{metric}, paper"] = _printed(row.printed.get(metric))
            cells[metric] = no_run or (_ours(runs[metric]) if name else "")
            no_run = no_run and NO_RUN
        if folded:
            cells[POOLED] = _pooled(study, name)
        cells["n"] = str(len(runs)) if name else ""
        if with_words:
            cells["difference, paper"] = row.says
        if paper.deviations and printed:
            cells[COULD_TELL] = _could_tell(row, table, paper.deviations)
        reference = row.reference or table.reference
        unfair = no_fair_pair(study, name, reference) if name and len(runs) else ""
        for metric in (m for m in metrics if m in METRICS):
            column = f"Δ{metric} [95 %]"
            cells[column] = unfair or _difference(study, name, reference, metric)
            unfair = unfair and UNFAIR
        spec = study.row_spec(name) if name else None
        cells["differs from the paper in"] = ", ".join(paper.departures(spec)) if spec else ""
        rows.append(cells)
    return pd.DataFrame(rows)


def _pooled(study: Study, row: str | None) -> str:
    """`pooled_ap` of a row whose runs test different photographs; else empty."""
    if row is None or not study.tests_folds(row) or study.runs(row).empty:
        return ""
    return f"{pooled_ap(study, row):.1f}"


def pooled_ap(study: Study, row: str) -> float:
    """AP of all runs' detections in all their images, in percent.

    A check on the mean of the runs' own figures, not a figure to compare by: scores of different
    trainings are not calibrated to each other.
    """
    found = [study.matches(run) for run in study.runs(row)["run"]]
    apart = [
        one.assign(image=[f"{i}/{image}" for image in one["image"]]) for i, one in enumerate(found)
    ]
    return score_records(pd.concat(apart, ignore_index=True)).figures["AP"]


def _could_tell(row: Row, table: Table, noise: Mapping[str, float]) -> str:
    other = table.reference_row
    if other is None:
        return ""
    return "reference" if row is other else could_tell(row, other, noise, table.repeats)


def class_columns(table: Table, study: Study) -> pd.DataFrame:
    """VOC07 AP of each class, mean over the runs of each row of a table with classes.

    Beside it the paper's, where the study's data set has the paper's classes.
    """
    found = [
        [study.matches(name) for name in study.runs(row.row)["run"]] for row in table.rows.values()
    ]
    classes = dict.fromkeys(name for own in found for one in own for name in one["class"].unique())
    rows = []
    for row, matches in zip(table.rows.values(), found, strict=True):
        cells = {}
        for name in classes:
            if name in table.classes:
                printed = dict(zip(table.classes, row.per_class, strict=False))
                cells[f"{name}, paper"] = _printed(printed.get(name))
            values = [voc_ap(own, name, Definition.VOC07) for own in matches]
            cells[name] = average_seeds(values) if values else ""
        rows.append(cells)
    return pd.DataFrame(rows)


def _printed(value: Cell | None) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        mean, deviation, best = value
        return f"{mean:.1f} ± {deviation:.1f}, best {best:.1f}"
    return f"{value:g}"


def _ours(values: pd.Series[float]) -> str:
    best = f", best {values.max():.1f}" if len(values) > 1 else ""
    return average_seeds(values.tolist()) + best


def _difference(study: Study, row: str | None, reference: str, metric: str) -> str:
    if row == reference:
        return "reference"
    if row is None:
        return ""
    return describe_difference(
        widened_difference(
            study.samples(row), study.samples(reference), metric, study.seed_spread(metric)
        )
    )


def no_fair_pair(study: Study, row: str, reference: str) -> str:
    """Why the difference of two rows says nothing of what they are rows for; empty if it does.

    Photographs tested, images seen, and for two detectors also whether the first weights were
    trained.
    """
    one, other = study.row_spec(row), study.row_spec(reference)
    if one is None or other is None:
        return ""
    seen = [spec.images_seen for spec in (one, other)]
    unequal = [] if seen[0] == seen[1] else [f"images seen ({seen[0]:,} against {seen[1]:,})"]
    tested = ["each part" if study.tests_folds(name) else "one part" for name in (row, reference)]
    if tested[0] != tested[1]:
        unequal.append(f"photographs tested ({tested[0]} against {tested[1]})")
    random = [spec.init == "none" for spec in (one, other)]
    if one.detector != other.detector and random[0] != random[1]:
        start = ["random" if r else "trained" for r in random]
        unequal.append(f"first weights ({start[0]} against {start[1]})")
    return f"{UNFAIR} here: unequal {' and '.join(unequal)}" if unequal else ""


def _a_score(study: Study, row: str) -> str:
    spec = study.row_spec(row)
    return f"{mean_a_score(spec):.1f}" if spec else ""


def mean_a_score(spec: RunSpec) -> float:
    """Mean over the heads of receptive field over anchor, both in pixels of the run's own input."""
    classes = len(spec.class_weights or (1,))
    fields = [head.size for head in SSD(ssd_config(spec, classes)).fields]
    sides = [side * spec.input_size / REFERENCE_SIZE for side in spec.anchors]
    return float(np.mean(a_scores(fields, sides)))
