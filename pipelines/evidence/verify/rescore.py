"""One level deeper, where the data set is prepared: the detections scored anew."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from functools import cache
from pathlib import Path

from pipelines.data.dataset_spec import Fold
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.data.preparing import prepared_folder
from pipelines.data.tiling import Tiling
from pipelines.evaluation.coco import match_split
from pipelines.evidence.figures import object_sizes
from pipelines.evidence.study import Study
from pipelines.evidence.verify.rebuild import UNREADABLE, compare_texts, profile_record
from pipelines.evidence.verify.records import read_record
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
        record = read_record(runs / name)
        spec, split = record["specification"], record["data"]["splits"]["test"]
        fold = Fold(spec.get("fold", Fold.PUBLISHED))
        tiles = spec.get("tiles")
        tiling = Tiling(tiles, spec["tile_overlap"]) if tiles else None
        folder = data / prepared_folder(spec["dataset"], spec["input_size"], fold, tiling).name
        by_truth[folder, split["annotations_sha256"]].append(name)
    scoring, left_out = [], ""
    for truth, members in by_truth.items():
        try:
            open_truth(truth[0], "test", truth[1])
        except UserError as error:
            left_out += f"; {len(members)} left out: {error}"
            continue
        scoring += [pool.submit(_score_run, runs / name, *truth) for name in members]
    return left_out, scoring


def _score_run(folder: Path, data: Path, checksum: str) -> str | None:
    """What is wrong with a run's match records; None if they are the detections' own."""
    try:
        detections = json.loads(gzip.decompress((folder / "detections.json.gz").read_bytes()))
        again = match_split(_test_truth(data, checksum), detections).to_csv(index=False)
        committed = gzip.decompress((folder / "matches.csv.gz").read_bytes()).decode()
    except (*UNREADABLE, AssertionError) as error:
        return f"runs/{folder.name}/detections.json.gz: cannot be scored: {error!r}"
    if committed == again:
        return None
    return f"runs/{folder.name}/matches.csv.gz: {compare_texts(committed, again)}"


@cache
def _test_truth(folder: Path, checksum: str) -> PreparedSplit:
    return open_truth(folder, "test", checksum)


def check_sizes(study: Study, sizes: Path, data: Path) -> list[str]:
    """Hold the committed sizes of objects against the training split, where both are at hand."""
    folder = prepared_folder(
        study.spec.dataset, study.spec.input_size, study.spec.fold, study.spec.tiling
    ).name
    try:
        checksum = profile_record(study)["data"]["splits"]["train"]["annotations_sha256"]
        expected = object_sizes.size_counts(open_truth(data / folder, "train", checksum).coco)
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
