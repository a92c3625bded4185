"""One training step: the network's arithmetic, the optimiser, the learning rate.

With several processes (`torchrun`) each has its part of the batch, and one step of all has the
gradient of the whole batch; only batch norms see their own part alone on a CPU.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from method.detector import Match, StepLosses, TrainableDetector, to_device
from method.lapnet.losses import Weights
from method.processes import process_count
from pipelines.runs.registry import Trainer
from pipelines.runs.spec import Optimiser, Precision, RunSpec, Schedule, Switch

MOMENTUM = 0.9
POWER = 0.9
"""Of the polynomial schedule."""


def learning_rate(spec: RunSpec, step: int, height: float) -> float:
    """Learning rate of one step (from 0): a linear rise to `height`, then the schedule."""
    if step < spec.warmup:
        return height * (step + 1) / (spec.warmup + 1)
    done = step / spec.iterations
    if spec.schedule is Schedule.POLYNOMIAL:
        return height * (1 - done) ** POWER
    if spec.schedule is Schedule.STEP:
        return height * 0.1 ** ((done >= 0.5) + (done >= 0.9))
    return height * 0.5 * (1 + math.cos(math.pi * done))


def to_batch(pixels: NDArray[np.uint8] | Tensor, device: torch.device) -> Tensor:
    """B×S×S×3 `uint8` pixels as a B×3×S×S tensor in channels-last order, without a copy on CPU."""
    return to_device(torch.as_tensor(pixels), device).permute(0, 3, 1, 2)


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The network's arithmetic; parameters stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision is Precision.BF16)


def choose_arithmetic(precision: Precision) -> None:
    """Have a GPU round float32 products where the precision says so, and nowhere else."""
    rounded = precision is not Precision.FP32
    torch.backends.cudnn.allow_tf32 = rounded
    torch.backends.cuda.matmul.allow_tf32 = rounded


def make_optimizer(detector: torch.nn.Module, spec: RunSpec) -> torch.optim.Optimizer:
    """Adam with either kind of weight decay, or SGD with momentum, in one fused kernel.

    LapNet's learned weights have a learning rate of their own, and neither decay nor momentum:
    without a gradient they stay.
    """
    learned = [p for m in detector.modules() if isinstance(m, Weights) for p in m.parameters()]
    of_weights = {id(p) for p in learned}
    others = [p for p in detector.parameters() if id(p) not in of_weights]
    groups: list[dict[str, Any]] = [{"params": others, "weight_decay": spec.weight_decay}]
    rate = spec.weights_learning_rate or spec.learning_rate
    plain = {"params": learned, "weight_decay": 0, "lr": rate}
    if spec.optimiser is Optimiser.SGD:
        groups += [{**plain, "momentum": 0}] if learned else []
        return torch.optim.SGD(groups, lr=spec.learning_rate, momentum=MOMENTUM, fused=True)
    groups += [{**plain, "betas": (0.0, 0.999)}] if learned else []
    adam = torch.optim.Adam if spec.optimiser is Optimiser.ADAM else torch.optim.AdamW
    return adam(groups, lr=spec.learning_rate, fused=True)


def training_step(
    losses_of: Callable[[Tensor, Sequence[Match]], StepLosses],
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    matches: Sequence[Match],
    precision: Precision,
) -> dict[str, Tensor]:
    """Forward, backward and update; the losses and counts of the step, detached.

    Args:
        losses_of: a detector's `losses`.
        optimizer: of its parameters.
        images: B×3×S×S `uint8`.
        matches: of each image.
        precision: of the network.
    """
    optimizer.zero_grad(set_to_none=True)  # first: a compiled network may reuse what is not held
    with autocast(precision, images.device):
        losses = losses_of(images, matches)
    total = torch.stack(list(losses.terms.values())).sum()
    total.backward()
    optimizer.step()
    counts = {name: value * process_count() for name, value in losses.counts.items()}
    values = {"loss": total, **losses.terms, **counts}
    return {name: value.detach() for name, value in values.items()}


class Steps(Protocol):
    """How a detector is trained, step by step."""

    optimizer: torch.optim.Optimizer

    def __call__(self, number: int, images: Tensor, matches: Sequence[Any]) -> dict[str, Tensor]:
        """Step `number` (from 0); its `loss`, the terms of the loss, and the counts."""


class OwnSteps(Generic[Match]):
    """The steps of this project's own training, by the specification's optimiser and schedule."""

    def __init__(self, detector: TrainableDetector[Match], spec: RunSpec) -> None:
        self.spec = spec
        self.optimizer = make_optimizer(detector, spec)
        if spec.compile is Switch.ON:
            detector.compile(mode="reduce-overhead")
        self.losses_of: Callable[[Tensor, Sequence[Match]], StepLosses] = detector.losses
        if process_count() > 1:
            self.losses_of = DistributedDataParallel(_Losses(detector))
        self.heights = [group["lr"] for group in self.optimizer.param_groups]

    def __call__(self, number: int, images: Tensor, matches: Sequence[Match]) -> dict[str, Tensor]:
        for group, height in zip(self.optimizer.param_groups, self.heights, strict=True):
            group["lr"] = learning_rate(self.spec, number, height)
        return training_step(self.losses_of, self.optimizer, images, matches, self.spec.precision)


class _Losses(nn.Module, Generic[Match]):
    """A detector's losses as a network's output, which is what data parallelism wraps."""

    def __init__(self, detector: TrainableDetector[Match]) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor, matches: Sequence[Match]) -> StepLosses:
        return self.detector.losses(images, matches)


def make_steps(detector: TrainableDetector[Any], spec: RunSpec, device: torch.device) -> Steps:
    """How the detector of a run is trained: Detectron2's by Detectron2's own trainer."""
    if spec.entry.trainer is not Trainer.DETECTRON2:
        return OwnSteps(detector, spec)
    from baselines.detectron2.detector import Detectron2Detector
    from baselines.detectron2.trainer import Detectron2Steps

    assert isinstance(detector, Detectron2Detector)
    return Detectron2Steps(
        detector,
        batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay,
        iterations=spec.iterations,
        warmup=spec.warmup,
        cosine=spec.schedule is Schedule.COSINE,
        autocast=autocast(spec.precision, device),
        seed=spec.seed,
    )
