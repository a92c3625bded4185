"""As many runs at once as the machine has cores and memory for."""

import json
import os
import subprocess
import sys

import pytest

from pipelines.cluster import room
from pipelines.cluster.room import SPARE_MIB, heaviest_run_mib, jobs_that_fit
from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.runs.parameters import declared_runs, read_parameters
from pipelines.runs.spec import RunSpec
from pipelines.system.allocator import ALLOCATOR
from pipelines.system.paths import REPOSITORY, RESULTS

ONE_THREAD = [RunSpec(threads=1)]
EIGHT_GB = 8e9 / 2**20
TWO_STEPS = """
import json, os, sys
from pathlib import Path
import pipelines.evaluation.run
from pipelines.runs.spec import RunSpec
from pipelines.system.machine import peak_memory_mib
from pipelines.training.live import Live
from pipelines.training.run import Training, torch, train_and_detect

class End(Live):
    def show(self, history, row):
        print(peak_memory_mib(torch.device("cpu")), flush=True)
        os._exit(0)

spec, folder = RunSpec.parse(json.loads(sys.argv[1]), "test"), Path(sys.argv[2])
train_and_detect(spec, Training("test", folder, lambda *_: {}, live=End(folder / 'live')))
"""


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


@pytest.mark.slow
def test_two_steps_of_quick_s_heaviest_run_take_less_than_half_of_8_gb(tmp_path):
    spec = declared_runs(read_parameters(), "quick")["faster-rcnn-r101-s0"]
    counts = ScenesSpec(train=max(8, spec.batch_size), val=1, test=1)
    sources = open_dataset(DatasetSpec("scenes", scenes=counts))
    prepare(sources, tmp_path / "data", spec.input_size, progress=False)
    values = json.dumps(spec.to_dict() | {"iterations": 2, "threads": 1})
    done = subprocess.run(
        [sys.executable, "-c", TWO_STEPS, values, tmp_path / "data"],
        cwd=REPOSITORY,
        env={**os.environ, "GLIBC_TUNABLES": ALLOCATOR},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert 1000 < float(done.stdout) <= (EIGHT_GB - SPARE_MIB) / 2


def test_a_ledger_knows_its_heaviest_run(tmp_path):
    ledger = tmp_path / "ledger.csv"
    assert heaviest_run_mib(ledger) == 0
    ledger.write_text("run,peak_memory_mib\na,1500.5\nb,900\n")
    assert heaviest_run_mib(ledger) == 1500.5


def test_the_machine_s_memory_is_what_the_kernel_says():
    with open("/proc/meminfo") as file:
        total = next(int(line.split()[1]) for line in file if line.startswith("MemTotal"))
    assert room.memory_mib() == pytest.approx(total / 1024)
