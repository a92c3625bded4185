"""A whole run as a process: what it writes, and that being killed changes nothing."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pipelines.runtime import REPOSITORY
from pipelines.spec import RunSpec, Switch

FILES = {
    "run.json", "history.csv", "detections.json.gz", "matches.csv.gz", "model.safetensors",
}  # fmt: skip
SHORT = RunSpec(input_size=128, iterations=2, batch_size=4, attach=(1, 2), compile=Switch.ON)
SPEC = RunSpec(input_size=128, iterations=60, batch_size=4, width=0.5, learning_rate=0.005)


def start(spec: RunSpec, folder: Path, **environment: str) -> subprocess.Popen[str]:
    path = folder.with_suffix(".spec.json")
    path.write_text(json.dumps(spec.to_dict()))
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.train", "--checkpoint-seconds", "0", path, folder],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_bytes(tmp_path):
    whole = start(SPEC, tmp_path / "whole")
    errors = whole.communicate()[1]
    assert whole.returncode == 0, errors[-2000:]
    assert {p.name for p in (tmp_path / "whole").iterdir()} == FILES
    killed = start(SPEC, tmp_path / "killed")
    checkpoint = REPOSITORY / ".checkpoints" / f"killed-{SPEC.hash}.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert checkpoint.exists()
    assert not (tmp_path / "killed").exists()
    resumed = start(SPEC, tmp_path / "killed")
    assert resumed.communicate()[1]
    assert resumed.returncode == 0
    assert not checkpoint.exists()
    for name in ("detections.json.gz", "matches.csv.gz", "model.safetensors", "history.csv"):
        same = (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
        assert same, name
    record = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert record["specification_hash"] == SPEC.hash
    assert record["machine"]["allocator_tuned"] is True
    detections = json.loads(gzip.decompress((tmp_path / "whole/detections.json.gz").read_bytes()))
    assert {d["category_id"] for d in detections} <= {1, 2, 3}
    assert list(pd.read_csv(tmp_path / "whole" / "history.csv")["step"]) == [10, 20, 30, 40, 50, 60]


@pytest.mark.slow
def test_a_wrong_file_is_one_line_and_exit_2(tmp_path):
    (tmp_path / "run.spec.json").write_text('{"sampler": "hard"}')
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.train", tmp_path / "run.spec.json", tmp_path / "run"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "sampler must be one of basic, 1:1, dns" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_compiled_run_is_compiled_for_training_alone(tmp_path):
    """Validations and detections go on without waiting for kernels of their own."""
    spec = replace(SHORT, iterations=4, validate_every=2)
    run = start(spec, tmp_path / "run", TORCH_LOGS="+dynamo")
    errors = run.communicate()[1]
    assert run.returncode == 0, errors[-2000:]
    assert errors.count("calling compiler function inductor") == 1
    assert {p.name for p in (tmp_path / "run").iterdir()} == FILES


@pytest.mark.slow
def test_a_machine_that_cannot_compile_is_told(tmp_path):
    cache = str(tmp_path / "cache")
    run = start(SHORT, tmp_path / "run", CXX="/nonexistent", TORCHINDUCTOR_CACHE_DIR=cache)
    errors = run.communicate()[1]
    assert run.returncode == 2
    assert "error: compile: InvalidCxxCompiler" in errors.splitlines()[-1]
    assert not (tmp_path / "run").exists()
