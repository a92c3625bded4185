"""Runs as submitit's jobs: on this machine, and as SLURM would be asked for them."""

import os
import re
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.launch.schedule import Resources, Run, bring_up_to_date
from pipelines.launch.slurm_engine import SlurmEngine
from tests.pipelines.launch.toy import (
    ancestors,
    as_runs,
    clones_of,
    lock,
    lock_of_undisturbed,
    make_study,
    noted,
    plan,
    wait_for_end,
    wait_until,
)


def train(launcher, runs=None):
    clones = clones_of(plan(launcher))
    engine = SlurmEngine(clones, Resources(), cluster="local")
    bring_up_to_date(launcher, clones, engine, runs or as_runs(), ["plan"], None, "test, on slurm")


@pytest.mark.slow
def test_every_stage_is_run_once_by_jobs_and_only_what_follows_by_the_driver(tmp_path):
    launcher = make_study(tmp_path / "here" / "repo")
    train(launcher)
    where = noted(launcher)
    assert Counter(run for run, _ in where) == Counter(["a", "b", "c", "child", "ledger"])
    assert all(folder.startswith("repo.worker-") for run, folder in where[:-1])
    assert where[-1] == ("ledger", "repo")
    assert lock(launcher) == lock_of_undisturbed(tmp_path / "there")
    assert launcher.stale() == set()


@pytest.mark.slow
def test_a_preempted_run_is_begun_again(tmp_path):
    """As SLURM does: SIGTERM to every process of the job, then submitit's signal."""
    work = "echo $$ >> ../pids; test -e ../go || sleep 60"
    launcher = make_study(tmp_path / "here" / "repo", work, runs={"a": None})
    pids = tmp_path / "here" / "pids"

    def preempt():
        wait_until(pids.exists)
        (tmp_path / "here" / "go").touch()
        stage = int(pids.read_text())
        line = ancestors(stage)
        job = next(pid for pid in line if b"submitit.core._submit" in command(pid))
        for pid in line[: line.index(job) + 1]:
            os.kill(pid, signal.SIGTERM)
        wait_for_end(stage)
        os.kill(job, signal.SIGUSR2)

    breaker = threading.Thread(target=preempt)
    breaker.start()
    train(launcher, as_runs({"a": None}))
    breaker.join()
    assert [run for run, _ in noted(launcher)] == ["a", "a", "ledger"]
    assert launcher.stale() == set()


@pytest.mark.slow
def test_a_failed_run_ends_the_others(tmp_path, capsys):
    work = (
        "case {run} in a) until test -e ../pid; do sleep 0.1; done; echo the reason; exit 3;;"
        " b) echo $$ > ../pid; sleep 60;; esac"
    )
    launcher = make_study(tmp_path / "here" / "repo", work)
    with pytest.raises(UserError, match=r"train-a failed; all .* in \.checkpoints/a\.log"):
        train(launcher, as_runs({"a": None, "b": None, "child": "a"}))
    assert "the reason" in capsys.readouterr().err
    wait_for_end(int((tmp_path / "here" / "pid").read_text()))
    assert {run for run, _ in noted(launcher)} == {"a", "b"}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Programs of SLURM's names; `sbatch` keeps the file it is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    asked = tmp_path / "asked"
    programs = {
        "sbatch": f'cat "$1" >> {asked}; echo Submitted batch job 12',
        "srun": "exit 1",
        "sacct": "exit 1",
        "scancel": f'echo "$@" >> {tmp_path / "cancelled"}',
    }
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_slurm_is_asked_for_arrays_with_each_run_s_resources(slurm):
    clones = clones_of(make_study(slurm / "repo"))
    resources = Resources(gpus=2, memory=16, minutes=90, partition="gpu")
    engine = SlurmEngine(clones, resources, jobs=3)
    four = [Run(f"four-{i}", "train-a", cpus=4) for i in range(5)]
    engine.submit([Run("whole", "train-b", cpus=0), *four])
    whole, array = re.split("^#!/bin/bash$", (slurm / "asked").read_text(), flags=re.MULTILINE)[1:]
    common = {
        "partition=gpu",
        "time=90",
        "gpus-per-node=2",
        "mem=16GB",
        "requeue",
        "signal=USR2@90",
        "open-mode=append",
        "job-name=repo",
        "nodes=1",
    }
    assert common | {"cpus-per-task=4", "array=0-4%3"} <= flags(array)
    assert common | {"exclusive"} <= flags(whole)
    assert not [flag for flag in flags(whole) if flag.startswith(("cpus", "array"))]
    assert f"output={clones.logs}/slurm/%A_%a_0_log.out" in flags(array)
    engine.close()
    cancelled = (slurm / "cancelled").read_text().split()
    assert Counter(cancelled) == Counter(["12", *(f"12_{i}" for i in range(5))])


def test_without_slurm_it_is_said(tmp_path, monkeypatch):
    clones = clones_of(make_study(tmp_path / "repo"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no SLURM here: srun is not on the PATH"):
        SlurmEngine(clones, Resources())


def flags(text):
    return set(re.findall("^#SBATCH --(.*)$", text, flags=re.MULTILINE))


def command(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()
