"""What a GPU can reach at most in training: `python -m pipelines.roofline`.

A step of each detector is worked out once, on the CPU, and counted: the operations, each of which
starts a kernel or more; the bytes that they read and write, none fused with another; and the
floating-point operations. Each count over what the GPU does in a second bounds the images/s, and
the lowest bound is the one to work at: fewer starts by larger batches or `compile: on`, fewer bytes
by fusing. Left unsaid, the GPU is an H200 by its data sheet, with dense bfloat16; what a start
costs is an assumption.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from pipelines.augment import HostMatching
from pipelines.benchmark import with_stock_convolutions
from pipelines.errors import UserError, run_cli
from pipelines.spec import DetectorName, RunSpec
from pipelines.steps import OwnSteps, to_batch
from pipelines.training.noise import build, draw

CPU = torch.device("cpu")
DETECTORS = (DetectorName.SCALE_AWARE_SSD, DetectorName.SSD_MOBILENET_V2, DetectorName.LAPNET)
OBJECTS, CLASSES = 9, 3
WITHOUT_KERNEL = ("empty", "new_empty", "detach", "_record_function")
"""Beginnings of operations that work nothing out; views are others."""


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input-size", type=int, default=512, help="pixels (%(default)s)")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[8, 32], help="(%(default)s)")
    parser.add_argument("--tflops", type=float, default=989, help="of the GPU (%(default)s)")
    parser.add_argument("--bandwidth", type=float, default=4.8, help="TB a second (%(default)s)")
    parser.add_argument("--start", type=float, default=5, help="μs a kernel's start (%(default)s)")
    arguments = parser.parse_args()
    of_gpu = (arguments.tflops, arguments.bandwidth, arguments.start)
    if min(arguments.input_size, *arguments.batch_size, *of_gpu) <= 0:
        raise UserError("sizes and what the GPU does must be above 0")
    rows = []
    for detector in DETECTORS:
        for batch_size in arguments.batch_size:
            spec = RunSpec(
                detector=detector, input_size=arguments.input_size, batch_size=batch_size
            )
            step = count_step(spec)
            bounds = {
                "starts": batch_size / (step.operations * arguments.start * 1e-6),
                "bytes": batch_size / (step.moved / (arguments.bandwidth * 1e12)),
                "arithmetic": batch_size / (step.flops / (arguments.tflops * 1e12)),
            }
            rows.append(
                {
                    "detector": detector,
                    "batch": batch_size,
                    "operations": step.operations,
                    "MB an image": step.moved / batch_size / 1e6,
                    "GFLOP an image": step.flops / batch_size / 1e9,
                    **{f"images/s by {name}": bound for name, bound in bounds.items()},
                    "at most": min(bounds.values()),
                }
            )
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=",.0f"))


if __name__ == "__main__":
    run_cli(main)
