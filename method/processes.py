"""Counts over all processes that train one detector together, each with its part of the batch.

`DistributedDataParallel` averages the gradients of the processes. A part's loss, divided not by its
own count but by the mean count of the parts, therefore has the gradient of the whole batch's loss.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def process_count() -> int:
    """Processes that train together; 1 where no process group was begun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def shared_count(count: Tensor, least: float = 0) -> Tensor:
    """The mean of a count over the processes, whose sum is taken for at least `least`.

    Args:
        count: scalar or vector, of this process's part; no gradient flows through.
        least: of the whole batch's count, so that it can be divided by.
    """
    processes = process_count()
    if processes == 1:
        return count.clamp(min=least)
    total = count.detach().to(torch.float32, copy=True)
    dist.all_reduce(total)
    return total.clamp(min=least) / processes
