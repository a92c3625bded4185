"""What runs on a GPU, on one that is simulated: the CPU's results, and no step that waits."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from method.choices import Sampler
from method.detector import TrainableDetector, to_device
from method.lapnet.choices import Balance, ClassificationLoss
from pipelines.detectors.build import build_detector
from pipelines.evaluation.run import run as train
from pipelines.runs.spec import Augment, DetectorName, Precision, Released, RunSpec
from pipelines.training import benchmark, run
from pipelines.training.batches import host_matcher, make_batches
from pipelines.training.loop import Checkpoint
from pipelines.training.step import to_batch
from tests.pipelines.simulated_gpu import CPU, GPU, simulated_gpu
from tests.pipelines.training.rectangles import MOSAICS, SIZE, split_of

SPEC = RunSpec(iterations=3, batch_size=2, warmup=0, input_size=SIZE, precision=Precision.FP32)
OWN = [
    *({"sampler": sampler} for sampler in Sampler),
    {"released": (Released.MINE_OVER_BATCH, Released.SAMPLE_LIMIT, Released.SOFTMAX_TWICE)},
    {"released": (Released.CORNER_CODING,)},
    {"augment": (Augment.TILES, Augment.FLIP)},
    {"detector": DetectorName.LAPNET},
    {"detector": DetectorName.LAPNET, "balance": Balance.RATIO, "augment": (Augment.FLIP,)},
    {"detector": DetectorName.LAPNET, "classification": ClassificationLoss.FOCAL},
]
RIVALS = [
    {"detector": detector, "iterations": 1}  # more steps of such depth blow rounding up
    for detector in (
        DetectorName.SSDLITE,
        DetectorName.RETINANET_TORCHVISION,
        DetectorName.RETINANET_R50,
        DetectorName.FASTER_RCNN_R50,
    )
]


def name_of(changes):
    return "-".join(str(value) for value in changes.values())


@pytest.fixture(autouse=True, params=[2**40], ids=[""])
def memory(request, monkeypatch):
    """The GPU's free bytes."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (request.param, request.param))


def test_the_simulated_gpu_knows_what_waits():
    with simulated_gpu() as waits:
        values = torch.tensor([1.0, -1.0]).to(GPU)
        for wait in (
            lambda: float(values[0]),
            lambda: values[values > 0],
            lambda: values.nonzero(),
            lambda: values.cpu(),
            lambda: values.tolist(),
            lambda: torch.ones(2).to(GPU),
            lambda: torch.tensor([1.0], device=GPU),
            lambda: values.new_tensor(1.0),
            lambda: values[torch.tensor([0])],
            lambda: torch.ones(2).to(GPU, non_blocking=True),
        ):
            waits.clear()
            wait()
            assert waits
        waits.clear()
        assert to_device(torch.ones(2), GPU).device == GPU
        assert (
            values + values * 2 + values.new_zeros(2) + torch.ones(2, device=GPU)
        ).sum().dim() == 0
        assert not waits
        with pytest.raises(RuntimeError, match="tensors of the host and of the GPU"):
            values + torch.ones(2)
        with pytest.raises(TypeError, match="cannot become an array"):
            values.numpy()


def trained(spec, device, path):
    """History, detections and weights of a short training, and what made the host wait for it."""
    split = split_of(MOSAICS)
    with simulated_gpu() as waits:
        detector = build_detector(spec, 1, to_batch(split.images, CPU)).to(device)
        progress = run.train_detector(detector, split, spec, device, Checkpoint(path, "", 1e9))
        of_training = [wait for wait in waits if "loop.train" in wait]
        detections = run.detect_all(detector, split, spec, device)
        weights = {name: value.to(CPU) for name, value in detector.state_dict().items()}
    return progress.history, detections, weights, of_training


@pytest.mark.slow
@pytest.mark.parametrize("changes", OWN + RIVALS, ids=name_of)
def test_a_gpu_gives_what_the_cpu_gives(changes, tmp_path):
    spec = replace(SPEC, **changes)
    history, detections, weights, _ = trained(spec, CPU, tmp_path / "cpu")
    theirs, found, their_weights, waits = trained(spec, GPU, tmp_path / "gpu")
    pd.testing.assert_frame_equal(pd.DataFrame(theirs), pd.DataFrame(history), rtol=1e-4)
    torch.testing.assert_close(their_weights, weights, rtol=1e-3, atol=1e-3)
    assert len(found) == len(detections) > 0
    for one, other in zip(found, detections, strict=True):
        assert one["bbox"] == pytest.approx(other["bbox"], abs=0.02)
        assert one["score"] == pytest.approx(other["score"], abs=1e-4)
    if changes not in RIVALS:
        assert waits
        assert [wait for wait in waits if "loop._means" not in wait] == []


@pytest.mark.parametrize("memory", [2**40, 0], ids=["images there", "images here"], indirect=True)
@pytest.mark.parametrize("detector", [DetectorName.SCALE_AWARE_SSD, DetectorName.LAPNET])
@pytest.mark.parametrize(
    "augment",
    # Not `light`: torchvision takes a small table for the hue to the GPU with each image.
    [(), *((kind,) for kind in Augment if kind is not Augment.LIGHT)],
)
def test_no_batch_waits(augment, detector):
    spec, split = replace(SPEC, augment=augment, detector=detector), split_of(MOSAICS)
    with simulated_gpu() as waits:
        made = build_detector(spec, 1, to_batch(split.images, CPU)).to(GPU)
        assert isinstance(made, TrainableDetector)
        batches = make_batches(host_matcher(made, GPU), split, spec, GPU)
        waits.clear()
        for step in range(4):
            images, matches = batches.batch(step, [1, 0])
            assert images.device == GPU
            tensors = [tensor for match in matches for tensor in vars(match).values()]
            assert {tensor.device for tensor in tensors} == {GPU}
        assert waits == []


@pytest.mark.slow
def test_a_whole_run_on_a_gpu(small_data, tmp_path, monkeypatch):
    """The files of a run folder, whose numbers are the CPU's."""
    spec = replace(SPEC, dataset=small_data, validate_every=2, width=0.5)
    train(spec, tmp_path / "cpu")
    monkeypatch.setattr(run, "choose_device", lambda: GPU)
    with simulated_gpu():
        train(spec, tmp_path / "gpu", checkpoint_seconds=1e9)
    ours, theirs = (json.loads((tmp_path / n / "run.json").read_text()) for n in ("cpu", "gpu"))
    assert theirs["files_sha256"].keys() == ours["files_sha256"].keys()
    assert theirs["cost"].keys() == ours["cost"].keys()
    assert theirs["cost"]["flops_an_image"] == ours["cost"]["flops_an_image"]
    weights, found = (load_file(tmp_path / n / "model.safetensors") for n in ("cpu", "gpu"))
    torch.testing.assert_close(found, weights)


def test_the_benchmark_runs_on_a_gpu(monkeypatch):
    monkeypatch.setattr(benchmark, "LAPNET", replace(benchmark.LAPNET, input_size=SIZE))
    with simulated_gpu():
        assert min(benchmark.time_loop(SIZE, 1, GPU, batch_size=2)) > 0
        assert min(benchmark.time_lapnet(3, 1, GPU)) > 0
        assert benchmark.lapnet_memory(3, GPU, classes=2)[0] > 0
