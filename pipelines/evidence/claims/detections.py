"""Claims about single detections: objects found twice, and how well the boxes fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import tensor
from torchvision.ops import box_convert, box_iou

from pipelines.evaluation.coco import THRESHOLDS
from pipelines.evaluation.small_samples import t_interval
from pipelines.evidence.claims.answers import Answer, Evidence, describe_interval, not_testable
from pipelines.evidence.claims.trained import DIRECTIONS, ONE_SEED, missing_rows
from pipelines.evidence.claims.verdicts import judge_direction
from pipelines.evidence.study import Study
from pipelines.runs.folder import RunFolder

SHOWN = 0.3
"""Least score of a detection that a user would see, as the SSD paper's released code has it."""
TWICE = 0.5
"""IoU with a higher-scored detection of any class from which on an object is found twice."""


def check_duplicates(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Share of detections that repeat a better one, in percent: {duplicates: [row, reference]}."""
    why = f"share of detections of {SHOWN:g} or more that overlap a better one by {TWICE:g}, in %"
    return _compare("duplicates", share_of_duplicates, why, claim, evidence)


def check_localisation(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """How well the boxes of true detections fit, in IoU: {localisation: [row, reference]}."""
    why = "mean of the highest of COCO's ten IoU thresholds that a true detection reaches, in %"
    return _compare("localisation", mean_fit, why, claim, evidence)


def _compare(
    kind: str,
    measure: Callable[[Path], float],
    why: str,
    claim: Mapping[str, Any],
    evidence: Evidence,
) -> Answer:
    """Difference of two rows over their shared seeds, its interval Student's."""
    rows, published, study = claim[kind], claim["published"], evidence.study
    if missing := missing_rows(rows, study):
        return not_testable(missing, published)
    row, reference = (_by_seed(study, name, measure) for name in rows)
    seeds = sorted(row.keys() & reference.keys())
    if not seeds:
        return not_testable(f"{rows[0]} and {rows[1]} share no seed", published, evidence.data)
    ours = t_interval([row[seed] - reference[seed] for seed in seeds])
    several = len(seeds) > 1
    return Answer(
        judge_direction(DIRECTIONS[published], ours),
        why if several else f"{ONE_SEED}; {why}",
        published,
        f"{ours.estimate:+.1f}",
        describe_interval(ours, "+") if several else "",
        str(len(seeds)),
        evidence.data,
    )


def _by_seed(study: Study, row: str, measure: Callable[[Path], float]) -> dict[int, float]:
    runs = study.runs(row)
    found = {
        int(seed): measure(study.folder / "runs" / run)
        for run, seed in zip(runs["run"], runs["seed"], strict=True)
    }
    return {seed: value for seed, value in found.items() if not np.isnan(value)}


def share_of_duplicates(run: Path) -> float:
    """Of a run's detections, in percent; NaN where it shows none."""
    shown = [one for one in RunFolder(run).detections() if one["score"] >= SHOWN]
    by_image: dict[int, list[Any]] = {}
    for one in sorted(shown, key=lambda one: -one["score"]):
        by_image.setdefault(one["image_id"], []).append(one["bbox"])
    repeated = 0
    for boxes in by_image.values():
        corners = box_convert(tensor(boxes), "xywh", "xyxy")
        repeated += int((box_iou(corners, corners).tril(-1) >= TWICE).any(dim=1).sum())
    return 100 * repeated / len(shown) if shown else float("nan")


def mean_fit(run: Path) -> float:
    """Mean IoU that true detections of a run reach, in percent, rounded down to a threshold.

    NaN without any.
    """
    records = RunFolder(run).matches()
    bits = records.loc[records["score"] >= SHOWN, "true_all"].to_numpy(np.int64)
    reached = [max(t for t in range(len(THRESHOLDS)) if own >> t & 1) for own in bits if own]
    return 100 * float(np.mean([THRESHOLDS[t] for t in reached])) if reached else float("nan")
