"""The order in which runs are handed over, and what the launcher itself costs."""

import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cluster.clones import Clones
from pipelines.cluster.schedule import bring_up_to_date, train
from pipelines.system.errors import UserError
from tests.pipelines.cluster.toy import as_runs, clones_of, make_study, noted, plan

WORKERS = 8


class Threads:
    """Workers that are threads of the test."""

    def __init__(self, clones, workers):
        self.clones = clones
        self.pool = ThreadPoolExecutor(workers)
        self.runs = {}

    def submit(self, runs):
        for run in runs:
            self.runs[self.pool.submit(self.clones.train, run.name, run.stage)] = run.name

    def finished(self, seconds):
        done, _ = wait(self.runs, seconds, FIRST_COMPLETED)
        return {self.runs.pop(one): None if one.result() else "failed" for one in done}

    def close(self):
        self.pool.shutdown()


class Instant:
    """Trains nothing, and ends one run at a time."""

    def __init__(self, room, failing=()):
        self.room = room
        self.failing = failing
        self.at_work = []
        self.ended = []

    def submit(self, runs):
        assert all(run.parent is None or run.parent in self.ended for run in runs)
        self.at_work += [run.name for run in runs]
        assert len(self.at_work) <= self.room

    def finished(self, seconds):
        name = self.at_work.pop(0)
        self.ended.append(name)
        return {name: "failed" if name in self.failing else None}

    def close(self):
        raise AssertionError


def nowhere(folder):
    return Clones(folder, "dvc.yaml", "0" * 40, "remote", folder)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10), st.integers(1, 4))
def test_every_run_is_handed_over_once_after_its_parent_and_no_more_than_fit(links, room):
    """Run i starts from an earlier one, `links[i] % i`, or from none where that is itself."""
    runs = {str(i): str(link % i) if i and link % 3 else None for i, link in enumerate(links)}
    engine = Instant(room)
    with TemporaryDirectory() as folder:
        train(engine, as_runs(runs), nowhere(Path(folder)), room, "test")
    assert sorted(engine.ended) == sorted(runs)


def test_nothing_is_handed_over_after_a_failure(tmp_path, capsys):
    (tmp_path / ".checkpoints").mkdir()
    engine = Instant(1, failing=("b",))
    with pytest.raises(UserError, match=r"^train-b failed; all .* in \.checkpoints/b\.log$"):
        train(engine, as_runs(), nowhere(tmp_path), 1, "test")
    assert engine.ended == ["a", "b"]


@pytest.mark.slow
def test_the_launcher_s_own_time_a_run_on_eight_workers(tmp_path):
    runs = {f"run-{i}": None for i in range(WORKERS)}
    launcher = plan(make_study(tmp_path / "repo", "true", runs))
    clones = clones_of(launcher)
    began = time.monotonic()
    bring_up_to_date(launcher, clones, Threads(clones, WORKERS), as_runs(runs), ["plan"], None, "")
    spent = time.monotonic() - began
    print(f"\n{spent / WORKERS:.2f} s a run, {spent:.1f} s in all, new clones included")
    assert sorted(run for run, _ in noted(launcher)) == sorted([*runs, "ledger"])
