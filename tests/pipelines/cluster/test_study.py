"""Which runs of the project's studies are trained, in what order, and with what."""

import os
import subprocess
from itertools import product
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cluster.launch import (
    Place,
    Where,
    as_runs,
    launch,
    parents,
    pipeline_file,
    preview,
    rebuild,
    stood_on,
    with_children,
)
from pipelines.cluster.local import DVC
from pipelines.cluster.schedule import Resources
from pipelines.runs.parameters import declared_runs, read_parameters, stage_names
from pipelines.runs.spec import RunSpec
from tests.pipelines.cluster.toy import make_pipeline


def test_every_run_of_the_project_has_a_stage():
    listed = subprocess.run(
        [*DVC, "stage", "list", "--name-only", "--all"], capture_output=True, text=True, check=True
    ).stdout.split()
    parameters = read_parameters()
    for profile in ("quick", "reference", "full", "paper-tomatod", "paper-voc", "paper-coco"):
        prefix = "" if profile == "quick" else f"results/{profile}/dvc.yaml:"
        stages = stage_names(parameters, profile)
        assert list(stages) == list(declared_runs(parameters, profile))
        assert {prefix + stage for stage in stages.values()} <= set(listed)


def test_a_run_comes_after_the_one_whose_weights_it_takes():
    parameters = read_parameters()
    found = parents(declared_runs(parameters, "quick"))
    expected = {f"pretrained-s{seed}": "pretraining-s0" for seed in range(3)}
    for row, seed in product(("released-score-floor", "released-whole-pixels"), range(3)):
        expected[f"{row}-s{seed}"] = f"sampler-dns-s{seed}"
    assert found == expected
    order = list(stage_names(parameters, "quick"))
    assert all(order.index(parent) < order.index(run) for run, parent in found.items())


def test_a_run_is_stale_with_the_one_it_starts_from_and_comes_after_it():
    stages = {name: f"train@{name}" for name in ("grandchild", "child", "first", "other")}
    starts = {"grandchild": "child", "child": "first"}
    assert list(with_children(stages, starts, {"train@first", "ledger"})) == [
        "first",
        "child",
        "grandchild",
    ]
    assert list(with_children(stages, starts, {"train@child"})) == ["child", "grandchild"]
    assert list(with_children(stages, starts, {"train@other"})) == ["other"]
    assert with_children(stages, starts, set()) == {}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10), st.sets(st.integers(0, 9)))
def test_children_follow_their_parents_whatever_the_order(links, stale):
    """Run i starts from an earlier one, `links[i] % i`; the runs are listed last to first."""
    names = [str(i) for i in range(len(links))]
    starts = {names[i]: names[links[i] % i] for i in range(1, len(links))}
    found = list(with_children({n: n for n in reversed(names)}, starts, {str(i) for i in stale}))
    assert len(found) == len(set(found))
    for i, name in enumerate(names):
        above = starts.get(name)
        assert (name in found) == (i in stale or above in found)
        if above in found and name in found:
            assert found.index(above) < found.index(name)


def test_what_is_done_but_started_from_is_given_to_the_workers():
    stages = {"first": "pretrain@first", "child": "finetune@child", "other": "train@other"}
    starts = {"child": "first"}
    assert stood_on({"child": "", "other": ""}, stages, starts) == ["pretrain@first"]
    assert stood_on({"first": "", "child": ""}, stages, starts) == []


def test_a_run_waits_only_for_a_parent_that_is_trained_too():
    specs = {
        "first-s0": RunSpec(threads=2),
        "child-s0": RunSpec(init="results/x/trained/first-s0/model.safetensors", seed=1),
    }
    both = as_runs({"first-s0": "train@first-s0", "child-s0": "tune@child-s0"}, specs)
    assert [(run.name, run.stage, run.parent, run.cpus) for run in both] == [
        ("first-s0", "train@first-s0", None, 2),
        ("child-s0", "tune@child-s0", "first-s0", 0),
    ]
    (alone,) = as_runs({"child-s0": "tune@child-s0"}, specs)
    assert alone.parent is None


def test_the_preview_names_every_missing_run_with_its_resources(monkeypatch):
    monkeypatch.setattr("pipelines.cluster.launch._clones", lambda launcher, where: None)
    monkeypatch.setattr("pipelines.cluster.local.Launcher.stale", lambda launcher: set())
    monkeypatch.setattr("pipelines.cluster.launch._is_planned", lambda name, spec: False)
    where = Where(Place.SLURM, resources=Resources(gpus=1, memory=16, minutes=60, partition="long"))
    lines = preview("quick", where).splitlines()
    runs = declared_runs(read_parameters(), "quick")
    assert lines[0] == f"{len(runs)} runs to train of {len(runs)}, on slurm"
    told = "1 CPUs, 1 GPUs, 16 GiB, 60 minutes at a stretch, partition long"
    assert f"sampler-dns-s0: {told}" in lines
    assert f"pretrained-s1: {told}, after pretraining-s0" in lines
    monkeypatch.setattr("pipelines.cluster.launch._is_planned", lambda name, spec: True)
    assert preview("quick", where) == f"0 runs to train of {len(runs)}, on slurm"


