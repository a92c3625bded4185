"""What precision and threads make of a training step."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from pipelines.processor.in_turn import medians_in_turn
from pipelines.runs.spec import Precision, RunSpec
from pipelines.system.cores import usable_cores
from pipelines.training.batches import HostMatching, host_matcher
from pipelines.training.noise import build, draw
from pipelines.training.step import OwnSteps, to_batch

CPU = torch.device("cpu")
OBJECTS, CLASSES = 9, 3


@dataclass(frozen=True)
class StepRatios:
    """How many times as fast a step is."""

    bf16_one_thread: float
    """In bf16 as in fp32, on one thread."""
    bf16_all_threads: float
    """The same on as many threads as cores."""
    threads: float
    """On as many threads as cores as on one, in fp32."""


def step_ratios(input_size: int, batch_size: int, rounds: int) -> StepRatios:
    """Time steps of the scale-aware SSD in either precision, on one thread and on all, in turn.

    Args:
        input_size: side of the images, pixels.
        batch_size: images a step.
        rounds: steps of each that count.
    """
    cores = usable_cores()
    works = {
        (precision, threads): _step(precision, threads, input_size, batch_size)
        for threads, precision in itertools.product({1, cores}, (Precision.FP32, Precision.BF16))
    }
    seconds = medians_in_turn(works, rounds)
    one, every = (
        seconds[Precision.FP32, threads] / seconds[Precision.BF16, threads]
        for threads in (1, cores)
    )
    return StepRatios(one, every, seconds[Precision.FP32, 1] / seconds[Precision.FP32, cores])


def _step(
    precision: Precision, threads: int, input_size: int, batch_size: int
) -> Callable[[], None]:
    spec = RunSpec(input_size=input_size, batch_size=batch_size, precision=precision)
    scene = draw(batch_size, input_size, OBJECTS, CLASSES)
    detector = build(spec, CLASSES, scene, CPU)
    matches = HostMatching(host_matcher(detector, CPU), CPU)(scene.objects)
    images, steps = to_batch(scene.pixels, CPU), OwnSteps(detector, spec)

    def step() -> None:
        torch.set_num_threads(threads)
        steps(0, images, matches)

    return step
