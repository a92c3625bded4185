"""Two processes that share a batch take the step of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from method.choices import Sampler
from method.lapnet.choices import Balance
from method.lapnet.detector import LapNet, LapNetConfig
from method.samplers import Sampling
from method.ssd import SSD, SSDConfig
from pipelines.evaluation import run as train
from pipelines.runs.spec import Augment, DetectorName, Optimiser, Precision, Released, RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import REPOSITORY
from pipelines.training.parallel import own_part, require_divisible
from pipelines.training.step import OwnSteps

KINDS = ("dns", "basic", "learned", "ratio")
SIZE = 128
BATCH = 4
SPEC = RunSpec(
    optimiser=Optimiser.SGD, precision=Precision.FP32, batch_size=BATCH, input_size=SIZE, warmup=0
)
# Uneven on purpose: the second process has nearly all of the objects.
BOXES: tuple[list[list[float]], ...] = (
    [],
    [[20.0, 20, 44, 46]],
    [[10.0, 10, 40, 36], [64, 60, 90, 92], [30, 70, 52, 96]],
    [[70.0, 12, 96, 40], [12, 66, 40, 90]],
)


def build(kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "dns":
            config = SSDConfig(2, SIZE, class_weights=(1.0, 4.0), sampling=Sampling(Sampler.DNS))
            return SSD(config)
        if kind == "basic":
            return SSD(SSDConfig(2, SIZE))
        return LapNet(LapNetConfig(2, SIZE, balance=Balance(kind)), seed=0)


def gradients(kind):
    """Of one step on this process's part of the batch, with batch norms that stand still."""
    detector = build(kind).eval()
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    boxes = [torch.tensor(own).reshape(-1, 4) for own in BOXES]
    labels = [torch.arange(len(own)) % 2 + 1 for own in boxes]
    if isinstance(detector, LapNet):
        detector.fit_to_objects(boxes, labels)
    part = own_part(BATCH)
    matches = [detector.match(b, k) for b, k in zip(boxes[part], labels[part], strict=True)]
    counts = OwnSteps(detector, SPEC)(0, images[part], matches)
    return {name: p.grad for name, p in detector.named_parameters()}, counts


def work(rank, folder):
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    for kind in KINDS:
        torch.save(gradients(kind), folder / f"{kind}-{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """Where the gradients and counts of each kind and process lie."""
    folder = tmp_path_factory.mktemp("two")
    spawn(work, args=(folder,), nprocs=2)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_give_the_gradients_of_one(kind, of_two):
    expected, alone = gradients(kind)
    (first, parts), (second, others) = (torch.load(of_two / f"{kind}-{k}.pt") for k in (0, 1))
    assert expected.keys() == first.keys()
    scale = max(gradient.abs().max() for gradient in expected.values() if gradient is not None)
    for name, gradient in expected.items():
        if gradient is not None:
            torch.testing.assert_close(first[name], gradient, rtol=1e-3, atol=1e-5 * float(scale))
            assert torch.equal(first[name], second[name])
    assert (parts["positives"] + others["positives"]) / 2 == alone["positives"]
    assert float((parts["loss"] + others["loss"]) / 2) == pytest.approx(float(alone["loss"]), 1e-4)


@pytest.mark.slow
def test_torchrun_trains_one_run_with_two_processes(small_data, tmp_path):
    spec = RunSpec(
        dataset=small_data,
        input_size=64,
        width=0.25,
        iterations=10,
        batch_size=4,
        augment=(Augment.FLIP,),
        precision=Precision.FP32,
        threads=1,
    )
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_dict()))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command = [
        *launcher,
        "-m",
        "pipelines.train",
        tmp_path / "spec.json",
        tmp_path / "two",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, env=_environment(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    train.run(spec, tmp_path / "one")
    records = {n: json.loads((tmp_path / n / "run.json").read_text()) for n in ("one", "two")}
    assert [record["machine"]["processes"] for record in records.values()] == [1, 2]
    one, two = (pd.read_csv(tmp_path / n / "history.csv").iloc[0] for n in records)
    assert two["positives"] == one["positives"], "the same images, changed alike"
    assert two["loss"] == pytest.approx(one["loss"], rel=0.5), "but for batch norms"
    assert {p.name for p in tmp_path.iterdir()} == {"spec.json", "one", "two"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detector": DetectorName.RETINANET_R50}, "retinanet-r50 is trained by its own"),
        ({"released": (Released.MINE_OVER_BATCH,)}, "mine-over-batch looks at the batch"),
        ({"batch_size": 9}, "a batch of 9 cannot be shared evenly"),
    ],
)
def test_what_two_processes_cannot_share_is_refused(changes, message, monkeypatch):
    require_divisible(RunSpec(**changes))
    monkeypatch.setattr("pipelines.training.parallel.process_count", lambda: 2)
    with pytest.raises(UserError, match=f"2 processes: {message}"):
        require_divisible(RunSpec(**changes))
    require_divisible(RunSpec(batch_size=8))


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(REPOSITORY))}
