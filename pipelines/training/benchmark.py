"""What `pipelines.benchmark` measures: its `--help` says what each table holds."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from method.depthwise import StridedDepthwiseConv2d
from method.detector import TrainableDetector, to_device
from method.lapnet.detector import LapNet
from pipelines.runs.spec import DetectorName, RunSpec, Switch
from pipelines.system.machine import choose_device
from pipelines.training.batches import HostMatching, host_matcher, place_images
from pipelines.training.noise import build, draw
from pipelines.training.step import (
    OwnSteps,
    Steps,
    autocast,
    make_optimizer,
    to_batch,
    training_step,
)

IMAGES = 32
NOT_COUNTED = 3
"""First rounds."""
LAPNET = RunSpec(detector=DetectorName.LAPNET, input_size=512)
MIB = 2**20


def time_loop(
    input_size: int,
    rounds: int,
    device: torch.device,
    *,
    batch_size: int = RunSpec.batch_size,
    compiled: bool = False,
) -> list[float]:
    """Images/s of the plain network, the bare network and the training loop of an SSD.

    Args:
        input_size: side of the images, pixels.
        rounds: steps of each that count.
        device: where they run.
        batch_size: images a step.
        compiled: whether to give the loop's images/s with a compiled network too.
    """
    spec = RunSpec(input_size=input_size, batch_size=batch_size)
    images_drawn = max(IMAGES, batch_size)
    scene = draw(images_drawn, input_size, objects=9, classes=3)
    detector = build(spec, 3, scene, device)
    matches = HostMatching(host_matcher(detector, device), device)(scene.objects)
    pixels = place_images(scene.pixels, device)
    rng = np.random.default_rng(0)

    def loop(steps: Steps) -> None:
        chosen = torch.from_numpy(rng.integers(0, images_drawn, spec.batch_size))
        images = to_batch(pixels[to_device(chosen, pixels.device)], device)
        steps(0, images, [matches[i] for i in chosen])

    loops = [partial(loop, OwnSteps(detector, spec))]
    if compiled:
        fused = replace(spec, compile=Switch.ON)
        loops.append(partial(loop, OwnSteps(copy.deepcopy(detector), fused)))
    images = to_batch(scene.pixels[: spec.batch_size], device)
    plain, bare = (
        partial(_bare_step, net, make_optimizer(net, spec), images, spec)
        for net in (with_stock_convolutions(detector), detector)
    )
    times = _medians([plain, bare, *loops], rounds, device)
    return [spec.batch_size / seconds for seconds in times]


def with_stock_convolutions(detector: TrainableDetector[Any]) -> TrainableDetector[Any]:
    """A copy with torch's own strided depthwise convolutions."""
    stock = copy.deepcopy(detector)
    for module in stock.modules():
        if isinstance(module, StridedDepthwiseConv2d):
            module.forward = partial(nn.Conv2d.forward, module)  # type: ignore[method-assign]
    return stock


def time_lapnet(objects: int, rounds: int, device: torch.device) -> list[float]:
    """Seconds of a step of LapNet's bare network, and of one with assignment and losses."""
    scene = draw(LAPNET.batch_size, LAPNET.input_size, objects, classes=3)
    detector = build(LAPNET, 3, scene, device)
    matching = HostMatching(host_matcher(detector, device), device)
    optimizer = make_optimizer(detector, LAPNET)
    images = to_batch(scene.pixels, device)

    def step() -> None:
        matches = matching(scene.objects)
        training_step(detector.losses, optimizer, images, matches, LAPNET.precision)

    bare = partial(_bare_step, detector, optimizer, images, LAPNET)
    return _medians([bare, step], rounds, device)


def lapnet_memory(objects: int, device: torch.device, classes: int = 80) -> tuple[int, int]:
    """Most bytes that assignment, losses and their gradients hold at once; anchors of the batch."""
    scene = draw(LAPNET.batch_size, LAPNET.input_size, objects, classes)
    detector = build(LAPNET, classes, scene, device)
    assert isinstance(detector, LapNet)
    matching = HostMatching(host_matcher(detector, device), device)
    images = to_batch(scene.pixels, device)
    with torch.no_grad(), autocast(LAPNET.precision, device):
        logits, offsets = (output.requires_grad_() for output in detector(images))

    def work() -> None:
        matches = matching(scene.objects)
        terms = detector.losses_of(logits, offsets, matches).terms
        torch.stack(list(terms.values())).sum().backward()

    return peak_memory(work, device), logits.numel()


def peak_memory(work: Callable[[], object], device: torch.device) -> int:
    """Most bytes of tensors that `work` holds at once, beyond what is there before."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as log:
        work()
    assert log.profiler is not None
    events = [e for e in log.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]
    return int(np.cumsum([0, *changes]).max())


def _bare_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, spec: RunSpec
) -> None:
    optimizer.zero_grad(set_to_none=True)
    with autocast(spec.precision, images.device):
        outputs = network(images)
    torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])
    optimizer.step()


def _medians(works: Sequence[Callable[[], None]], rounds: int, device: torch.device) -> list[float]:
    """Seconds of each, taken in turn."""
    times: list[list[float]] = [[] for _ in works]
    for number in range(rounds + NOT_COUNTED):
        for work, taken in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= NOT_COUNTED:
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def print_benchmark(rounds: int, batch_size: int, *, compiled: bool) -> None:
    """The three tables, line by line as they are measured.

    Args:
        rounds: steps of each.
        batch_size: of the SSD.
        compiled: time the SSD compiled, too.
    """
    device = choose_device()
    more = "    compiled  over loop" if compiled else ""
    print(f"SSD        plain        bare        loop  loop/bare  bare/plain{more}")
    for size in (512, 256):
        plain, bare, loop, *fused = time_loop(
            size, rounds, device, batch_size=batch_size, compiled=compiled
        )
        last = "".join(f"  {rate:5.1f} im/s  {rate / loop:8.2f}x" for rate in fused)
        print(
            f"{size:5d}  {plain:5.1f} im/s  {bare:5.1f} im/s  {loop:5.1f} im/s"
            f"  {loop / bare:9.1%}  {bare / plain:9.2f}x{last}",
            flush=True,
        )
    print("\nLapNet 3 × 10 at 512        bare      step  assignment and losses")
    for objects in (9, 25):
        bare, step = time_lapnet(objects, rounds, device)
        print(
            f"{objects:3d} objects an image  {bare * 1e3:7.0f} ms  {step * 1e3:6.0f} ms"
            f"  {1 - bare / step:21.1%}",
            flush=True,
        )
    print("\nLapNet 80 × 10 at 512     memory  for an anchor")
    for objects in (7, 100):
        held, anchors = lapnet_memory(objects, device)
        print(f"{objects:3d} objects an image  {held / MIB:6.0f} MiB  {held / anchors:11.1f} B")
