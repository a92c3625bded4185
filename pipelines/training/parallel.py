"""One run by several processes: `torchrun --nproc-per-node 2 -m pipelines.train SPEC FOLDER`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from method.detector import Detector
from method.processes import process_count
from pipelines.runs.registry import Trainer
from pipelines.runs.spec import Released, RunSpec
from pipelines.system.errors import UserError

OVER_BATCH = (Released.MINE_OVER_BATCH, Released.SAMPLE_LIMIT)
"""What looks at a batch as a whole."""


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that torchrun has started, if it has."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def is_first() -> bool:
    """Whether this is the process that validates, keeps checkpoints and writes the run folder."""
    return process_count() == 1 or dist.get_rank() == 0


def require_divisible(spec: RunSpec) -> None:
    """Refuse a run that the present number of processes cannot share.

    Raises:
        UserError: another library's trainer, a rule over the whole batch, or an odd batch size.
    """
    processes = process_count()
    if processes == 1:
        return
    reason = None
    if spec.entry.trainer is not Trainer.OWN:
        reason = f"{spec.detector} is trained by its own library's trainer, in one process"
    elif whole := [name for name in OVER_BATCH if name in spec.released]:
        reason = f"{whole[0]} looks at the batch as a whole"
    elif spec.batch_size % processes:
        reason = f"a batch of {spec.batch_size} cannot be shared evenly; choose another batch_size"
    if reason:
        raise UserError(f"{processes} processes: {reason}")


def own_part(batch_size: int) -> slice:
    """This process's places in a batch."""
    part = batch_size // process_count()
    first = 0 if is_first() else dist.get_rank() * part
    return slice(first, first + part)


def averaged(values: Tensor) -> Tensor:
    """The mean of each value over the processes."""
    if process_count() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / process_count()


def synchronised(detector: Detector) -> Detector:
    """Batch norms that see the whole batch on several GPUs; PyTorch has none for CPUs."""
    if process_count() == 1 or not torch.cuda.is_available():
        return detector
    converted: Detector = nn.SyncBatchNorm.convert_sync_batchnorm(detector)
    return converted
