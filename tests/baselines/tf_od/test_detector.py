"""TensorFlow's process: it ends with its parent, and says why when it fails."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from baselines.tf_od import environment
from baselines.tf_od.detector import Process, TensorFlowError
from baselines.tf_od.environment import PYTHON, ROOT
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.training.tensorflow import tensorflow_errors

slow = pytest.mark.slow
needs_tensorflow = pytest.mark.skipif(
    not PYTHON.exists(), reason="no TensorFlow here: make setup-tf"
)
SIZE = 64


def test_without_the_environment_it_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "bin/python")
    with pytest.raises(TensorFlowError, match="make setup-tf"):
        Process(threads=1)


@needs_tensorflow
@slow
def test_killed_with_its_parent():
    script = (
        "import time; from baselines.tf_od.detector import Process; process = Process(1);"
        "print(process._process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 120
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(child)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@needs_tensorflow
@slow
def test_a_failed_request_shows_tensorflow_s_last_lines(capsys):
    process = Process(threads=1)
    with pytest.raises(UserError, match="TensorFlow: ParseError"), tensorflow_errors():
        process.ask("build", model="model { nothing: 1 }", input_size=SIZE, seed=0)
    assert "ParseError" in capsys.readouterr().err
    process._process.send_signal(signal.SIGKILL)
    with pytest.raises(TensorFlowError, match="killed by signal 9"):
        process.ask("flops")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "bf16"}, "precision fp32"),
        ({"schedule": "step"}, "schedule cosine"),
        ({"augment": "tiles"}, "flip and crop, not tiles"),
        ({"iterations": 100, "validate_every": 30}, "must divide"),
        ({"sampler": "dns"}, "sampler belongs to the SSDs"),
    ],
)
def test_what_tensorflow_cannot_do_is_refused(change, message):
    values = {"detector": "ssd-mobilenet-v2-tf", "precision": "fp32", **change}
    with pytest.raises(UserError, match=message):
        build_detector(RunSpec.parse(values, "test"), 3, torch.zeros((1, 3, 256, 256)))
