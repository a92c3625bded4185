"""Stages side by side in a real DVC repository, whose training is a shell command."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from pipelines.errors import UserError
from pipelines.launch import DVC, Launcher, jobs_that_fit, parents, stage_names
from pipelines.plan import read_parameters, study
from pipelines.spec import RunSpec

TRAIN = "date +%s.%N > {name}; sleep 1; date +%s.%N >> {name}"


def make_pipeline(folder, commands):
    (folder / "dvc.yaml").write_text(
        yaml.safe_dump(
            {"stages": {name: {"cmd": cmd, "outs": [name]} for name, cmd in commands.items()}}
        )
    )
    subprocess.run([*DVC, "init", "-q", "--no-scm"], cwd=folder, check=True)
    return Launcher(folder, "dvc.yaml")


def same_names(*names):
    return {name: name for name in names}


def times(folder, name):
    begin, end = (folder / name).read_text().split()
    return float(begin), float(end)


def wait_for_end(pid, seconds=20):
    """Until the process is gone, or has only its parent to wait for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still at work")


def test_stages_run_side_by_side_but_after_their_parents_and_once(tmp_path):
    names = ("parent", "other", "child")
    launcher = make_pipeline(tmp_path, {name: TRAIN.format(name=name) for name in names})
    assert launcher.stale() == set(names)
    launcher.train(same_names(*names), {"child": "parent"}, 3, "test")
    spans = {name: times(tmp_path, name) for name in names}
    assert spans["other"][0] < spans["parent"][1]
    assert spans["child"][0] > spans["parent"][1]
    assert launcher.stale() == set()
    launcher.repro()
    assert {name: times(tmp_path, name) for name in names} == spans


def test_no_more_stages_at_once_than_jobs(tmp_path):
    names = ("first", "second")
    launcher = make_pipeline(tmp_path, {name: TRAIN.format(name=name) for name in names})
    launcher.train(same_names(*names), {}, 1, "test")
    assert times(tmp_path, "second")[0] > times(tmp_path, "first")[1]


def test_a_failed_stage_ends_the_others_and_shows_what_it_said(tmp_path, capsys):
    launcher = make_pipeline(
        tmp_path,
        {
            "broken": "sleep 3; echo the reason; exit 3",
            "long": "echo $$ > pid; test -e in-a-hurry || sleep 60; touch long",
            "later": "touch later",
        },
    )
    began = time.monotonic()
    with pytest.raises(UserError, match=r"broken failed; all .* in \.checkpoints/broken\.log"):
        launcher.train(same_names("broken", "long", "later"), {}, 2, "test")
    assert time.monotonic() - began < 30
    assert "the reason" in capsys.readouterr().err
    assert not (tmp_path / "long").exists()
    if (tmp_path / "pid").exists():
        wait_for_end(int((tmp_path / "pid").read_text()))
    assert {"broken", "long"} <= launcher.stale()
    (tmp_path / "in-a-hurry").touch()
    launcher.repro("long")
    assert (tmp_path / "long").exists()


def test_a_failure_of_what_follows_the_runs_is_told(tmp_path):
    launcher = make_pipeline(tmp_path, {"tables": "exit 1"})
    with pytest.raises(UserError, match=r"repro --single-item dvc\.yaml:tables failed"):
        launcher.repro("tables")
    with pytest.raises(UserError, match=r"dvc repro dvc\.yaml failed"):
        launcher.repro()


def test_every_run_of_the_project_has_a_stage():
    listed = subprocess.run(
        [*DVC, "stage", "list", "--name-only", "--all"], capture_output=True, text=True, check=True
    ).stdout.split()
    parameters = read_parameters()
    for profile, prefix in (("quick", ""), ("reference", "results/reference/dvc.yaml:")):
        stages = stage_names(parameters, profile)
        assert list(stages) == list(study(parameters, profile))
        assert {prefix + stage for stage in stages.values()} <= set(listed)


def test_a_run_comes_after_the_one_whose_weights_it_takes():
    parameters = read_parameters()
    found = parents(study(parameters, "quick"))
    assert found == {f"pretrained-s{seed}": "pretraining-s0" for seed in range(3)}
    order = list(stage_names(parameters, "quick"))
    assert all(order.index(parent) < order.index(run) for run, parent in found.items())


def test_as_many_jobs_as_leave_each_its_threads(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert jobs_that_fit([RunSpec(threads=1)]) == 8
    assert jobs_that_fit([RunSpec(threads=1), RunSpec(threads=3)]) == 2
    assert jobs_that_fit([RunSpec(threads=1), RunSpec()]) == 1
    assert jobs_that_fit([RunSpec(threads=16)]) == 1
    assert jobs_that_fit([]) == 8


def test_the_log_of_a_run_is_kept(tmp_path):
    launcher = make_pipeline(tmp_path, {"run": "echo told; touch run"})
    launcher.train(same_names("run"), {}, 1, "test")
    assert re.search("^told$", (tmp_path / ".checkpoints" / "run.log").read_text(), re.MULTILINE)
    assert launcher.stale() == set()
