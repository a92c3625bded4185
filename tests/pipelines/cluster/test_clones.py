"""A worker's clone, its lock and its remote, with real git and real DVC."""

import fcntl
import itertools
import multiprocessing
import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from pipelines.cluster.clones import Clones, default_remote
from pipelines.system.errors import UserError
from tests.pipelines.cluster.toy import (
    RUNS,
    clones_of,
    commit,
    git,
    lock,
    lock_of_undisturbed,
    make_study,
    noted,
    plan,
    wait_for_end,
    wait_until,
)


@pytest.fixture
def launcher(tmp_path):
    return make_study(tmp_path / "here" / "repo", "sleep 0")


@pytest.mark.slow
def test_a_run_trained_in_a_clone_comes_back_by_the_remote_alone(launcher, tmp_path):
    plan(launcher)
    clones = clones_of(launcher)
    assert clones.remote == str(tmp_path / "here" / "repo.remote")
    for run in ("a", "child", "b", "c"):
        assert clones.train(run, f"train-{run}")
    here = launcher.root.parent
    shutil.rmtree(here / "repo.worker-0")
    clones.take(*(f"train-{run}" for run in ("a", "child", "b", "c")))
    launcher.repro()
    trained = [("a", "repo.worker-0"), ("child", "repo.worker-0"), ("b", "repo.worker-0")]
    assert noted(launcher) == [*trained, ("c", "repo.worker-0"), ("ledger", "repo")]
    assert lock(launcher) == lock_of_undisturbed(tmp_path / "there", train="sleep 0")
    log = (launcher.root / ".checkpoints" / "a.log").read_text()
    assert log.startswith("repo.worker-0 on ")


@pytest.mark.slow
def test_what_a_worker_killed_amid_its_push_left_in_the_remote_is_not_taken(launcher):
    plan(launcher)
    clones = clones_of(launcher)
    assert clones.train("a", "train-a")
    here = launcher.root.parent
    shutil.rmtree(here / "repo.worker-0")
    known = list((here / "repo.remote" / "runs").glob("*/*/*"))
    assert known
    for entry, number in itertools.product(known, range(20)):
        entry.with_name(f".{number}.tmp").touch()
    for run in ("child", "b", "c"):
        assert clones.train(run, f"train-{run}")
    clones.take(*(f"train-{run}" for run in RUNS))
    assert Counter(run for run, _ in noted(launcher)) == Counter(list(RUNS))


