"""Time the training loop against the bare network: `python -m pipelines.benchmark`.

All take the same images, in turn, in one process: the bare network runs forward, a plain sum of
its outputs backward, and the optimiser's step; the loop adds the reading of images, the targets,
the sampling of negatives and the losses. "Plain" is the bare network with torch's own strided
depthwise convolutions (`method/depthwise.py` says why they are replaced). Prints images/s of each,
the loop's share of the bare network, and the bare network's gain over the plain one.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from method.depthwise import StridedDepthwiseConv2d
from method.detector import TrainableDetector
from pipelines.detectors import build_detector
from pipelines.errors import run_cli
from pipelines.runtime import choose_device, tune_allocator
from pipelines.spec import RunSpec
from pipelines.trainer import autocast, make_optimizer, to_batch, training_step

IMAGES = 32
OBJECTS = 9


def measure(input_size: int, rounds: int) -> tuple[float, float, float]:
    """Median images/s of the plain network, the bare network and the training loop.

    Args:
        input_size: side of the square input, pixels.
        rounds: steps of each, taken in turn after three that do not count.
    """
    spec = RunSpec(input_size=input_size)
    device = choose_device()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (IMAGES, input_size, input_size, 3), dtype=np.uint8)
    detector = build_detector(spec, 3, to_batch(pixels[:1], device)).to(device)
    assert isinstance(detector, TrainableDetector)
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    detector.train()
    optimizer = make_optimizer(detector, spec)
    corners = rng.uniform(0, 0.9, (IMAGES, OBJECTS, 2)) * input_size
    boxes = np.concatenate([corners, corners + 0.06 * input_size], axis=2).astype(np.float32)
    labels = torch.from_numpy(rng.integers(1, 4, (IMAGES, OBJECTS))).to(device)
    matches = [
        detector.match(torch.from_numpy(b).to(device), label)
        for b, label in zip(boxes, labels, strict=True)
    ]
    fixed = to_batch(pixels[: spec.batch_size], device)

    def bare(detector: nn.Module = detector) -> None:
        with autocast(spec.precision, device):
            outputs = detector(fixed)
        total = torch.stack([output.float().mean() for output in outputs]).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()

    def loop() -> None:
        chosen = rng.integers(0, IMAGES, spec.batch_size)
        images = to_batch(pixels[chosen], device)
        step = training_step(
            detector, optimizer, images, [matches[i] for i in chosen], spec.precision
        )
        float(step["loss"])

    stock = copy.deepcopy(detector)
    for module in stock.modules():
        if isinstance(module, StridedDepthwiseConv2d):
            module.forward = partial(nn.Conv2d.forward, module)  # type: ignore[method-assign]
    plain = partial(bare, stock)
    times: dict[Callable[[], None], list[float]] = {plain: [], bare: [], loop: []}
    for number in range(rounds + 3):
        for work, taken in times.items():
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= 3:
                taken.append(time.perf_counter() - start)
    speeds = [spec.batch_size / statistics.median(taken) for taken in times.values()]
    return speeds[0], speeds[1], speeds[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="steps of each (%(default)s)")
    rounds = parser.parse_args().rounds
    print("input       plain        bare        loop  loop/bare  bare/plain")
    for input_size in (512, 256):
        plain, bare, loop = measure(input_size, rounds)
        print(
            f"{input_size:5d}  {plain:5.1f} im/s  {bare:5.1f} im/s  {loop:5.1f} im/s"
            f"  {loop / bare:9.1%}  {bare / plain:9.2f}x",
            flush=True,
        )


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