def test_a_study_is_up_to_date_until_what_the_workbench_reads_has_changed(
    tmp_path, monkeypatch, capsys
):
    stages = {
        "plan": {"cmd": "touch plan", "outs": ["plan"]},
        "data": {"cmd": "touch data", "outs": ["data"]},
        "inputs": {
            "cmd": "cat labels > inputs",
            "always_changed": True,
            "outs": [{"inputs": {"cache": False}}],
        },
        "workbench": {"cmd": "cp inputs run", "deps": ["inputs"], "outs": ["run"]},
    }
    launcher = make_pipeline(tmp_path, {})
    (launcher.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    no_runs: dict[str, Any] = {"settings": {}, "overrides": {}, "runs": {}}
    monkeypatch.setattr("pipelines.cluster.launch.REPOSITORY", tmp_path)
    monkeypatch.setattr(
        "pipelines.cluster.launch.read_parameters", lambda: {"profiles": {"quick": no_runs}}
    )
    for labels in ("wrong", "right"):
        (tmp_path / "labels").write_text(labels)
        launch("quick", 1)
        assert "up to date" not in capsys.readouterr().out
        assert (tmp_path / "run").read_text() == labels
        launch("quick", 1)
        assert "The study quick is up to date." in capsys.readouterr().out


def test_a_run_whose_detector_is_not_there_is_left_out_until_it_is(tmp_path, monkeypatch, capsys):
    runs = ["own-s0", "rival-s0", "child-s0"]
    train = {
        "matrix": {"run": runs},
        "cmd": "mkdir -p trained && touch trained/${item.run}",
        "outs": ["trained/${item.run}"],
    }
    stages = {
        "plan": {"cmd": "touch plan", "outs": ["plan"]},
        "data": {"cmd": "touch data", "outs": ["data"]},
        "train": train,
        "ledger": {"cmd": "ls trained > ledger", "deps": ["trained"], "outs": ["ledger"]},
        "report": {"cmd": "cp ledger report", "deps": ["ledger"], "outs": ["report"]},
    }
    launcher = make_pipeline(tmp_path, {})
    (launcher.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    profile = {"settings": {}, "overrides": {}, "runs": {"train": runs}}
    rival = {"detector": "ssd-mobilenet-v2-tf", "precision": "fp32", "schedule": "cosine"}
    rows = {"own": {}, "rival": rival, "child": {"init": "trained/rival-s0/model.safetensors"}}
    parameters = {"rows": rows, "profiles": {"quick": profile}}
    monkeypatch.setattr("pipelines.cluster.launch.REPOSITORY", tmp_path)
    monkeypatch.setattr("pipelines.cluster.launch.read_parameters", lambda: parameters)
    python = tmp_path / "bin/python"
    monkeypatch.setattr("baselines.tf_od.environment.PYTHON", python)
    launch("quick", 1)
    said = capsys.readouterr().err
    assert "rival-s0 is left out: TensorFlow's environment" in said
    assert "child-s0 is left out" in said
    assert (tmp_path / "report").read_text() == "own-s0\n"
    launch("quick", 1)
    assert "The study quick is up to date." in capsys.readouterr().out
    python.parent.mkdir()
    python.touch()
    launch("quick", 1)
    assert (tmp_path / "report").read_text() == "child-s0\nown-s0\nrival-s0\n"


def test_a_study_with_a_pipeline_file_of_its_own_uses_it():
    assert pipeline_file("quick") == "dvc.yaml"
    assert pipeline_file("reference") == "results/reference/dvc.yaml"


MEET = (
    "test -s ledger && test -s speed && touch {own}.begun && "
    "for _ in $(seq 600); do test -e {other}.begun && break; sleep 0.1; done; "
    "test -e {other}.begun && touch {own}"
)
"""A stage that needs both measurements, and ends only where another begins before its end."""


def test_what_follows_from_the_measurements_alone_is_rebuilt_side_by_side(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    launcher = make_pipeline(
        tmp_path,
        {
            "tables": MEET.format(own="tables", other="claims"),
            "claims": MEET.format(own="claims", other="tables"),
            "ledger": "echo measured > ledger",
            "speed": "echo measured > speed",
            "report": "test -e tables && test -e claims && touch report",
        },
    )
    rebuild(launcher, launcher.stale())
    assert launcher.stale() == set()


def test_without_tables_to_rebuild_the_pipeline_is_run_as_it_is(tmp_path):
    launcher = make_pipeline(tmp_path, {"ledger": "touch ledger", "tables": "touch tables"})
    rebuild(launcher, {"ledger", "tables"})
    assert launcher.stale() == set()
