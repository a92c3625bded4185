"""Runs on a Ray cluster of two nodes, whose processes are all of this machine."""

import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from pipelines.cluster.schedule import Resources, Run, bring_up_to_date
from pipelines.system.errors import UserError
from tests.pipelines.cluster.toy import (
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

pytestmark = pytest.mark.slow
STORE = 80 * 2**20


def node_options(cpus):
    return {"num_cpus": cpus, "object_store_memory": STORE, "include_dashboard": False}


@pytest.fixture(scope="module", autouse=True)
def ray():
    """Ray, where it can start, and none of it afterwards."""
    shared = os.statvfs("/dev/shm")
    if shared.f_bavail * shared.f_frsize < 4 * STORE:
        pytest.skip("Ray cannot start: too little shared memory in /dev/shm")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    yield pytest.importorskip("ray")
    wait_until(lambda: not daemons())


@pytest.fixture(scope="module")
def two_nodes(ray):
    """A head without cores and two nodes of one core each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=node_options(0))
    try:
        for _ in range(2):
            made.add_node(**node_options(1))
        yield made
    finally:
        made.shutdown()


@pytest.fixture
def cluster(two_nodes):
    """The cluster, with two nodes again if a test before has lost one."""
    while len(two_nodes.worker_nodes) < 2:
        two_nodes.add_node(**node_options(1))
    return two_nodes


def train(launcher, cluster, runs=None, resources=None, in_flight=None):
    from pipelines.cluster.ray_engine import RayEngine

    clones = clones_of(plan(launcher))
    engine = RayEngine(clones, resources or Resources(), cluster.address)
    bring_up_to_date(
        launcher, clones, engine, runs or as_runs(), ["plan"], in_flight, "test, on ray"
    )


def test_every_stage_is_run_once_by_workers_and_only_what_follows_by_the_driver(cluster, tmp_path):
    launcher = make_study(tmp_path / "here" / "repo")
    train(launcher, cluster)
    where = noted(launcher)
    assert Counter(run for run, _ in where) == Counter(["a", "b", "c", "child", "ledger"])
    assert {folder for run, folder in where if run != "ledger"} <= {
        "repo.worker-0",
        "repo.worker-1",
    }
    assert where[-1] == ("ledger", "repo")
    assert lock(launcher) == lock_of_undisturbed(tmp_path / "there")
    assert launcher.stale() == set()


def test_a_run_whose_node_is_lost_is_run_again_on_the_other(cluster, tmp_path):
    """Run a notes its process; its node is taken away while it waits for the test's word."""
    work = "test {run} != a || (echo $$ >> ../pids; until test -e ../go; do sleep 0.1; done)"
    launcher = make_study(tmp_path / "here" / "repo", work)
    pids, go = tmp_path / "here" / "pids", tmp_path / "here" / "go"

    def lose_the_node():
        wait_until(pids.exists)
        cluster.remove_node(node_of(int(pids.read_text()), cluster), allow_graceful=False)
        try:
            wait_until(lambda: len(pids.read_text().split()) == 2)
        finally:
            go.touch()

    breaker = threading.Thread(target=lose_the_node)
    breaker.start()
    train(launcher, cluster)
    breaker.join()
    for pid in pids.read_text().split():
        wait_for_end(int(pid))
    where = noted(launcher)
    assert Counter(run for run, _ in where) == Counter(["a", "a", "b", "c", "child", "ledger"])
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "go").touch()
    assert lock(launcher) == lock_of_undisturbed(tmp_path / "there", train=work)
    assert launcher.stale() == set()


def test_a_failed_run_is_not_repeated_and_ends_the_others(cluster, tmp_path, capsys):
    work = (
        "case {run} in a) until test -e ../pid; do sleep 0.1; done; echo the reason; exit 3;;"
        " b) echo $$ > ../pid; sleep 60;; esac"
    )
    launcher = make_study(tmp_path / "here" / "repo", work)
    with pytest.raises(UserError, match=r"train-a failed; all .* in \.checkpoints/a\.log"):
        train(launcher, cluster, runs=as_runs({"a": None, "b": None, "child": "a"}))
    assert "the reason" in capsys.readouterr().err
    wait_for_end(int((tmp_path / "here" / "pid").read_text()))
    assert Counter(run for run, _ in noted(launcher)) == Counter(["a", "b"])
    assert not (launcher.root / ".dvc" / "config.local").exists()


def test_what_no_node_has_is_refused(cluster, tmp_path):
    launcher = make_study(tmp_path / "here" / "repo")
    with pytest.raises(UserError, match=r"no node .* what a needs: 1 CPUs, 1 GPUs, 0 GiB"):
        train(launcher, cluster, resources=Resources(gpus=1))
    assert not (tmp_path / "here" / "count").exists()
    with pytest.raises(UserError, match=r"no node .* what a needs: 2 CPUs"):
        train(launcher, cluster, runs=[Run("a", "train-a", cpus=2)])


def test_without_an_address_ray_is_of_this_machine_and_ends_with_the_study(tmp_path):
    from pipelines.cluster.ray_engine import RayEngine

    launcher = plan(make_study(tmp_path / "repo", "sleep 0", runs={"a": None}))
    clones = clones_of(launcher)
    engine = RayEngine(clones, Resources())
    assert daemons()
    bring_up_to_date(launcher, clones, engine, as_runs({"a": None}), ["plan"], 1, "test")
    assert noted(launcher) == [("a", "repo.worker-0"), ("ledger", "repo")]


def test_an_address_where_nobody_answers_is_told(tmp_path):
    from pipelines.cluster.ray_engine import RayEngine

    launcher = make_study(tmp_path / "repo")
    with pytest.raises(UserError, match=r"^Ray at nowhere: "):
        RayEngine(clones_of(launcher), Resources(), "nowhere")


def daemons():
    """Ray's processes below this one."""
    found = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if is_daemon(folder)]
    return [pid for pid in found if os.getpid() in ancestors(pid)]


def is_daemon(folder):
    try:
        return (folder / "comm").read_text().strip() in ("raylet", "gcs_server")
    except (FileNotFoundError, ProcessLookupError):
        return False


def node_of(pid, cluster):
    """The node whose process the given one descends from."""
    above = set(ancestors(pid))
    for node in cluster.worker_nodes:
        if above & {info.process.pid for kind in node.all_processes.values() for info in kind}:
            return node
    raise AssertionError(f"process {pid} is of no node")
