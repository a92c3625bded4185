"""As many runs at once as the machine has cores and memory for."""

import os

import pytest

from pipelines.cluster import room
from pipelines.cluster.room import SPARE_MIB, heaviest_run_mib, jobs_that_fit
from pipelines.runs.spec import RunSpec
from pipelines.system.paths import RESULTS

ONE_THREAD = [RunSpec(threads=1)]
EIGHT_GB = 8e9 / 2**20


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def test_as_many_jobs_as_leave_each_its_threads():
    assert jobs_that_fit(ONE_THREAD, 0) == 8
    assert jobs_that_fit([RunSpec(threads=1), RunSpec(threads=3)], 0) == 2
    assert jobs_that_fit([RunSpec(threads=1), RunSpec()], 0) == 1
    assert jobs_that_fit([RunSpec(threads=16)], 0) == 1
    assert jobs_that_fit([], 0) == 8


def test_no_more_jobs_than_have_memory(monkeypatch):
    monkeypatch.setattr(room, "memory_mib", lambda: SPARE_MIB + 10_000)
    assert jobs_that_fit(ONE_THREAD, 3000) == 3
    assert jobs_that_fit(ONE_THREAD, 100) == 8
    assert jobs_that_fit(ONE_THREAD, 20_000) == 1


def test_quick_runs_two_at_a_time_on_two_cores_and_8_gb(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(room, "memory_mib", lambda: EIGHT_GB)
    assert jobs_that_fit(ONE_THREAD, heaviest_run_mib(RESULTS / "quick" / "ledger.csv")) == 2


def test_a_ledger_knows_its_heaviest_run(tmp_path):
    ledger = tmp_path / "ledger.csv"
    assert heaviest_run_mib(ledger) == 0
    ledger.write_text("run,peak_memory_mib\na,1500.5\nb,900\n")
    assert heaviest_run_mib(ledger) == 1500.5


def test_the_machine_s_memory_is_what_the_kernel_says():
    with open("/proc/meminfo") as file:
        total = next(int(line.split()[1]) for line in file if line.startswith("MemTotal"))
    assert room.memory_mib() == pytest.approx(total / 1024)
