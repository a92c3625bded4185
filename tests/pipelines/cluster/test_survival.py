"""A study is killed again and again, and ends as if it had not been.

`KILLS=50 pytest tests/pipelines/cluster/test_survival.py` does it fifty times.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from pipelines.cluster.local import DVC
from tests.pipelines.small_study import environment, make_small_study, processes_in, run_in

KILLS = int(os.environ.get("KILLS", "3"))
ROWS = ("anchors-25-38-58-87", "sampler-dns", "original-attachment")
LAUNCH = [sys.executable, "-m", "pipelines.launch", "quick", "-j", "2"]
MEASURED = ["training_seconds", "images_a_second", "peak_memory_mib", "record_sha256"]
"""Columns of the ledger that two trainings do not share."""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the code with a study of three small runs and its ledger, data made ready."""
    return make_small_study(tmp_path_factory.mktemp("study") / "project", ROWS)


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        LAUNCH,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def disturb(folder: Path, luck: random.Random, longest: float) -> str:
    """Start the launcher; after a while kill all, the launcher alone, or one that it started."""
    launcher = start(folder)
    time.sleep(luck.uniform(0, longest))
    victim = luck.choice(("all", "launcher", "worker"))
    workers = [process for process in processes_in(folder) if process != launcher.pid]
    if victim == "all":
        kill([launcher.pid, *workers])
    elif victim == "launcher":
        kill([launcher.pid])
        return victim  # what it started goes on beside the next launcher
    elif workers:
        kill([luck.choice(workers)])
    launcher.wait(timeout=600)
    return victim


def outcome(folder: Path) -> tuple[pd.DataFrame, dict[str, bytes]]:
    ledger = pd.read_csv(folder / "results/quick/ledger.csv").drop(columns=MEASURED)
    runs = folder / "results/quick/runs"
    files = {
        f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(runs.glob("*/*.gz"))
    }
    return ledger, files


@pytest.mark.slow
def test_a_study_that_is_killed_ends_as_if_it_had_not_been(project, tmp_path):
    calm = Path(shutil.copytree(project, tmp_path / "calm"))
    began = time.monotonic()
    run_in(calm, LAUNCH)
    longest = time.monotonic() - began
    disturbed = Path(shutil.copytree(project, tmp_path / "disturbed"))
    luck = random.Random(0)
    victims = [disturb(disturbed, luck, longest) for _ in range(KILLS)]
    print(f"killed {KILLS} times: {victims}")
    deadline = time.monotonic() + 900
    while start(disturbed).wait(timeout=900) != 0:
        assert time.monotonic() < deadline
    ledger, files = outcome(calm)
    assert len(files) == 2 * len(ROWS)
    found, found_files = outcome(disturbed)
    pd.testing.assert_frame_equal(found, ledger)
    assert found_files == files
    assert not list(disturbed.rglob(".*.new")), "nothing half-written is left"
    run_in(disturbed, [*DVC, "status", "-q"])
    records = sorted((disturbed / "results/quick/trained").glob("*/run.json"))
    before = [record.stat().st_mtime_ns for record in records]
    run_in(disturbed, LAUNCH)
    assert [record.stat().st_mtime_ns for record in records] == before, "nothing is trained again"
