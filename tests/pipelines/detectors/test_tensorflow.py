"""TensorFlow's detector keeps the contract; each of its few processes serves several questions."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from baselines.tf_od import detector as module
from baselines.tf_od.config import Training
from baselines.tf_od.detector import History, TensorFlowError
from baselines.tf_od.environment import PYTHON
from pipelines.data.prepared import load_prepared
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName
from pipelines.training.loop import Checkpoint
from pipelines.training.run import detect_all, train_detector
from pipelines.training.step import to_batch
from tests.pipelines.detectors.contract import (
    CPU,
    SIZE,
    SPEC,
    build,
    copied,
    is_kept,
    one_seed_gives_one_start,
)

SPEC_TF = dataclasses.replace(
    SPEC,
    detector=DetectorName.SSD_MOBILENET_V2_TF,
    weight_decay=4e-5,
    learning_rate=0.02,
    iterations=60,
    validate_every=20,
)
STOPPED_AT = SPEC_TF.validate_every
"""A step at which the whole training saves its state, too."""
CLASS_HEAD = "BoxPredictor/ConvolutionalClassHead_0/ClassPredictor"


@pytest.mark.skipif(not PYTHON.exists(), reason="no TensorFlow here: make setup-tf")
@pytest.mark.slow
def test_contract_and_that_training_goes_on_where_it_stopped(data, tmp_path, monkeypatch):
    split, unseen = (load_prepared(data / str(SIZE), name) for name in ("train", "test"))
    detector = build(SPEC_TF, split)
    first = copied(detector)
    stopped, checkpoint = train_until_it_is_stopped(detector, split, tmp_path)
    halfway = copied(detector)
    for name in ("Conv1/kernel:0", f"{CLASS_HEAD}/kernel:0"):
        assert not torch.equal(halfway[name], first[name])

    state = Checkpoint(tmp_path / "state.pt", "key")
    history = train_detector(detector, split, SPEC_TF, CPU, state).history
    assert [row["step"] for row in history] == [10, 20, 30, 40, 50, 60]
    assert history[:2] == stopped.history
    is_kept(detector, history, detect_all(detector, unseen, SPEC_TF, CPU), unseen)

    weights_that_are_taken_over_are_detected_with(detector, to_batch(split.images[:2], CPU))
    with pytest.raises(TensorFlowError, match=r"Unresolved|not bound"):
        detector.restore(write_alien(tmp_path))

    again = build(dataclasses.replace(SPEC_TF, seed=1), split)
    one_seed_gives_one_start(first, build(SPEC_TF, split).state_dict(), again.state_dict())
    # One TensorFlow builds all that follow, one after the other.
    monkeypatch.setattr(module, "Process", lambda threads: again.process)
    save_file({n: v.contiguous() for n, v in halfway.items()}, tmp_path / "model.safetensors")
    for init in (tmp_path / "model.safetensors", f"{checkpoint}.index"):
        spec = dataclasses.replace(SPEC_TF, init=str(init))
        of_five_classes = build_detector(spec, 5, to_batch(split.images, CPU)).state_dict()
        assert torch.equal(of_five_classes["Conv1/kernel:0"], halfway["Conv1/kernel:0"])


def train_until_it_is_stopped(detector, split, folder):
    """The first steps, where the whole training looks for them; a copy of their checkpoint."""
    (folder / "state").mkdir()
    (folder / "state" / "key").write_text("key")
    images = range(len(split.images))
    told: list[History] = []
    stopped = detector.train_by_api(
        split.images,
        [split.boxes(i) for i in images],
        [split.labels(i) for i in images],
        Training(SPEC_TF.batch_size, STOPPED_AT, SPEC_TF.learning_rate, SPEC_TF.warmup),
        folder / "state",
        save_every=STOPPED_AT,
        on_history=told.append,
    )
    assert [row["step"] for row in stopped.history] == [10, STOPPED_AT]
    assert told == [stopped.history[:1], stopped.history]
    assert list(stopped.checkpoints) == [STOPPED_AT], "the last alone is kept"
    assert 'input_path: "train.tfrecord"' in stopped.configuration
    saved = Path(stopped.checkpoints[STOPPED_AT])
    return stopped, shutil.copytree(saved.parent, folder / "kept") / saved.name


def weights_that_are_taken_over_are_detected_with(detector, images):
    weights = copied(detector)
    for bias, certain in ((-20, False), (5, True)):
        weights[f"{CLASS_HEAD}/bias:0"].fill_(bias)
        detector.load_state_dict(weights)
        for found in detector.detect(images):
            assert bool((found.scores > 0.3).any()) is certain


def write_alien(folder):
    """A checkpoint of something else."""
    script = (
        "import sys, tensorflow as tf;"
        "tf.train.Checkpoint(model=tf.Module(), step=tf.Variable(1)).save(sys.argv[1])"
    )
    subprocess.run([PYTHON, "-c", script, folder / "alien"], check=True, capture_output=True)
    return str(folder / "alien-1")
