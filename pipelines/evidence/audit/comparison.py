"""Two folders of one run side by side: what is equal, what may differ, and why it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

import numpy as np

from pipelines.evaluation.bootstrap import RunSamples, resample_run
from pipelines.evaluation.coco import FIGURES, score_records
from pipelines.evaluation.intervals import NORMAL_95, Interval
from pipelines.runs.folder import DETECTIONS, HISTORY, MATCHES, RECORD, RECORD_FILES, RunFolder
from pipelines.runs.parameters import split_name
from pipelines.runs.record import Record
from pipelines.system.errors import UserError

STATISTICAL_METRICS = ("AP", "AP50")
LEAST_MARGIN = 0.1
"""The last digit that tables print, in points."""


def check_run(run: RunFolder) -> None:
    """Read a run folder whole.

    Raises:
        UserError: a file is missing or cannot be read, or the specification was changed.
    """
    if run.record().specification_changed:
        raise UserError(f"{run.name}/{RECORD}: the specification was changed after the run")
    for name in RECORD_FILES:
        run.text(name)
    try:
        figures(run)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{run.name}/{MATCHES}: cannot be scored: {error!r}") from None


def figures(run: RunFolder) -> Mapping[str, float]:
    """COCO's twelve in percent, computed from the match records."""
    return score_records(run.matches()).figures


def differences(committed: RunFolder, new: RunFolder) -> list[str]:
    """What is not equal to the bit, in words; of the match records, the columns that were kept."""
    found = []
    if committed.text(DETECTIONS) != new.text(DETECTIONS):
        pairs = list(zip_longest(committed.detections(), new.detections()))
        found.append(f"{sum(a != b for a, b in pairs)} of {len(pairs)} detections")
    if committed.text(HISTORY) != new.text(HISTORY):
        found.append("history")
    if committed.record().learned != new.record().learned:
        found.append("learned weights")
    matches = committed.matches()
    if not new.matches().reindex(columns=matches.columns).equals(matches):
        found.append("match records")
    of_both = figures(committed), figures(new)
    old, now = (np.array([own[name] for name in FIGURES]) for own in of_both)
    equal = (old == now) | (np.isnan(old) & np.isnan(now))
    return found + [name for name, same in zip(FIGURES, equal, strict=True) if not same]


def expected_interval(run: RunSamples, seeds: Sequence[float], metric: str) -> Interval:
    """Where a figure of a run trained again must fall.

    Around the committed figure: the 95 % interval of its bootstrap over test images and, where the
    row has several seeds, ±1.96·√2·s for the difference of two trainings, s the standard deviation
    over the seeds; the two margins added in squares, and each side at least a tenth of a point.
    (Student's t in the place of 1.96 would let two or three seeds allow anything.)

    Args:
        run: the committed run, resampled.
        seeds: the figure of every committed run of its row.
        metric: one of `statistics.METRICS`.
    """
    point = run.point[metric]
    low, high = np.percentile(run.replicates[metric], [2.5, 97.5])
    training = NORMAL_95 * np.sqrt(2) * np.std(seeds, ddof=1) if len(seeds) > 1 else 0.0
    below, above = (
        max(float(np.hypot(max(margin, 0), training)), LEAST_MARGIN)
        for margin in (point - low, high - point)
    )
    return Interval(point, point - below, point + above)


def within_intervals(committed: RunFolder, new: RunFolder) -> tuple[bool, str]:
    """Whether all figures are, and each in words; seeds of the run lie beside it."""
    row = split_name(committed.name)[0]
    folders = [path for path in committed.path.parent.iterdir() if split_name(path.name)[0] == row]
    seeds = [figures(RunFolder(path)) for path in folders]
    samples, now = resample_run(committed.matches()), figures(new)
    agrees, words = True, []
    for metric in STATISTICAL_METRICS:
        expected = expected_interval(samples, [own[metric] for own in seeds], metric)
        value = now[metric]
        within = expected.low <= value <= expected.high
        agrees &= within
        place = "within" if within else "outside"
        words.append(f"{metric} {value:.2f} {place} {expected.low:.2f} to {expected.high:.2f}")
    return agrees, ", ".join(words)


def explain(committed: RunFolder, new: RunFolder) -> str:
    """What the two records say was different when the two were made."""
    found = [f"{name} was changed after the run" for name in committed.altered()]
    record = committed.record()
    before, after = _circumstances(record), _circumstances(new.record())
    for name in dict.fromkeys([*before, *after]):
        then, now = (side.get(name, "not recorded") for side in (before, after))
        if then != now:
            found.append(f"{name} {then} then, {now} now")
    if record.code.commit and before["code"] != after["code"]:
        found.append(f"its own code is commit {record.code.commit[:8]}")
    return "; ".join(found) or "same code, packages, machine, data and first weights"


def _circumstances(record: Record) -> dict[str, Any]:
    """What a result may depend on beside its specification, as a report names it."""
    machine = asdict(record.machine)
    packages = {**machine.pop("packages"), **(record.trainer or {}).get("packages", {})}
    return {
        "code": record.code.code_hash,
        **{name.replace("_", " "): value for name, value in machine.items()},
        **packages,
        **{f"{name} images": own["images_sha256"][:12] for name, own in record.splits.items()},
        **{f"{name} boxes": own["annotations_sha256"][:12] for name, own in record.splits.items()},
        "first weights": (record.first_weights_sha256 or "none")[:12],
    }
