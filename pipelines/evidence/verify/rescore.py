"""One level deeper, where the data set is prepared: the detections scored anew."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pipelines.data.dataset_spec import Fold
from pipelines.data.prepared import load_prepared
from pipelines.data.preparing import prepared_folder
from pipelines.data.records import CocoSplit
from pipelines.evaluation.coco import match_records
from pipelines.evidence.figures import figure1
from pipelines.evidence.figures.draw import SIZES
from pipelines.evidence.study import Study
from pipelines.evidence.verify.rebuild import UNREADABLE, compare_texts, profile_record
from pipelines.evidence.verify.records import read_record
from pipelines.system.errors import UserError


def score_anew(runs: Path, names: Sequence[str], data: Path) -> tuple[str, list[str]]:
    """Match the detections of these runs with the truth again and compare the match records.

    Args:
        runs: the study's committed runs.
        names: those to score.
        data: where prepared data sets lie.

    Returns:
        What was done, or why not, and the findings.
    """
    by_truth: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in names:
        record = read_record(runs / name)
        spec, split = record["specification"], record["data"]["splits"]["test"]
        fold = Fold(spec.get("fold", Fold.PUBLISHED))
        folder = prepared_folder(spec["dataset"], spec["input_size"], fold).name
        by_truth[folder, split["annotations_sha256"]].append(name)
    scored, left_out, findings = 0, [], []
    for (folder, checksum), members in by_truth.items():
        try:
            truth = open_truth(data / folder, "test", checksum).to_coco()
        except UserError as error:
            left_out.append(f"; {len(members)} left out: {error}")
            continue
        scored += len(members)
        for name in members:
            if finding := _score_run(runs / name, truth):
                findings.append(f"runs/{name}/{finding}")
    return f"{scored} runs scored anew" + "".join(left_out), findings


def _score_run(folder: Path, truth: dict[str, object]) -> str | None:
    """What is wrong with a run's match records; None if they are the detections' own."""
    try:
        detections = json.loads(gzip.decompress((folder / "detections.json.gz").read_bytes()))
        again = match_records(truth, detections).to_csv(index=False)
        committed = gzip.decompress((folder / "matches.csv.gz").read_bytes()).decode()
    except (*UNREADABLE, AssertionError) as error:
        return f"detections.json.gz: cannot be scored: {error!r}"
    return None if committed == again else f"matches.csv.gz: {compare_texts(committed, again)}"


def check_sizes(study: Study, figures: Path, data: Path) -> list[str]:
    """Hold the sizes behind Figure 1 against the training split, where both are at hand."""
    folder = prepared_folder(study.spec.dataset, study.spec.input_size, study.spec.fold).name
    try:
        checksum = profile_record(study)["data"]["splits"]["train"]["annotations_sha256"]
        expected = figure1.size_counts(open_truth(data / folder, "train", checksum))
        committed = figure1.read_counts(figures / SIZES)
    except UserError:
        return []
    if committed.tolist() == expected.tolist():
        return []
    return [f"figures/{SIZES}: other sizes than the training split's"]


def open_truth(folder: Path, split: str, checksum: str) -> CocoSplit:
    """The annotations of a prepared split, if they are those with this checksum.

    Raises:
        UserError: they are not at hand, or others.
    """
    place = f"data/{folder.name}"
    if not (folder / "manifest.json").is_file():
        raise UserError(f"{place} is not prepared here")
    coco = load_prepared(folder, split).coco
    manifest = json.loads((folder / "manifest.json").read_text())
    if manifest["splits"][split]["annotations_sha256"] != checksum:
        raise UserError(f"{place} holds other {split} annotations than the runs had")
    return coco
