"""Detectron2's own trainer, optimiser and schedule, a step at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import torch
from detectron2.engine import SimpleTrainer
from detectron2.solver import build_lr_scheduler, build_optimizer
from detectron2.structures import Instances
from detectron2.utils.events import EventStorage
from torch import Tensor, nn

from baselines.detectron2.detector import Detectron2Detector

SCHEDULE = (210 / 270, 250 / 270)
"""Where in a training the zoo's 3x schedule takes the learning rate to a tenth."""

NORMALISER = "loss_normalizer"
"""Where a dense detector of Detectron2 keeps what it divides its losses by. No part of its state,
so it is kept with the optimiser's."""


class Detectron2Steps:
    """Steps of Detectron2's `SimpleTrainer`, with its optimiser and its schedule.

    Args:
        detector: on its device.
        batch_size: images a step.
        learning_rate: at its height, for this batch size.
        weight_decay: of all weights but the norms'.
        iterations: steps in all.
        warmup: steps over which the learning rate rises.
        cosine: lower the learning rate along half a cosine, not in the zoo's steps.
        autocast: the arithmetic of the network, entered anew at each step.
        seed: with the step, fixes which proposals are sampled.
    """

    def __init__(
        self,
        detector: Detectron2Detector,
        *,
        batch_size: int,
        learning_rate: float,
        weight_decay: float,
        iterations: int,
        warmup: int,
        cosine: bool,
        autocast: AbstractContextManager[None],
        seed: int,
    ) -> None:
        solver = detector.config.SOLVER
        solver.IMS_PER_BATCH = batch_size
        solver.BASE_LR = learning_rate
        solver.WEIGHT_DECAY = weight_decay
        solver.MAX_ITER = iterations
        solver.WARMUP_ITERS = warmup
        solver.LR_SCHEDULER_NAME = "WarmupCosineLR" if cosine else "WarmupMultiStepLR"
        solver.STEPS = tuple(sorted({int(share * iterations) for share in SCHEDULE}))
        self.seed = seed
        self.optimizer: torch.optim.Optimizer = build_optimizer(detector.config, detector)
        self.scheduler = build_lr_scheduler(detector.config, self.optimizer)
        self._model = detector.model
        self._batch: tuple[Tensor, Sequence[Instances]]
        losses = _Losses(detector, autocast)
        self._trainer = SimpleTrainer(losses, self._batches(), self.optimizer)

    def __call__(
        self, number: int, images: Tensor, matches: Sequence[Instances]
    ) -> dict[str, Tensor]:
        """Step `number` (from 0): its losses, and their sum as `loss`.

        A dense detector divides them by a mean number of positives, the `normaliser`, which comes
        down from 100 or 300 in the first steps.
        """
        self.set_learning_rate(number)
        torch.manual_seed(self.seed * 1_000_003 + number)
        self._batch = images, matches
        kept = self.optimizer.param_groups[0]
        if NORMALISER in kept:
            setattr(self._model, NORMALISER, kept[NORMALISER])
        with EventStorage(number) as storage:
            self._trainer.iter, self._trainer.storage = number, storage
            self._trainer.before_step()
            self._trainer.run_step()
            self._trainer.after_step()
            found = {name: value for name, (value, _) in storage.latest().items()}
        values = {name: torch.tensor(found[name]) for name in found if name.startswith("loss")}
        losses = {"loss": torch.stack(list(values.values())).sum(), **values}
        if not hasattr(self._model, NORMALISER):
            return losses
        kept[NORMALISER] = getattr(self._model, NORMALISER)
        return {**losses, "normaliser": torch.tensor(kept[NORMALISER])}

    def set_learning_rate(self, number: int) -> None:
        """That of step `number`, whichever step came before."""
        self.scheduler.last_epoch = number
        for group, rate in zip(self.optimizer.param_groups, self.scheduler.get_lr(), strict=True):
            group["lr"] = rate

    def _batches(self) -> Iterator[tuple[Tensor, Sequence[Instances]]]:
        """The trainer's data loader: it takes one batch a step, the one just set."""
        while True:
            yield self._batch


class _Losses(nn.Module):
    """A detector's losses as the trainer asks for them."""

    def __init__(
        self, detector: Detectron2Detector, autocast: AbstractContextManager[None]
    ) -> None:
        super().__init__()
        self.detector, self.autocast = detector, autocast

    def forward(self, batch: tuple[Tensor, Sequence[Instances]]) -> dict[str, Tensor]:
        with self.autocast:
            return self.detector.losses(*batch).terms
