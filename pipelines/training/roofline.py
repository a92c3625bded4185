"""What a GPU can reach at most in training: `python -m pipelines.roofline`.

A step of each detector is worked out once, on the CPU, and counted: the operations, each of which
starts a kernel or more; the bytes that they read and write, none fused with another; and the
floating-point operations. Each count over what the GPU does in a second bounds the images/s, and
the lowest bound is the one to work at: fewer starts by larger batches or `compile: on`, fewer bytes
by fusing. Left unsaid, the GPU is an H200 by its data sheet, with dense bfloat16; what a start
costs is an assumption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from pipelines.runs.registry import ENTRIES, Family
from pipelines.runs.spec import RunSpec
from pipelines.training.batches import HostMatching
from pipelines.training.benchmark import with_stock_convolutions
from pipelines.training.noise import build, draw
from pipelines.training.step import OwnSteps, to_batch

CPU = torch.device("cpu")
OBJECTS, CLASSES = 9, 3
WITHOUT_KERNEL = ("empty", "new_empty", "detach", "_record_function")
"""Beginnings of operations that work nothing out; views are others."""


@dataclass(frozen=True)
class Gpu:
    """What a GPU does."""

    tflops: float
    """Floating-point operations a second, 10¹²."""
    bandwidth: float
    """Bytes a second, 10¹²."""
    start: float
    """Microseconds that a kernel's start takes."""


@dataclass(frozen=True)
class Counts:
    """What some work does."""

    operations: int
    moved: int
    """Bytes read and written."""
    flops: int


class _Counter(TorchDispatchMode):
    operations = moved = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not (func.is_view or func.overloadpacket.__name__.startswith(WITHOUT_KERNEL)):
            self.operations += 1
            leaves = tree_iter((args, kwargs, result))
            self.moved += sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))
        return result


def count(work: Callable[[], object]) -> Counts:
    """What `work` does on the CPU; operations within an operation are not counted."""
    with FlopCounterMode(display=False) as flops, _Counter() as counter:  # type: ignore[no-untyped-call]
        work()
    return Counts(counter.operations, counter.moved, flops.get_total_flops())


def count_step(spec: RunSpec) -> Counts:
    """What one step does: forward, losses, backward and update, of objects matched before.

    The second step is counted, as the first also makes the optimiser's state.
    """
    scene = draw(spec.batch_size, spec.input_size, OBJECTS, CLASSES)
    detector = with_stock_convolutions(build(spec, CLASSES, scene, CPU))
    steps: OwnSteps[Any] = OwnSteps(detector, spec)
    images, matches = to_batch(scene.pixels, CPU), HostMatching(detector.match, CPU)(scene.objects)
    steps(0, images, matches)
    return count(lambda: steps(1, images, matches))


def bounds(input_size: int, batch_sizes: Sequence[int], gpu: Gpu) -> pd.DataFrame:
    """Most images/s of each detector at each batch size, by what bounds them."""
    rows = []
    for detector in (e.name for e in ENTRIES.values() if e.family is not Family.RIVAL):
        for batch_size in batch_sizes:
            step = count_step(
                RunSpec(detector=detector, input_size=input_size, batch_size=batch_size)
            )
            limits = {
                "starts": batch_size / (step.operations * gpu.start * 1e-6),
                "bytes": batch_size / (step.moved / (gpu.bandwidth * 1e12)),
                "arithmetic": batch_size / (step.flops / (gpu.tflops * 1e12)),
            }
            rows.append(
                {
                    "detector": detector,
                    "batch": batch_size,
                    "operations": step.operations,
                    "MB an image": step.moved / batch_size / 1e6,
                    "GFLOP an image": step.flops / batch_size / 1e9,
                    **{f"images/s by {name}": limit for name, limit in limits.items()},
                    "at most": min(limits.values()),
                }
            )
    return pd.DataFrame(rows)
