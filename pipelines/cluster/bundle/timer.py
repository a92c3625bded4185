"""Train for a moment as each line on stdin says, and say how fast: a process of `run.sh --check`.

Reads a specification (JSON), warms up, says `ready`, waits for a line, and says the images/s and
the peak memory in MiB.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import torch

from pipelines.cluster.bundle.agreement import CLASSES, OBJECTS
from pipelines.runs.spec import RunSpec
from pipelines.system.allocator import tune_allocator
from pipelines.system.errors import run_cli
from pipelines.system.machine import choose_device, peak_memory_mib
from pipelines.training.batches import HostMatching, host_matcher, place_images
from pipelines.training.noise import build, draw
from pipelines.training.step import choose_arithmetic, make_steps, to_batch

WARMING_STEPS = 5


def step_of(spec: RunSpec, device: torch.device) -> Callable[[], None]:
    """One training step of a detector on noise that lies where it trains."""
    choose_arithmetic(spec.precision)
    scene = draw(spec.batch_size, spec.input_size, OBJECTS, CLASSES)
    detector = build(spec, CLASSES, scene, device)
    steps = make_steps(detector, spec, device)
    matches = HostMatching(host_matcher(detector, device), device)(scene.objects)
    pixels = place_images(scene.pixels, device)

    def step() -> None:
        steps(0, to_batch(pixels, device), matches)

    return step


def main() -> None:
    seconds, device = float(sys.argv[1]), choose_device()
    for line in sys.stdin:
        spec = RunSpec.parse({**json.loads(line), "init": "none"}, "the check's specification")
        step = step_of(spec, device)
        for _ in range(WARMING_STEPS if device.type == "cuda" else 1):
            step()
        _wait(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        print("ready", flush=True)
        sys.stdin.readline()
        began, made = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            step()
            made += 1
            if made % WARMING_STEPS == 0:
                _wait(device)
        _wait(device)
        rate = made * spec.batch_size / (time.perf_counter() - began)
        print(rate, peak_memory_mib(device), flush=True)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
