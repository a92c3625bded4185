"""TensorFlow's process: it ends with its parent, and says why when it fails."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import save_file

from baselines.tf_od import detector as module
from baselines.tf_od import environment
from baselines.tf_od.config import Training
from baselines.tf_od.detector import Process, TensorFlowDetector, TensorFlowError
from baselines.tf_od.environment import PYTHON, ROOT
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, Precision, RunSpec
from pipelines.system.errors import UserError
from pipelines.training.tensorflow import tensorflow_errors

slow = pytest.mark.slow
needs_tensorflow = pytest.mark.skipif(
    not PYTHON.exists(), reason="no TensorFlow here: make setup-tf"
)
SIZE = 64
CLASS_HEAD = "BoxPredictor/ConvolutionalClassHead_0/ClassPredictor"


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


@needs_tensorflow
@slow
def test_training_goes_on_where_it_stopped_and_weights_travel_both_ways(tmp_path, monkeypatch):
    detector = TensorFlowDetector(2, SIZE, 4e-5, seed=0)
    first = {name: value.clone() for name, value in detector.state_dict().items()}
    images = torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8).numpy()
    boxes = [torch.tensor([[8.0, 8, 40, 40]]).numpy(), torch.zeros((0, 4)).numpy()]
    labels = [torch.tensor([2]).numpy(), torch.zeros(0, dtype=torch.int64).numpy()]
    told: list[module.History] = []

    def train(iterations):
        training = Training(2, iterations, 0.001, 1)
        return detector.train_by_api(
            images, boxes, labels, training, tmp_path, save_every=2, on_history=told.append
        )

    half = train(2)
    whole = train(4)
    assert told == [half.history, whole.history]
    assert [row["step"] for row in half.history] == [2]
    assert [row["step"] for row in whole.history] == [2, 4]
    assert list(whole.checkpoints) == [4]
    assert whole.history[0] == half.history[0]
    assert 'input_path: "train.tfrecord"' in whole.configuration

    trained = detector.state_dict()
    for name in ("Conv1/kernel:0", f"{CLASS_HEAD}/kernel:0"):
        assert not torch.equal(trained[name], first[name])
    picture = torch.from_numpy(images).permute(0, 3, 1, 2)
    assert not any((found.scores > 0.3).any() for found in detector.detect(picture))
    trained[f"{CLASS_HEAD}/bias:0"] += 5
    detector.load_state_dict(trained)
    assert all((found.scores > 0.3).any() for found in detector.detect(picture))

    with pytest.raises(TensorFlowError, match=r"Unresolved|not bound"):
        detector.restore(write_alien(tmp_path))

    # One TensorFlow builds all that follow, one after the other.
    monkeypatch.setattr(module, "Process", lambda threads: detector.process)
    save_file({n: v.contiguous() for n, v in trained.items()}, tmp_path / "model.safetensors")
    spec = RunSpec(
        input_size=SIZE, detector=DetectorName.SSD_MOBILENET_V2_TF, precision=Precision.FP32,
        weight_decay=4e-5,
    )  # fmt: skip
    for init in (tmp_path / "model.safetensors", f"{whole.checkpoints[4]}.index"):
        other = build_detector(
            RunSpec.parse(spec.to_dict() | {"init": str(init)}, "test"), 5, picture
        ).state_dict()
        assert torch.equal(other["Conv1/kernel:0"], trained["Conv1/kernel:0"])


def write_alien(folder):
    """A checkpoint of something else."""
    script = (
        "import sys, tensorflow as tf;"
        "tf.train.Checkpoint(model=tf.Module(), step=tf.Variable(1)).save(sys.argv[1])"
    )
    subprocess.run([PYTHON, "-c", script, folder / "alien"], check=True, capture_output=True)
    return str(folder / "alien-1")


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
