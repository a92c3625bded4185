"""Claims about the course of training and what is learned: convergence, spread, anchor weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr

from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.small_samples import ratio_interval, spread_ratio, t_interval
from pipelines.evidence.claims.answers import Answer, Evidence, describe_interval, not_testable
from pipelines.evidence.claims.trained import DIRECTIONS, ONE_SEED, missing_rows
from pipelines.evidence.claims.verdicts import (
    Published,
    Verdict,
    judge_difference,
    judge_direction,
    judge_value,
)
from pipelines.evidence.findings import anchor_scores, epochs_to_converge
from pipelines.runs.record import Record
from pipelines.system.errors import UserError

WITHIN_A_POINT = "epochs until validation AP stays within a point of its last"
FEWEST_CLASSES = 4
"""With fewer no rank correlation over classes can be told from chance."""
FEWEST_SETS = 4
"""With fewer sets of anchors a correlation has no interval (Fisher's z)."""


def check_convergence(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Epochs to convergence: {converge: row, published}.

    Convergence is when validation AP first stays within a point of its final value.
    """
    row, study = claim["converge"], evidence.study
    published = Published.parse(claim["published"])
    reached = list(epochs_to_converge(study, row).values())
    if not reached:
        return not_testable(f"no validation curve of {row} in {study.profile}", published.text)
    n = len(reached)
    ours = t_interval(reached)
    spec = study.row_spec(row)
    apart = evidence.paper.departures(spec) if spec else []
    if apart:
        verdict, why = Verdict.NOT_TESTABLE, f"differs from the paper in {', '.join(apart)}"
    elif n == 1:
        verdict, why = Verdict.INCONCLUSIVE, ONE_SEED
    else:
        verdict, why = judge_value(published, ours, n), WITHIN_A_POINT
    return Answer(
        verdict,
        why,
        published.text,
        f"{ours.estimate:.1f}",
        describe_interval(ours) if n > 1 else "",
        str(n),
        evidence.data,
        f"{ours.estimate - published.middle:+.1f}",
    )


def check_sooner(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Difference in epochs to convergence: {sooner: [row, reference], published}.

    `published` is a range below zero, or `lower`; the interval is Student's over shared seeds.
    """
    rows, study = claim["sooner"], evidence.study
    said = claim["published"]
    size = None if isinstance(said, str) else Published.parse(said, signed=True)
    text = size.text if size else said
    missing = missing_rows(rows, study)
    if missing:
        return not_testable(missing, text)
    row, reference = (epochs_to_converge(study, name) for name in rows)
    seeds = sorted(row.keys() & reference.keys())
    if not seeds:
        return not_testable(f"no validation curves of {' and '.join(rows)}", text, evidence.data)
    ours = t_interval([row[seed] - reference[seed] for seed in seeds])
    return Answer(
        judge_difference(size, ours) if size else judge_direction(DIRECTIONS[text], ours),
        WITHIN_A_POINT if len(seeds) > 1 else f"2 seeds a row come first; {WITHIN_A_POINT}",
        text,
        f"{ours.estimate:+.1f}",
        describe_interval(ours, "+") if len(seeds) > 1 else "",
        str(len(seeds)),
        evidence.data,
        f"{ours.estimate - size.middle:+.1f}" if size else "",
    )


def check_spread(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Ratio of standard deviations over seeds: {spread: [row, reference], metric, runs, published}.

    `runs` are those behind each of the paper's own. Reproduced if the F distribution's interval
    lies on the paper's side of 1, contradicted if on the other, else inconclusive.
    """
    published, study = Published.parse(claim["published"]), evidence.study
    missing = missing_rows(claim["spread"], study)
    if missing:
        return not_testable(missing, published.text)
    runs = claim["runs"]
    theirs = describe_interval(ratio_interval(published.middle, runs, runs), places=2)
    why = f"F distribution; the paper's own {runs} runs a row leave {theirs}"
    values = [study.runs(row)[claim["metric"]].tolist() for row in claim["spread"]]
    fewest = min(map(len, values))
    if fewest < 2:
        return Answer(
            Verdict.INCONCLUSIVE,
            f"2 seeds a row come first; {why}",
            published.text,
            n=str(fewest),
            data=evidence.data,
        )
    ours = spread_ratio(*values)
    around = Interval(ours.estimate - 1, ours.low - 1, ours.high - 1)
    return Answer(
        judge_direction(1 if published.middle > 1 else -1, around),
        why,
        published.text,
        f"{ours.estimate:.2f}",
        describe_interval(ours, places=2),
        str(fewest),
        evidence.data,
        f"{ours.estimate - published.middle:+.2f}",
    )


def check_correlation(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Pearson's r of A-score and a figure: {correlate: table of anchors, metric, published}.

    A set of anchors is one point, a mean over its seeds; the interval is Fisher's.
    """
    rows = evidence.paper.tables[claim["correlate"]].trained.values()
    own, published = anchor_scores(evidence.study, list(rows)), claim["published"]
    if len(own) < FEWEST_SETS:
        wanted = f"{len(own)} of the sets of anchors are trained alike, {FEWEST_SETS} are needed"
        return not_testable(wanted, published, evidence.data)
    found = pearsonr(own["A-score"], own[claim["metric"]])
    span = found.confidence_interval(0.95)
    ours = Interval(float(found.statistic), float(span.low), float(span.high))
    return Answer(
        judge_direction(DIRECTIONS[published], ours),
        "Pearson's r over sets of anchors trained alike",
        published,
        f"{ours.estimate:+.2f}",
        describe_interval(ours, "+", 2),
        str(len(own)),
        evidence.data,
    )


def check_anchor_weights(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Rank correlation of LapNet's learned weights: {weights: area or count, row, published}.

    With `area`, of an anchor's weight and its area, mean over classes and both losses; with
    `count`, of a class's mean weight and its boxes. One value a run, their interval over seeds.
    """
    row, study = claim["row"], evidence.study
    missing = missing_rows([row], study)
    if missing:
        return not_testable(missing, claim["published"])
    records = [study.run(run).record() for run in study.runs(row)["run"]]
    correlate = {"area": _weight_by_area, "count": _weight_by_count}[claim["weights"]]
    if claim["weights"] == "count" and len(records[0].classes) < FEWEST_CLASSES:
        return Answer(
            Verdict.INCONCLUSIVE,
            f"{len(records[0].classes)} classes; a rank correlation needs {FEWEST_CLASSES} or more",
            claim["published"],
            n=str(len(records)),
            data=evidence.data,
        )
    ours = t_interval([correlate(record) for record in records])
    why = "Spearman's ρ" + (f"; {ONE_SEED}" if len(records) == 1 else "")
    return Answer(
        judge_direction(DIRECTIONS[claim["published"]], ours),
        why,
        claim["published"],
        f"{ours.estimate:+.2f}",
        describe_interval(ours, "+", 2) if len(records) > 1 else "",
        str(len(records)),
        evidence.data,
    )


def _learned(record: Record) -> Mapping[str, Any]:
    if record.learned is None:
        raise UserError(f"{record.name}: is no run of LapNet; it has learned no weights")
    return record.learned


def _grids(record: Record) -> list[Any]:
    """Learned weights of both losses, classes×anchors each."""
    weights = _learned(record)["weights"]
    return [np.array(weights[f"grid_{task}"]) for task in ("localisation", "classification")]


def _weight_by_area(record: Record) -> float:
    areas = np.array(_learned(record)["anchors"]).prod(axis=2)
    return float(
        np.mean(
            [
                spearmanr(area, weight).statistic
                for grid in _grids(record)
                for area, weight in zip(areas, grid, strict=True)
            ]
        )
    )


def _weight_by_count(record: Record) -> float:
    counts = list(record.splits["train"]["boxes_per_class"].values())
    means = [grid.mean(axis=1) for grid in _grids(record)]
    return float(np.mean([spearmanr(counts, of_class).statistic for of_class in means]))
