"""A study is killed again and again, and ends as if it had not been.

`KILLS=50 pytest tests/pipelines/launch/test_survival.py` does it fifty times.
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
import yaml

from pipelines.launch.local import DVC
from pipelines.runtime import REPOSITORY

KILLS = int(os.environ.get("KILLS", "3"))
ROWS = ("anchors-25-38-58-87", "sampler-dns", "original-attachment")
CODE = ("method", "baselines", "pipelines", "params.yaml", "dvc.yaml")
SMALL = {"input_size": 64, "iterations": 40, "width": 0.25, "precision": "fp32"}
DRAW = """
from pathlib import Path
from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset

few = ScenesSpec(train=16, val=1, test=8, size=128)
sources = open_dataset(DatasetSpec("scenes", scenes=few))
prepare(sources, Path("data/scenes-64"), 64, progress=False)
"""
LAUNCH = [sys.executable, "-m", "pipelines.launch", "quick", "-j", "2"]
MEASURED = ["training_seconds", "images_a_second", "peak_memory_mib", "record_sha256"]
"""Columns of the ledger that two trainings do not share."""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the code with a study of three small runs and its ledger, data made ready."""
    folder = tmp_path_factory.mktemp("study") / "project"
    folder.mkdir()
    for name in CODE:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copyfile
        copy(REPOSITORY / name, folder / name)
    parameters = yaml.safe_load((folder / "params.yaml").read_text())
    quick = parameters["profiles"]["quick"]
    quick["settings"] |= SMALL
    quick["overrides"] = {}
    quick["runs"] = {"train": [f"{row}-s0" for row in ROWS]}
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters))
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())
    kept = {name: stages["stages"][name] for name in ("plan", "train", "ledger")}
    (folder / "draw.py").write_text(DRAW)
    kept["data"] = {"cmd": "python draw.py", "outs": ["data/scenes-64"]}
    kept["train"]["deps"][1] = "data/scenes-64"
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"vars": stages["vars"], "stages": kept}))
    run(folder, [*DVC, "init", "-q", "--no-scm"])
    run(folder, [*DVC, "repro", "plan", "data"])
    return folder


def run(folder: Path, command: list[str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]


def environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        LAUNCH,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def processes_in(folder: Path) -> list[int]:
    """Every process that works in the folder, whoever started it."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found


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
    run(calm, LAUNCH)
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
    run(disturbed, [*DVC, "status", "-q"])
    records = sorted((disturbed / "results/quick/trained").glob("*/run.json"))
    before = [record.stat().st_mtime_ns for record in records]
    run(disturbed, LAUNCH)
    assert [record.stat().st_mtime_ns for record in records] == before, "nothing is trained again"
