"""A tiny run, trained, kept as if committed, and trained again by the audit."""

import gzip
import json
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from pipelines.audit import main
from pipelines.data import preparing as prepare
from pipelines.data.preparation import Preparation
from pipelines.evaluation import run as train
from pipelines.evaluation.bootstrap import RunSamples
from pipelines.evidence.audit import audit as audit_module
from pipelines.evidence.audit import comparison
from pipelines.evidence.audit.audit import Verdict, audit, committed_runs, report
from pipelines.evidence.audit.comparison import expected_interval, explain
from pipelines.runs.folder import RECORD_FILES, RunFolder, write_gzip
from pipelines.runs.registry import Entry
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256
from pipelines.training import run as training_run
from tests.pipelines.own_coco import write_coco

NAME = "tiny-s0"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with one committed run of six steps; checkpoints and data lie in it."""
    root = tmp_path_factory.mktemp("repository")
    write_coco(root / "own")
    patch = pytest.MonkeyPatch()
    patch.setattr(prepare, "DATA", root / "data")
    patch.setattr(training_run, "REPOSITORY", root)
    spec = RunSpec(
        dataset=str(root / "own"),
        input_size=64,
        iterations=6,
        batch_size=2,
        width=0.25,
        threads=1,
        warmup=2,
        learning_rate=0.01,
    )
    prepare.ensure_prepared(Preparation(spec.dataset, spec.input_size))
    train.run(spec, root / "trained" / NAME)
    yield root
    patch.undo()


@pytest.fixture
def runs(repository, tmp_path, monkeypatch):
    """A study of its own for each test: `results/quick/runs` with the committed run."""
    folder = tmp_path / "results" / "quick" / "runs"
    keep(repository / "trained" / NAME, folder / NAME)
    monkeypatch.setattr(audit_module, "RESULTS", tmp_path / "results")
    return folder


def keep(trained, folder):
    folder.parent.mkdir(parents=True, exist_ok=True)
    RunFolder(trained).copy_records(folder)
    return RunFolder(folder)


def edit_record(folder, change):
    record = json.loads((folder / "run.json").read_text())
    change(record)
    (folder / "run.json").write_text(json.dumps(record))


def seal(folder):
    sums = {name: file_sha256(folder / name) for name in RECORD_FILES[1:]}
    edit_record(folder, lambda record: record.update(files_sha256=sums))


def edit_one_digit(path):
    """The score of the first detection, in its last place."""
    found = json.loads(gzip.decompress(path.read_bytes()))
    found[0]["score"] = round(found[0]["score"] + 1e-6, 6)
    write_gzip(path, json.dumps(found, separators=(",", ":")))
    return len(found)


def start(monkeypatch, *arguments):
    """The exit code of the command."""
    monkeypatch.setattr(sys, "argv", ["audit", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


def test_an_honest_run_agrees_and_what_was_trained_is_kept_if_wanted(
    runs, repository, tmp_path, monkeypatch, capsys
):
    edit_record(runs / NAME, lambda record: record["cost"].update(training_seconds=83.6))
    before = {path.name: path.read_bytes() for path in (runs / NAME).iterdir()}
    assert start(monkeypatch, "--names", NAME, "--keep", tmp_path / "kept") == 0
    printed = capsys.readouterr()
    ap = comparison.figures(RunFolder(runs / NAME))["AP"]
    line = rf"^\| {NAME} *\| bitwise *\| agrees *\| {ap:.2f} *\| {ap:.2f} *\| *\|$"
    assert re.search(line, printed.out, re.MULTILINE)
    assert f"run 1 of 1: {NAME}, trained in 0:01:24 then" in printed.err
    assert (tmp_path / "kept" / f"audit-{NAME}" / "model.safetensors").exists()
    assert {path.name: path.read_bytes() for path in (runs / NAME).iterdir()} == before
    assert list((repository / ".checkpoints").glob("*")) == []


def test_one_changed_digit_of_the_detections_is_found(runs, monkeypatch, capsys):
    count = edit_one_digit(runs / NAME / "detections.json.gz")
    assert start(monkeypatch, "--names", NAME) == 1
    out = capsys.readouterr().out
    assert "| disagrees | " in out
    assert f"1 of {count} detections: detections.json.gz was changed after the run" in out
    assert "history" not in out


def test_changed_match_records_and_history_are_found(runs, tmp_path):
    path = runs / NAME / "matches.csv.gz"
    matches = pd.read_csv(path)
    matches.loc[matches["score"].notna(), "true_all"] = 1023
    write_gzip(path, matches.to_csv(index=False))
    history = (runs / NAME / "history.csv").read_text()
    (runs / NAME / "history.csv").write_text(history.replace("6,", "7,", 1))
    seal(runs / NAME)
    (finding,) = audit(runs, [NAME], 1, tmp_path)
    assert finding.verdict is Verdict.DISAGREES
    found, _, reason = finding.reason.partition(": ")
    assert found.startswith("history, match records, AP, AP50, ")
    assert reason == "same code, packages, machine, data and first weights"


def test_records_kept_before_a_column_was_added_agree(runs, tmp_path):
    path = runs / NAME / "matches.csv.gz"
    older = pd.read_csv(path).drop(columns=["true_voc", "ignored_voc"])
    write_gzip(path, older.to_csv(index=False))
    (finding,) = audit(runs, [NAME], 1, tmp_path)
    assert (finding.verdict, finding.reason) == (Verdict.AGREES, "")


def test_a_file_that_cannot_be_read_is_a_disagreement(runs, tmp_path):
    path = runs / NAME / "detections.json.gz"
    path.write_bytes(path.read_bytes()[:-20])
    (finding,) = audit(runs, [NAME], 1, tmp_path)
    assert finding.verdict is Verdict.DISAGREES
    assert finding.reason.startswith(f"{NAME}/detections.json.gz: cannot be read: ")


def test_what_was_different_is_named(runs):
    def change(record):
        record["code"] |= {"code_hash": "0123456789ab", "commit": "fedcba9876543210"}
        record["machine"]["packages"]["torch"] = "1.0"
        record["machine"]["device"] = "an abacus"
        del record["machine"]["packages"]["scipy"]
        record["first_weights_sha256"] = "5" * 64
        record["data"]["splits"]["test"]["annotations_sha256"] = "7" * 64

    new = keep(runs / NAME, runs.parent / "new")
    edit_record(runs / NAME, change)
    machine, data = new.record().machine, new.record().splits
    assert explain(RunFolder(runs / NAME), new).split("; ") == [
        f"code 0123456789ab then, {new.record().code.code_hash} now",
        f"device an abacus then, {machine.device} now",
        f"torch 1.0 then, {machine.packages['torch']} now",
        f"test boxes 777777777777 then, {data['test']['annotations_sha256'][:12]} now",
        "first weights 555555555555 then, none now",
        f"scipy not recorded then, {machine.packages['scipy']} now",
        "its own code is commit fedcba98",
    ]


def test_an_edited_specification_is_a_disagreement_without_training(runs, tmp_path):
    edit_record(runs / NAME, lambda record: record["specification"].update(iterations=7))
    (finding,) = audit(runs, [NAME], 1, tmp_path / "new")
    assert finding.verdict is Verdict.DISAGREES
    assert finding.reason == f"{NAME}/run.json: the specification was changed after the run"
    assert not (tmp_path / "new").exists()
    assert "—" in report([finding])


def test_a_run_without_its_data_or_weights_gives_way_to_the_next(runs, tmp_path, monkeypatch):
    def lacks(name, **changes):
        shutil.copytree(runs / NAME, runs / name)
        spec = RunSpec.parse(
            {**json.loads((runs / NAME / "run.json").read_text())["specification"], **changes}, name
        )
        edit_record(
            runs / name,
            lambda r: r.update(specification=spec.to_dict(), specification_hash=spec.hash),
        )

    lacks("no-data-s0", dataset=str(tmp_path / "gone"))
    lacks("no-weights-s0", init="gone/model.safetensors")
    findings = list(audit(runs, ["no-data-s0", "no-weights-s0", NAME, "never"], 1, tmp_path))
    assert [f.run for f in findings] == ["no-data-s0", "no-weights-s0", NAME]
    assert [f.verdict for f in findings] == [Verdict.NOT_HERE] * 2 + [Verdict.AGREES]
    assert "no such data set folder" in findings[0].reason
    assert "no file gone/model.safetensors" in findings[1].reason
    assert start(monkeypatch, "--names", "no-data-s0") == 1


def test_the_same_seed_chooses_the_same_runs(runs, tmp_path, monkeypatch):
    for seed in range(1, 9):
        shutil.copytree(runs / NAME, runs / f"tiny-s{seed}")
    orders: list[list[str]] = []

    def note_order(runs, order, wanted, place):
        orders.append(order)
        return []

    monkeypatch.setattr(audit_module, "audit", note_order)
    for seed in (0, 0, 1):
        assert start(monkeypatch, "quick", "--runs", 4, "--seed", seed) == 1
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == committed_runs(runs)


def test_wrong_requests_are_refused_with_the_right_ones(runs, tmp_path, monkeypatch):
    shutil.copytree(runs / NAME, runs / "other-s1")
    with pytest.raises(UserError, match="no run 'tiny'; there are other-s1, tiny-s0"):
        committed_runs(runs, [NAME, "tiny"])
    assert committed_runs(runs, [NAME, "other-s1", NAME]) == [NAME, "other-s1"]
    with pytest.raises(UserError, match="slow: no committed runs; there are those of quick"):
        committed_runs(tmp_path / "results" / "slow" / "runs")
    monkeypatch.setattr(sys, "argv", ["audit", "--runs", "3"])
    with pytest.raises(UserError, match="--runs must be 1 to 2, not 3"):
        main()


def samples(point, replicates):
    return RunSamples({"AP": point}, {"AP": np.asarray(replicates, float)})


def test_one_seed_alone_allows_the_bootstrap_s_interval():
    interval = expected_interval(samples(20.0, np.linspace(0, 40, 401)), [20.0], "AP")
    assert (interval.low, interval.high) == pytest.approx((1.0, 39.0))


def test_several_seeds_widen_it_by_the_difference_of_two_trainings():
    # Margins 3 below and 1 above; s = √2 over 19 and 21, so that 1.96·√2·s = 3.92.
    run = samples(20.0, [17.0] * 50 + [21.0] * 50)
    interval = expected_interval(run, [19.0, 21.0], "AP")
    assert interval.low == pytest.approx(20 - (3**2 + 3.92**2) ** 0.5)
    assert interval.high == pytest.approx(20 + (1**2 + 3.92**2) ** 0.5)


def test_a_tenth_of_a_point_is_always_allowed():
    interval = expected_interval(samples(0.0, np.zeros(100)), [0.0], "AP")
    assert (interval.low, interval.high) == pytest.approx((-0.1, 0.1))


def test_a_statistical_run_agrees_within_its_intervals_alone(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(Entry, "agreement", lambda *_: "statistical")
    edit_one_digit(runs / NAME / "detections.json.gz")
    (finding,) = audit(runs, [NAME], 1, tmp_path)
    assert finding.verdict is Verdict.AGREES
    assert re.match(r"AP [\d.]+ within -?[\d.]+ to [\d.]+, AP50 [\d.]+ within ", finding.reason)
    wide = comparison.expected_interval
    monkeypatch.setattr(
        comparison,
        "expected_interval",
        lambda run, seeds, metric: wide(samples(99.0, [99.0]), seeds, "AP"),
    )
    (finding,) = audit(runs, [NAME], 1, tmp_path)
    assert finding.verdict is Verdict.DISAGREES
    assert "outside 98.90 to 99.10" in finding.reason


def test_an_interrupted_audit_is_taken_up_again(runs, repository, tmp_path, monkeypatch):
    spec = RunFolder(runs / NAME).record().spec
    found: list[str] = []
    whole = training_run.detect_all

    def interrupted(*arguments):
        found.extend(path.name for path in (repository / ".checkpoints").iterdir())
        raise KeyboardInterrupt

    train_for_good = train.run
    monkeypatch.setattr(audit_module, "run", lambda spec, folder: train_for_good(spec, folder, 0))
    monkeypatch.setattr(training_run, "detect_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(audit(runs, [NAME], 1, tmp_path))
    assert found == [f"audit-{NAME}-{spec.hash}.pt"]
    monkeypatch.setattr(training_run, "detect_all", whole)
    (finding,) = audit(runs, [NAME], 1, tmp_path)
    assert finding.verdict is Verdict.AGREES
