"""A whole run, its files, and that being killed changes nothing."""

import gzip
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from torch._dynamo.utils import counters

from pipelines import train as command
from pipelines.evaluation import run as train
from pipelines.runs.spec import Precision, RunSpec, Switch
from pipelines.system.errors import run_cli
from pipelines.system.paths import REPOSITORY

FILES = {
    "run.json",
    "history.csv",
    "detections.json.gz",
    "matches.csv.gz",
    "model.safetensors",
}
SPEC = RunSpec(
    input_size=64,
    iterations=30,
    batch_size=4,
    width=0.25,
    learning_rate=0.005,
    threads=1,
    precision=Precision.FP32,
)
COMPILED = replace(SPEC, iterations=4, batch_size=2, attach=(1, 2), compile=Switch.ON)
KILLED_AT = 15
"""A step between two checkpoints, of which there is one every ten steps here."""
KILLED = f"""
import os, runpy, signal, sys
from pipelines.training import loop as trainer
step = trainer._step

def step_or_die(steps, number, *rest):
    if number == {KILLED_AT}:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(steps, number, *rest)

trainer._step = step_or_die
runpy.run_module("pipelines.train", run_name="__main__")
"""


def start(spec: RunSpec, folder: Path, *program: str, **environment: str) -> tuple[int, str]:
    """Exit code and errors of the command in a process of its own."""
    path = folder.with_suffix(".spec.json")
    path.write_text(json.dumps(spec.to_dict()))
    done = subprocess.run(
        [
            sys.executable,
            *(program or ("-m", "pipelines.train")),
            "--checkpoint-seconds",
            "0",
            path,
            folder,
        ],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_bytes(small_data, tmp_path):
    spec = replace(SPEC, dataset=small_data)
    train.run(spec, tmp_path / "whole")
    assert {p.name for p in (tmp_path / "whole").iterdir()} == FILES
    code, errors = start(spec, tmp_path / "killed", "-c", KILLED)
    assert code == -signal.SIGKILL, errors[-2000:]
    checkpoint = REPOSITORY / ".checkpoints" / f"killed-{spec.hash}.pt"
    assert checkpoint.exists()
    assert not (tmp_path / "killed").exists()
    code, errors = start(spec, tmp_path / "killed")
    assert code == 0, errors[-2000:]
    assert "killed: goes on from step 10 of 30" in errors
    assert "| 0/30" not in errors
    assert not checkpoint.exists()
    for name in ("detections.json.gz", "matches.csv.gz", "model.safetensors", "history.csv"):
        same = (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
        assert same, name
    record = json.loads((tmp_path / "killed" / "run.json").read_text())
    assert record["specification_hash"] == spec.hash
    assert record["machine"]["allocator_tuned"] is True
    detections = json.loads(gzip.decompress((tmp_path / "whole/detections.json.gz").read_bytes()))
    assert {d["category_id"] for d in detections} == {1}
    assert list(pd.read_csv(tmp_path / "whole" / "history.csv")["step"]) == [10, 20, 30]


def test_a_wrong_file_is_one_line_and_exit_2(tmp_path, monkeypatch, capsys):
    (tmp_path / "run.spec.json").write_text('{"sampler": "hard"}')
    paths = [str(tmp_path / name) for name in ("run.spec.json", "run")]
    monkeypatch.setattr(sys, "argv", ["train", *paths])
    with pytest.raises(SystemExit) as end:
        run_cli(command.main)
    errors = capsys.readouterr().err
    assert end.value.code == 2
    assert errors.startswith("error: ")
    assert "sampler must be one of basic, 1:1, dns" in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_compiled_run_is_compiled_for_training_alone(small_data, tmp_path):
    """Validations and detections go on without waiting for kernels of their own."""
    before = counters["stats"]["unique_graphs"]
    train.run(replace(COMPILED, dataset=small_data, validate_every=2), tmp_path / "run")
    assert counters["stats"]["unique_graphs"] - before == 1
    assert {p.name for p in (tmp_path / "run").iterdir()} == FILES


@pytest.mark.slow
def test_a_machine_that_cannot_compile_is_told(small_data, tmp_path):
    spec, cache = replace(COMPILED, dataset=small_data), str(tmp_path / "cache")
    environment = {"CXX": "/nonexistent", "TORCHINDUCTOR_CACHE_DIR": cache}
    code, errors = start(spec, tmp_path / "run", **environment)
    assert code == 2
    assert "error: compile: InvalidCxxCompiler" in errors.splitlines()[-1]
    assert not (tmp_path / "run").exists()
