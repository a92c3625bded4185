"""The training loop of every detector; only the step itself may be another library's.

The order of the images is a function of the seed and the step alone, so that a run can stop at any
step and go on as if it had not, and so that two detectors with one seed see the same batches.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from method.detector import Match, TrainableDetector
from pipelines.runs.spec import RunSpec
from pipelines.system.bars import progress_bar
from pipelines.system.energy import EnergyMeter
from pipelines.system.errors import UserError, note
from pipelines.training.batches import Batches, epoch_order
from pipelines.training.live import Live
from pipelines.training.parallel import averaged, is_first, own_part
from pipelines.training.step import OwnSteps, Steps

LOG_EVERY = 10
CHECKPOINT_SECONDS = 20.0

Validation = Callable[[int], dict[str, float]]
"""Of the step that has been made, figures for the history."""


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
    joules: float | None = None
    """Energy spent meanwhile, where it can be read."""
    elsewhere: TrainedElsewhere | None = None


def batch_indices(count: int, batch_size: int, seed: int, step: int) -> list[int]:
    """Images of one step (from 0), without going through the steps before it."""
    epoch, start = divmod(step * batch_size, count)
    indices: list[int] = []
    while len(indices) < batch_size:
        order = epoch_order(count, seed, epoch)
        indices += order[start : start + batch_size - len(indices)]
        epoch, start = epoch + 1, 0
    return indices


def train(
    detector: TrainableDetector[Match],
    data: Batches[Match],
    spec: RunSpec,
    *,
    device: torch.device,
    steps: Steps | None = None,
    checkpoint: Checkpoint | None = None,
    validate: Validation | None = None,
    live: Live | None = None,
    label: str = "train",
) -> Progress:
    """Train to the last step, from the checkpoint if there is one.

    Args:
        detector: on `device`, in channels-last order.
        data: the training set, with its batches on `device`.
        spec: steps, batch, optimiser, precision, seed.
        device: where the network runs.
        steps: how it is trained; this project's own way when None.
        checkpoint: where the state is kept every twenty seconds.
        validate: called every `spec.validate_every` steps and at the end; its figures enter the
            history.
        live: what can be looked at meanwhile.
        label: name on the progress bar.

    Raises:
        UserError: the loss is not finite.
    """
    steps = steps or OwnSteps(detector, spec)
    progress = checkpoint.load(detector, steps.optimizer) if checkpoint else Progress()
    if progress.step and is_first():
        note(f"{label}: goes on from step {progress.step} of {spec.iterations}")
    log = _Log(progress, spec, device, label, live)
    part = own_part(spec.batch_size)
    saved = time.monotonic()
    detector.train()
    with log.bar:
        while progress.step < spec.iterations:
            began = time.perf_counter()
            indices = batch_indices(len(data), spec.batch_size, spec.seed, progress.step)[part]
            images, matches = data.batch(progress.step, indices, part.start)
            losses = _step(steps, progress.step, images, matches, spec)
            progress.step += 1
            log.add(losses, steps.optimizer.param_groups[0]["lr"])
            progress.seconds += time.perf_counter() - began
            if validate and is_first() and _validation_due(progress.step, spec):
                log.write({"step": progress.step, **validate(progress.step)})
                detector.train()
            waited = time.monotonic() - saved
            if checkpoint and is_first() and log.is_written and waited >= checkpoint.seconds:
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
    except torch._dynamo.exc.BackendCompilerFailed as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"compile: {reason}; it needs a C++ compiler, or compile: off") from None


def _diverged(step: int, terms: str, spec: RunSpec) -> UserError:
    return UserError(
        f"the loss is not finite at step {step} ({terms}): try a learning_rate below "
        f"{spec.learning_rate:g} or precision fp32"
    )


def _validation_due(step: int, spec: RunSpec) -> bool:
    every = spec.validate_every
    return bool(every) and (step % every == 0 or step == spec.iterations)


class _Log:
    """Means of every few steps' losses, in the history and on a progress bar."""

    def __init__(
        self,
        progress: Progress,
        spec: RunSpec,
        device: torch.device,
        label: str,
        live: Live | None,
    ) -> None:
        self.progress = progress
        self.spec = spec
        self.live = live if is_first() else None
        if self.live:
            self.live.begin(progress.history)
        self.window: list[dict[str, Tensor]] = []
        self.meter, self.joules_before = EnergyMeter(device), progress.joules or 0.0
        self.bar = progress_bar(
            total=spec.iterations,
            initial=progress.step,
            desc=label,
            unit="step",
            disable=not is_first(),
        )

    @property
    def is_written(self) -> bool:
        """Whether the history holds every step that has been made."""
        return not self.window

    def add(self, losses: dict[str, Tensor], rate: float) -> None:
        """Take in the step that has just been made, and its learning rate."""
        self.window.append(losses)
        self.bar.update()
        step = self.progress.step
        if step % LOG_EVERY == 0 or step == self.spec.iterations:
            row = {"step": step, "learning_rate": rate, **self._means()}
            self.window.clear()
            self.write(row)
            joules = self.meter.joules()
            self.progress.joules = None if joules is None else self.joules_before + joules
            speed = self.spec.batch_size * (self.bar.format_dict["rate"] or 0)
            self.bar.set_postfix_str(f"loss {row['loss']:.3f}, {speed:.1f} images/s")

    def write(self, row: dict[str, float]) -> None:
        """Add a row to the history, and to what is looked at meanwhile."""
        self.progress.history.append(row)
        if self.live:
            self.live.show(self.progress.history, row)

    def _means(self) -> dict[str, float]:
        names = list(self.window[0])
        own = [torch.stack([step[name].float() for step in self.window]).mean() for name in names]
        means = dict(zip(names, averaged(torch.stack(own)).tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            terms = ", ".join(f"{name} {value:g}" for name, value in means.items())
            raise _diverged(self.progress.step, terms, self.spec)
        return means


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
        """Write the state beside the last one, then take its place; the last stays on an error."""
        state: dict[str, Any] = {
            "key": self.key,
            "detector": detector.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": progress.step,
            "history": progress.history,
            "seconds": progress.seconds,
            "joules": progress.joules,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        try:
            with fresh.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

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
        return Progress(state["step"], state["history"], state["seconds"], state["joules"])

    def remove(self) -> None:
        """Forget the state; the run is complete."""
        self.path.unlink(missing_ok=True)
