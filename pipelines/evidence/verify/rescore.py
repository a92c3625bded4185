"""One level deeper, where the data set is prepared: the detections scored anew."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from functools import cache
from pathlib import Path

from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.data.preparing import prepared_folder
from pipelines.evaluation.coco import match_split
from pipelines.evidence.figures import object_sizes
from pipelines.evidence.study import Study
from pipelines.evidence.verify.rebuild import UNREADABLE, compare_texts, profile_record
from pipelines.runs.folder import DETECTIONS, MATCHES, RunFolder
from pipelines.runs.record import Record
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError


def start_scoring(
    runs: Path, names: Sequence[str], data: Path, pool: Executor
) -> tuple[str, list[Future[str | None]]]:
    """Begin to match the detections of these runs with the truth again.

    Args:
        runs: the study's committed runs.
        names: those to score.
        data: where prepared data sets lie.
        pool: where they are scored.

    Returns:
        Which are left out and why, and of each other one what is wrong with its match records.
    """
    by_truth: dict[tuple[Path, str], list[str]] = defaultdict(list)
    for name in names:
        record = RunFolder(runs / name).record()
        by_truth[data / _data_name(record.spec), _checksum(record, "test")].append(name)
    scoring, left_out = [], ""
    for truth, members in by_truth.items():
        try:
            open_truth(truth[0], "test", truth[1])
        except UserError as error:
            left_out += f"; {len(members)} left out: {error}"
            continue
        scoring += [pool.submit(_score_run, runs / name, *truth) for name in members]
    return left_out, scoring


def _data_name(spec: RunSpec) -> str:
    """Of the folder with the prepared data of a run."""
    return prepared_folder(spec.preparation).name


def _checksum(record: Record, split: str) -> str:
    """Of the annotations that a run had of a split."""
    return str(record.splits[split]["annotations_sha256"])


def _score_run(folder: Path, data: Path, checksum: str) -> str | None:
    """What is wrong with a run's match records; None if they are the detections' own."""
    run = RunFolder(folder)
    try:
        again = match_split(_test_truth(data, checksum), run.detections()).to_csv(index=False)
        committed = run.text(MATCHES)
    except (*UNREADABLE, AssertionError) as error:
        return f"runs/{run.name}/{DETECTIONS}: cannot be scored: {error!r}"
    if committed == again:
        return None
    return f"runs/{run.name}/{MATCHES}: {compare_texts(committed, again)}"


@cache
def _test_truth(folder: Path, checksum: str) -> PreparedSplit:
    return open_truth(folder, "test", checksum)


def check_sizes(study: Study, sizes: Path, data: Path) -> list[str]:
    """Hold the committed sizes of objects against the training split, where both are at hand."""
    try:
        checksum = _checksum(profile_record(study), "train")
        truth = open_truth(data / _data_name(study.spec), "train", checksum)
        expected = object_sizes.size_counts(truth.coco)
        committed = object_sizes.read_counts(sizes)
    except UserError:
        return []
    if committed.tolist() == expected.tolist():
        return []
    return [f"figures/{sizes.name}: other sizes than the training split's"]


def open_truth(folder: Path, split: str, checksum: str) -> PreparedSplit:
    """A prepared split, if its annotations are those with this checksum.

    Raises:
        UserError: they are not at hand, or others.
    """
    place = f"data/{folder.name}"
    if not (folder / "manifest.json").is_file():
        raise UserError(f"{place} is not prepared here")
    prepared = load_prepared(folder, split)
    manifest = json.loads((folder / "manifest.json").read_text())
    if manifest["splits"][split]["annotations_sha256"] != checksum:
        raise UserError(f"{place} holds other {split} annotations than the runs had")
    return prepared