@pytest.mark.slow
def test_only_one_at_a_time_writes_to_the_remote(launcher):
    plan(launcher)
    clones = clones_of(launcher)
    lock = launcher.root / ".checkpoints" / "workers" / "remote.lock"
    lock.parent.mkdir(parents=True)
    worker = multiprocessing.Process(target=clones.train, args=("a", "train-a"), daemon=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        worker.start()
        wait_until(lambda: somebody_waits_for(lock))
        assert noted(launcher) == [("a", "repo.worker-0")]
        assert not list((launcher.root.parent / "repo.remote").rglob("*"))
        fcntl.flock(held, fcntl.LOCK_UN)  # the worker has the file, too
    worker.join()
    clones.take("train-a")
    assert noted(launcher) == [("a", "repo.worker-0")]


def somebody_waits_for(lock):
    waiting = [line for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return any(f":{lock.stat().st_ino} " in line for line in waiting)


@pytest.mark.slow
def test_data_that_the_committed_lock_knows_are_made_anew_in_a_clone(launcher):
    plan(launcher)
    commit(launcher.root)
    assert clones_of(launcher).train("a", "train-a")
    assert (launcher.root.parent / "repo.worker-0" / "data" / "all").exists()


@pytest.mark.slow
def test_a_clone_follows_the_repository_to_its_next_commit(launcher):
    assert clones_of(launcher).train("a", "train-a")
    (launcher.root / "params.yaml").write_text("steps: 2\n")
    commit(launcher.root)
    assert clones_of(launcher).train("a", "train-a")
    clone = launcher.root.parent / "repo.worker-0"
    assert (clone / "params.yaml").read_text() == "steps: 2\n"
    assert not (launcher.root.parent / "repo.worker-1").exists()


def test_a_clone_in_use_is_left_to_whoever_uses_it(launcher):
    clones = clones_of(launcher)
    locks = launcher.root / ".checkpoints" / "workers"
    locks.mkdir(parents=True)
    with (locks / "0.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert clones.train("a", "train-a")
    assert noted(launcher) == [("a", "repo.worker-1")]


def test_what_a_killed_worker_left_stops_no_other(launcher):
    clones = clones_of(launcher)
    assert clones.train("a", "train-a")
    clone = launcher.root.parent / "repo.worker-0"
    (clone / ".git" / "index.lock").touch()
    busy = f'{{"{clone}/results/trained/b": {{"write": {{"pid": {os.getpid()}, "cmd": "x"}}}}}}'
    (clone / ".dvc" / "tmp" / "rwlock").write_text(busy)
    (clone.parent / "repo.worker-0.new").mkdir()
    git(launcher.root, "commit", "-q", "--allow-empty", "-m", "next")
    assert clones_of(launcher).train("b", "train-b")


def test_what_a_worker_began_ends_with_it_even_if_it_is_killed(tmp_path):
    launcher = make_study(tmp_path / "here" / "repo", "echo $$ > ../pid; sleep 60")
    worker = multiprocessing.Process(target=clones_of(launcher).train, args=("a", "train-a"))
    worker.start()
    assert worker.pid
    pid = tmp_path / "here" / "pid"
    wait_until(lambda: pid.exists() and pid.read_text())
    os.kill(worker.pid, signal.SIGKILL)
    wait_for_end(int(pid.read_text()))


def test_a_stage_that_fails_is_told_and_logged(tmp_path):
    launcher = make_study(tmp_path / "repo", "echo the reason; exit 3")
    assert not clones_of(launcher).train("a", "train-a")
    assert "the reason" in (launcher.root / ".checkpoints" / "a.log").read_text()


def test_a_stage_finds_the_environment_the_data_and_the_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTION_DATA", "photographs")
    monkeypatch.chdir(tmp_path)
    told = "which python > ../told; echo $DETECTION_DATA >> ../told; echo kept > .checkpoints/run"
    launcher = make_study(tmp_path / "repo", told)
    clones = clones_of(launcher)
    assert clones.train("a", "train-a")
    assert (tmp_path / "told").read_text().split() == [
        clones.python,
        str(tmp_path / "photographs"),
    ]
    assert (launcher.root / ".checkpoints" / "run").read_text() == "kept\n"


def test_what_is_not_committed_is_refused_but_for_results(launcher):
    root = launcher.root
    (root / "results" / "ledger.csv").parent.mkdir(exist_ok=True)
    (root / "results" / "ledger.csv").write_text("new")
    (root / "dvc.lock").write_text("new")
    clones_of(launcher)
    (root / "new.py").touch()
    with pytest.raises(UserError, match=r"^new\.py is not committed, .*: git commit first$"):
        clones_of(launcher)
    (root / "params.yaml").write_text("steps: 3\n")
    with pytest.raises(UserError, match=r"^params\.yaml and 1 more are not committed"):
        clones_of(launcher)


def test_a_pipeline_file_among_the_results_is_no_result(launcher):
    own = launcher.root / "results" / "reference" / "dvc.yaml"
    own.parent.mkdir(parents=True)
    own.touch()
    with pytest.raises(UserError, match=r"^results/reference/dvc\.yaml is not committed"):
        clones_of(launcher)


def test_a_folder_that_is_no_git_repository_is_refused(tmp_path):
    with pytest.raises(UserError, match="git status failed"):
        Clones.at_head(tmp_path, "dvc.yaml")


def test_a_remote_is_absolute_unless_it_is_an_address(launcher, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def remote(address):
        return Clones.at_head(launcher.root, "dvc.yaml", address).remote

    assert remote("there") == str(tmp_path / "there")
    assert remote("s3://bucket/there") == "s3://bucket/there"
    with pytest.raises(UserError, match="shares no runs over http"):
        remote("https://there.example.org")
    unknown = default_remote(launcher.root, remote("nothing://there"))
    with pytest.raises(UserError, match=r"^--remote nothing://there: "), unknown:
        pass


def fail(config):
    assert "remote = launch" in config
    raise UserError("no such stage")


def test_the_repository_keeps_the_remote_it_had(launcher):
    config = launcher.root / ".dvc" / "config.local"
    committed = (launcher.root / ".dvc" / "config").read_bytes()
    with default_remote(launcher.root, "/shared"):
        assert "url = /shared" in config.read_text()
    assert not config.exists()
    config.write_text("[core]\n    remote = mine\n['remote \"mine\"']\n    url = /mine\n")
    before = config.read_bytes()
    with pytest.raises(UserError, match="no such stage"), default_remote(launcher.root, "/shared"):
        fail(config.read_text())
    assert config.read_bytes() == before
    assert (launcher.root / ".dvc" / "config").read_bytes() == committed
