"""Runs as jobs of a real SLURM of two nodes on this machine: preempted, failing, losing a node."""

import re
import threading
from collections import Counter

import pytest

from pipelines.cluster.schedule import Resources, Run, bring_up_to_date
from pipelines.cluster.slurm_engine import SlurmEngine
from pipelines.system.errors import UserError
from tests.pipelines.cluster.slurm_cluster import NODES, SlurmCluster, installed
from tests.pipelines.cluster.toy import (
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

WAIT = "echo $$ $SLURMD_NODENAME >> ../begun; test -e ../go || sleep 60"
"""What a training does that is to be disturbed: it leaves its process and node, and waits once."""


@pytest.fixture(scope="module")
def started():
    if not installed():
        pytest.skip("SLURM is not installed (apt-get install slurm-wlm slurmdbd mariadb-server)")
    cluster = SlurmCluster()
    yield cluster
    cluster.stop()


@pytest.fixture
def slurm(started, monkeypatch):
    for name, value in started.environment.items():
        monkeypatch.setenv(name, value)
    return started


def train(launcher, runs=None, minutes=Resources.minutes):
    clones = clones_of(plan(launcher))
    engine = SlurmEngine(clones, Resources(minutes=minutes))
    bring_up_to_date(launcher, clones, engine, runs or as_runs(), ["plan"], None, "test, on slurm")


def train_disturbed(launcher, disturb, **how):
    """Train one run of `WAIT`; `disturb` is called with its process and node once it has begun.

    Returns:
        The nodes on which it was begun, in order.
    """
    begun = launcher.root.parent / "begun"

    def wait_and_disturb():
        wait_until(lambda: begun.exists() and begun.read_text().endswith("\n"))
        (launcher.root.parent / "go").touch()
        process, node = begun.read_text().split()
        disturb(int(process), node)

    breaker = threading.Thread(target=wait_and_disturb)
    breaker.start()
    train(launcher, as_runs({"a": None}), **how)
    breaker.join()
    return [line.split()[1] for line in begun.read_text().splitlines()]


@pytest.mark.slow
def test_every_stage_is_run_once_by_jobs_and_only_what_follows_by_the_driver(slurm, tmp_path):
    launcher = make_study(tmp_path / "here" / "repo")
    train(launcher)
    where = noted(launcher)
    assert Counter(run for run, _ in where) == Counter(["a", "b", "c", "child", "ledger"])
    assert all(folder.startswith("repo.worker-") for run, folder in where[:-1])
    assert where[-1] == ("ledger", "repo")
    assert lock(launcher) == lock_of_undisturbed(tmp_path / "there")
    assert launcher.stale() == set()


@pytest.mark.slow
def test_a_preempted_run_is_begun_again(slurm, tmp_path):
    launcher = make_study(tmp_path / "repo", WAIT, runs={"a": None})

    def preempt(process, node):
        urgent = ["sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--wrap=sleep 2"]
        assert "Submitted" in slurm.call(*urgent)
        wait_for_end(process)

    train_disturbed(launcher, preempt)
    assert [run for run, _ in noted(launcher)] == ["a", "a", "ledger"]
    assert launcher.stale() == set()


@pytest.mark.slow
def test_a_run_whose_time_is_up_goes_on_later(slurm, tmp_path):
    """SLURM warns a job some time before its end; submitit then puts it in the queue again."""
    launcher = make_study(tmp_path / "repo", WAIT, runs={"a": None})
    train_disturbed(launcher, lambda process, node: wait_for_end(process, 60), minutes=1)
    assert [run for run, _ in noted(launcher)] == ["a", "a", "ledger"]
    assert launcher.stale() == set()


@pytest.mark.slow
def test_a_run_whose_node_is_lost_is_begun_on_another(slurm, tmp_path):
    launcher = make_study(tmp_path / "repo", WAIT, runs={"a": None})
    nodes = train_disturbed(launcher, lambda process, node: slurm.lose_node(node))
    slurm.start_node(nodes[0])
    assert sorted(nodes) == sorted(NODES)
    assert [run for run, _ in noted(launcher)] == ["a", "a", "ledger"]
    assert launcher.stale() == set()


@pytest.mark.slow
def test_a_failed_run_ends_the_others(slurm, tmp_path, capsys):
    work = (
        "case {run} in a) until test -e ../pid; do sleep 0.1; done; echo the reason; exit 3;;"
        " b) echo $$ > ../pid; sleep 60;; esac"
    )
    launcher = make_study(tmp_path / "repo", work)
    with pytest.raises(UserError, match=r"train-a failed; all .* in \.checkpoints/a\.log"):
        train(launcher, as_runs({"a": None, "b": None, "child": "a"}))
    assert "the reason" in capsys.readouterr().err
    wait_for_end(int((tmp_path / "pid").read_text()))
    assert {run for run, _ in noted(launcher)} == {"a", "b"}


@pytest.mark.slow
def test_slurm_is_asked_for_arrays_with_each_run_s_resources(slurm, tmp_path):
    clones = clones_of(make_study(tmp_path / "repo"))
    resources = Resources(gpus=2, memory=16, minutes=90, partition="gpu")
    engine = SlurmEngine(clones, resources, jobs=3)
    four = [Run(f"four-{i}", "train-a", cpus=4) for i in range(5)]
    engine.submit([Run("whole", "train-b", cpus=0), *four])
    whole, array = queued(slurm)
    common = {
        "JobName": "repo",
        "Partition": "gpu",
        "TimeLimit": "01:30:00",
        "TresPerNode": "gres:gpu:2",
        "MinMemoryNode": "16G",
        "Requeue": "1",
    }
    assert whole.items() >= (common | {"OverSubscribe": "NO"}).items()
    assert "ArrayTaskId" not in whole
    array_of_four = {"ArrayTaskId": "0-4%3", "ArrayTaskThrottle": "3", "CPUs/Task": "4"}
    assert array.items() >= (common | array_of_four | {"OverSubscribe": "OK"}).items()
    assert array["StdOut"].startswith(f"{clones.logs}/slurm/")
    engine.close()
    wait_until(lambda: not queued(slurm))


def test_without_slurm_it_is_said(tmp_path, monkeypatch):
    clones = clones_of(make_study(tmp_path / "repo"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no SLURM here: srun is not on the PATH"):
        SlurmEngine(clones, Resources())


def queued(slurm):
    """Field to value of each job, or array of jobs, that waits."""
    jobs = slurm.call("scontrol", "show", "job", "-o").splitlines()
    found = [dict(re.findall(r"(\S+?)=(\S*)", job)) for job in jobs]
    return [job for job in found if job.get("JobState") == "PENDING"]
