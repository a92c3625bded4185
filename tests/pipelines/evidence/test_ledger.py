"""The ledger takes in finished runs of the study's own specifications and loses none."""

import json

import pandas as pd
import pytest

from pipelines.evaluation.coco import match_records, score_records
from pipelines.evaluation.voc import Definition, voc_map
from pipelines.evidence.ledger import ledger_row, take_in
from pipelines.runs.folder import RECORD_FILES
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256
from tests.pipelines.random_cases import random_case
from tests.pipelines.records import record_of


def write_run(folder, spec, mark="", hash_=None):
    folder.mkdir(parents=True)
    for file in RECORD_FILES:
        (folder / file).write_text(mark)
    record = record_of(
        spec,
        folder.name,
        specification_hash=hash_ or spec.hash,
        agreement="statistical",
        mark=mark,
    )
    seal(folder, record)


def seal(folder, record):
    """Write run.json with the hashes of what stands beside it."""
    record["files_sha256"] = {name: file_sha256(folder / name) for name in RECORD_FILES[1:]}
    (folder / "run.json").write_text(json.dumps(record))


def test_a_new_training_takes_the_place_of_the_old_and_the_rest_stays(tmp_path):
    study = {f"row-s{seed}": RunSpec(seed=seed) for seed in range(4)}
    trained, runs = tmp_path / "trained", tmp_path / "runs"
    write_run(runs / "row-s0", study["row-s0"], "old")
    write_run(trained / "row-s0", study["row-s0"], "new")
    write_run(runs / "row-s1", study["row-s1"], "kept")
    write_run(runs / "row-s2", RunSpec(seed=2, iterations=7), "of another specification")
    write_run(runs / "gone-s0", RunSpec(seed=9), "no longer in the study")
    (trained / "row-s0" / "model.safetensors").write_text("weights")
    assert take_in(study, trained, runs) == ["row-s0", "row-s1"]
    assert sorted(path.name for path in runs.iterdir()) == ["row-s0", "row-s1"]
    assert (runs / "row-s0" / "history.csv").read_text() == "new"
    assert (runs / "row-s1" / "history.csv").read_text() == "kept"
    assert sorted(path.name for path in (runs / "row-s0").iterdir()) == sorted(RECORD_FILES)


def test_a_row_s_figures_are_computed_from_its_match_records(tmp_path):
    spec = RunSpec(seed=3, class_weights=(1.0, 4.0, 3.7))
    folder = tmp_path / "some-row-s3"
    write_run(folder, spec)
    records = match_records(*random_case(3))
    records.to_csv(folder / "matches.csv.gz", index=False)
    seal(folder, json.loads((folder / "run.json").read_text()))
    row = ledger_row(folder)
    assert (row["row"], row["seed"], row["class_weights"]) == ("some-row", 3, "1/4/3.7")
    figures = score_records(pd.read_csv(folder / "matches.csv.gz")).figures
    assert (row["AP"], row["AR10"]) == (figures["AP"], figures["AR10"])
    assert row["VOC07"] == voc_map(records, Definition.VOC07)
    assert row["AP_class 1"] == score_records(records).class_ap["class 1"]
    assert (row["device"], row["agreement"]) == ("A processor", "statistical")


@pytest.mark.parametrize(
    ("detector", "optimiser"),
    [
        ("scale-aware-ssd", "adamw"),
        ("lapnet", "adamw"),
        ("faster-rcnn-r50", "sgd"),
        ("ssd-mobilenet-v2-tf", "sgd"),
        ("ssdlite-mobilenet-v3", "adamw"),
    ],
)
def test_the_optimiser_is_that_of_whoever_trained_it(detector, optimiser, tmp_path):
    folder = tmp_path / "row-s0"
    write_run(folder, RunSpec.parse({"detector": detector}, "test"))
    match_records(*random_case(3)).to_csv(folder / "matches.csv.gz", index=False)
    seal(folder, json.loads((folder / "run.json").read_text()))
    assert ledger_row(folder)["optimiser"] == optimiser


@pytest.mark.parametrize("name", RECORD_FILES[1:])
def test_a_file_changed_after_the_run_is_refused(tmp_path, name):
    write_run(tmp_path / "row-s0", RunSpec())
    (tmp_path / "row-s0" / name).write_text("another")
    with pytest.raises(UserError, match=f"{name}: was changed after the run"):
        ledger_row(tmp_path / "row-s0")


def test_a_specification_edited_after_the_run_is_refused(tmp_path):
    write_run(tmp_path / "row-s0", RunSpec(iterations=601), hash_=RunSpec(iterations=600).hash)
    with pytest.raises(UserError, match="the specification was changed"):
        ledger_row(tmp_path / "row-s0")
