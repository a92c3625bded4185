"""The training loop of every detector; only the step itself may be another library's.

The order of the images is a function of the seed and the step alone, so that a run can stop at any
step and go on as if it had not, and so that two detectors with one seed see the same batches.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from method.detector import Match, TrainableDetector
from method.lapnet.losses import Weights
from pipelines.augment import Batches
from pipelines.errors import UserError
from pipelines.spec import Optimiser, Precision, RunSpec, Schedule

LOG_EVERY = 10
CHECKPOINT_SECONDS = 20.0
MOMENTUM = 0.9
POWER = 0.9
"""Of the polynomial schedule."""

Validation = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class TrainedElsewhere:
    """What is known of another process that did the training."""

    packages: dict[str, str]
    """Its versions."""
    configuration: str
    """Its own configuration file, whole."""
    peak_memory_mib: float


@dataclass
class Progress:
    """What a run has done so far; a checkpoint holds it."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    """Time spent in training steps, over all starts of the run."""
    elsewhere: TrainedElsewhere | None = None


def batch_indices(count: int, batch_size: int, seed: int, step: int) -> list[int]:
    """Images of one step (from 0), without going through the steps before it."""
    epoch, start = divmod(step * batch_size, count)
    indices: list[int] = []
    while len(indices) < batch_size:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(count, generator=generator).tolist()
        indices += order[start : start + batch_size - len(indices)]
        epoch, start = epoch + 1, 0
    return indices


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


def to_batch(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """B×S×S×3 `uint8` pixels as a B×3×S×S tensor in channels-last order, without a copy on CPU."""
    return torch.from_numpy(pixels).to(device, non_blocking=True).permute(0, 3, 1, 2)


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The network's arithmetic; parameters stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision is Precision.BF16)


def make_optimizer(detector: torch.nn.Module, spec: RunSpec) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay, or SGD with momentum, in one fused kernel.

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
    return torch.optim.AdamW(groups, lr=spec.learning_rate, fused=True)


def training_step(
    detector: TrainableDetector[Match],
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    matches: Sequence[Match],
    precision: Precision,
) -> dict[str, Tensor]:
    """Forward, backward and update; the losses and counts of the step, detached."""
    with autocast(precision, images.device):
        losses = detector.losses(images, matches)
    total = torch.stack(list(losses.terms.values())).sum()
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    optimizer.step()
    values = {"loss": total, **losses.terms, **losses.counts}
    return {name: value.detach() for name, value in values.items()}


class Steps(Protocol):
    """How a detector is trained, step by step."""

    optimizer: torch.optim.Optimizer

    def __call__(self, number: int, images: Tensor, matches: Sequence[Any]) -> dict[str, Tensor]:
        """Step `number` (from 0); its `loss`, the terms of the loss, and the counts."""


class OwnSteps(Generic[Match]):
    """The steps of this project's own training, by the specification's optimiser and schedule."""

    def __init__(self, detector: TrainableDetector[Match], spec: RunSpec) -> None:
        self.detector, self.spec = detector, spec
        self.optimizer = make_optimizer(detector, spec)
        self.heights = [group["lr"] for group in self.optimizer.param_groups]

    def __call__(self, number: int, images: Tensor, matches: Sequence[Match]) -> dict[str, Tensor]:
        for group, height in zip(self.optimizer.param_groups, self.heights, strict=True):
            group["lr"] = learning_rate(self.spec, number, height)
        return training_step(self.detector, self.optimizer, images, matches, self.spec.precision)


def train(
    detector: TrainableDetector[Match],
    data: Batches[Match],
    spec: RunSpec,
    *,
    device: torch.device,
    steps: Steps | None = None,
    checkpoint: Checkpoint | None = None,
    validate: Validation | None = None,
    label: str = "train",
) -> Progress:
    """Train to the last step, from the checkpoint if there is one.

    Args:
        detector: on `device`, in channels-last order.
        data: the training set.
        spec: steps, batch, optimiser, precision, seed.
        device: where the network runs.
        steps: how it is trained; this project's own way when None.
        checkpoint: where the state is kept every twenty seconds.
        validate: called every `spec.validate_every` steps and at the end; its figures enter the
            history.
        label: name on the progress bar.

    Raises:
        UserError: the loss is not finite.
    """
    steps = steps or OwnSteps(detector, spec)
    progress = checkpoint.load(detector, steps.optimizer) if checkpoint else Progress()
    detector.train()
    window: list[dict[str, Tensor]] = []
    saved = time.monotonic()
    bar = tqdm(total=spec.iterations, initial=progress.step, desc=label, unit="step")
    with bar:
        while progress.step < spec.iterations:
            began = time.perf_counter()
            indices = batch_indices(len(data), spec.batch_size, spec.seed, progress.step)
            pixels, matches = data.batch(progress.step, indices)
            images = to_batch(pixels, device)
            window.append(_step(steps, progress.step, images, matches, spec))
            progress.step += 1
            bar.update()
            last = progress.step == spec.iterations
            if progress.step % LOG_EVERY == 0 or last:
                rate = steps.optimizer.param_groups[0]["lr"]
                row = _log_row(window, progress.step, rate, spec)
                window.clear()
                progress.history.append(row)
                speed = spec.batch_size * (bar.format_dict["rate"] or 0)
                bar.set_postfix_str(f"loss {row['loss']:.3f}, {speed:.1f} images/s")
            progress.seconds += time.perf_counter() - began
            due = spec.validate_every and progress.step % spec.validate_every == 0
            if validate and (due or (last and spec.validate_every)):
                progress.history.append({"step": progress.step, **validate()})
                detector.train()
            if checkpoint and not window and time.monotonic() - saved >= checkpoint.seconds:
                checkpoint.save(detector, steps.optimizer, progress)
                saved = time.monotonic()
    return progress


def _step(
    steps: Steps, number: int, images: Tensor, matches: Sequence[Any], spec: RunSpec
) -> dict[str, Tensor]:
    try:
        return steps(number, images, matches)
    except FloatingPointError as error:  # Detectron2's trainer looks at each loss itself
        raise _diverged(number + 1, str(error).replace("\n", " "), spec) from None


def _diverged(step: int, terms: str, spec: RunSpec) -> UserError:
    return UserError(
        f"the loss is not finite at step {step} ({terms}): try a learning_rate below "
        f"{spec.learning_rate:g} or precision fp32"
    )


def _log_row(
    window: Sequence[dict[str, Tensor]], step: int, rate: float, spec: RunSpec
) -> dict[str, float]:
    means = {
        name: float(torch.stack([values[name].float() for values in window]).mean())
        for name in window[0]
    }
    if not math.isfinite(means["loss"]):
        terms = ", ".join(f"{name} {value:g}" for name, value in means.items())
        raise _diverged(step, terms, spec)
    return {"step": step, "learning_rate": rate, **means}


@dataclass(frozen=True)
class Checkpoint:
    """State of an unfinished run on disk, replaced as a whole at each save."""

    path: Path
    key: str
    """State saved under another key (another specification or other code) is not used."""
    seconds: float = CHECKPOINT_SECONDS
    """Least time between two saves."""

    def save(
        self, detector: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: Progress
    ) -> None:
        """Write the state beside the last one, then take its place."""
        state: dict[str, Any] = {
            "key": self.key,
            "detector": detector.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": progress.step,
            "history": progress.history,
            "seconds": progress.seconds,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)

    def load(self, detector: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Restore the state, if there is one of this key; else a beginning."""
        if not self.path.exists():
            return Progress()
        device = next(detector.parameters()).device
        state = torch.load(self.path, map_location=device, weights_only=True)
        if state["key"] != self.key:
            return Progress()
        detector.load_state_dict(state["detector"])
        optimizer.load_state_dict(state["optimizer"])
        return Progress(state["step"], state["history"], state["seconds"])

    def remove(self) -> None:
        """Forget the state; the run is complete."""
        self.path.unlink(missing_ok=True)
