"""Two folders of one run side by side: what is equal, what may differ, and why it does."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.evaluation.bootstrap import RunSamples, resample_run
from pipelines.evaluation.coco import FIGURES, score_records
from pipelines.evaluation.intervals import Interval
from pipelines.runs.folder import RECORD_FILES
from pipelines.runs.parameters import split_name
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256

STATISTICAL_METRICS = ("AP", "AP50")
LEAST_MARGIN = 0.1
"""The last digit that tables print, in points."""
NORMAL_95 = 1.96


@dataclass(frozen=True)
class RunFolder:
    """What a run left of itself."""

    name: str
    record: Mapping[str, Any]
    spec: RunSpec
    detections: str
    history: str
    matches: pd.DataFrame
    figures: Mapping[str, float]
    """COCO's twelve, computed from the match records."""
    altered: Sequence[str]
    """Files that are not what `run.json` says they were."""

    @classmethod
    def read(cls, folder: Path) -> RunFolder:
        """Read and check a run folder.

        Raises:
            UserError: a file is missing or cannot be read, or the specification was changed.
        """
        texts = {name: _text(folder / name) for name in RECORD_FILES}
        try:
            record = json.loads(texts["run.json"])
            spec = RunSpec.parse(record["specification"], f"{folder.name}/run.json")
            same = spec.hash == record["specification_hash"]
            matches = pd.read_csv(io.StringIO(texts["matches.csv.gz"]))
            figures = score_records(matches).figures
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder.name}: is no run's record: {error!r}") from None
        if not same:
            raise UserError(f"{folder.name}/run.json: the specification was changed after the run")
        hashes = record.get("files_sha256", {})
        altered = [n for n in RECORD_FILES if hashes.get(n) not in (None, file_sha256(folder / n))]
        return cls(
            folder.name, record, spec, texts["detections.json.gz"], texts["history.csv"],
            matches, figures, altered,
        )  # fmt: skip


def differences(committed: RunFolder, new: RunFolder) -> list[str]:
    """What is not equal to the bit, in words; of the match records, the columns that were kept."""
    found = []
    if committed.detections != new.detections:
        pairs = list(zip_longest(json.loads(committed.detections), json.loads(new.detections)))
        found.append(f"{sum(a != b for a, b in pairs)} of {len(pairs)} detections")
    if committed.history != new.history:
        found.append("history")
    if committed.record.get("learned") != new.record.get("learned"):
        found.append("learned weights")
    if not new.matches.reindex(columns=committed.matches.columns).equals(committed.matches):
        found.append("match records")
    old, now = (np.array([run.figures[name] for name in FIGURES]) for run in (committed, new))
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


def within_intervals(runs: Path, committed: RunFolder, new: RunFolder) -> tuple[bool, str]:
    """Whether all figures are, and each in words."""
    row = split_name(committed.name)[0]
    seeds = [path for path in runs.iterdir() if split_name(path.name)[0] == row]
    figures = [RunFolder.read(path).figures for path in seeds]
    samples = resample_run(committed.matches)
    agrees, words = True, []
    for metric in STATISTICAL_METRICS:
        expected = expected_interval(samples, [own[metric] for own in figures], metric)
        value = new.figures[metric]
        within = expected.low <= value <= expected.high
        agrees &= within
        place = "within" if within else "outside"
        words.append(f"{metric} {value:.2f} {place} {expected.low:.2f} to {expected.high:.2f}")
    return agrees, ", ".join(words)


def explain(committed: RunFolder, new: RunFolder) -> str:
    """What the two records say was different when the two were made."""
    found = [f"{name} was changed after the run" for name in committed.altered]
    before, after = _circumstances(committed.record), _circumstances(new.record)
    for name in dict.fromkeys([*before, *after]):
        then, now = (side.get(name, "not recorded") for side in (before, after))
        if then != now:
            found.append(f"{name} {then} then, {now} now")
    commit = committed.record["code"]["commit"]
    if commit and before["code"] != after["code"]:
        found.append(f"its own code is commit {commit[:8]}")
    return "; ".join(found) or "same code, packages, machine, data and first weights"


def _circumstances(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a result may depend on beside its specification, as a report names it."""
    machine = dict(record["machine"])
    packages = {**machine.pop("packages"), **record.get("trainer", {}).get("packages", {})}
    splits = record["data"]["splits"]
    return {
        "code": record["code"]["code_hash"],
        **{name.replace("_", " "): value for name, value in machine.items()},
        **packages,
        **{f"{name} images": facts["images_sha256"][:12] for name, facts in splits.items()},
        **{f"{name} boxes": facts["annotations_sha256"][:12] for name, facts in splits.items()},
        "first weights": (record["first_weights_sha256"] or "none")[:12],
    }


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path.parent.name}/{path.name}: cannot be read: {error}") from None
