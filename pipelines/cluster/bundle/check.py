"""What a machine is, whether it agrees with its CPU, and how fast it trains: `run.sh --check`.

Speeds are measured by processes that are started once and then told what to time, so that several
can be timed together, as runs at once are. What there is no time for is said to be missing.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torchvision

from pipelines.cluster.bundle.agreement import Agreement, agreements, comparable
from pipelines.cluster.bundle.contents import CHECKED, SPECS, Bundle
from pipelines.runs.spec import Precision, RunSpec, Switch
from pipelines.system.cores import usable_cores
from pipelines.system.machine import choose_device

SECONDS = 100.0
"""Of the whole check."""
AGREEMENT_SHARE = 0.35
"""Of the time, for the comparison with the CPU."""
TIMED_SECONDS = 1.5
"""For one speed, beside its warming up."""
EAGER_SECONDS, COMPILED_SECONDS = 8.0, 40.0
"""That one speed takes at most with its warming up, about: with less time left none is begun."""
BATCHES = (4, 8, 32)
AT_ONCE = (1, 4, 8)


@dataclass(frozen=True)
class Setting:
    """One way to train."""

    batch_size: int
    compiled: bool
    precision: Precision

    def of(self, spec: RunSpec) -> RunSpec:
        """The specification trained that way."""
        compiled = Switch.ON if self.compiled else Switch.OFF
        return dataclasses.replace(
            spec, batch_size=self.batch_size, compile=compiled, precision=self.precision
        )


@dataclass(frozen=True)
class Speed:
    """How fast one way is."""

    setting: Setting
    at_once: int
    images_a_second: float
    """Of all together."""
    mib: float
    """Peak memory of one: the GPU's where there is one, else the process's."""


def check(folder: Path, bundle: Bundle, deadline: float) -> None:
    """Print what was found, and leave it in `check.json` for the trainings.

    Args:
        folder: of the bundle.
        bundle: of it, whose first run is timed.
        deadline: on the monotonic clock.
    """
    path = folder / SPECS / f"{bundle.runs[0].name}.json"
    spec = RunSpec.parse(json.loads(path.read_text()), str(path))
    device = choose_device()
    for line in machine_lines(device):
        print(line, flush=True)
    with timers(_most_at_once(device)) as processes:
        now = time.monotonic()
        found = list(agreements(device, now + AGREEMENT_SHARE * (deadline - now)))
        print("\n".join(_agreement_lines(found, device)), flush=True)
        speeds = list(measure(processes, spec, device, deadline))
    if not speeds:
        print("speeds: no time was left to measure one")
        return
    jobs = best_at_once(speeds)
    print("\n".join(_speed_lines(speeds)))
    print(f"runs at once that pay: {jobs}")
    values = {
        "machine": machine_lines(device),
        "agreement": [dataclasses.asdict(one) for one in found],
        "speeds": [dataclasses.asdict(one) for one in speeds],
        "jobs": jobs,
    }
    (folder / CHECKED).write_text(json.dumps(values, indent=1) + "\n")


def machine_lines(device: torch.device) -> list[str]:
    """Device and versions, a line each."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU"
    cores = usable_cores()
    return [
        f"device: {name}; {cores} processor cores",
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}, numpy {np.__version__}",
    ]


def _most_at_once(device: torch.device) -> int:
    cores = usable_cores()
    return max(n for n in AT_ONCE if n <= cores) if device.type == "cuda" else min(cores, 4)


def measure(
    processes: Sequence[subprocess.Popen[str]],
    spec: RunSpec,
    device: torch.device,
    deadline: float,
) -> Iterator[Speed]:
    """Speeds, those first that tell most: as the run is, then several at once, then the others.

    Args:
        processes: of `timers`.
        spec: of a run.
        device: where they run.
        deadline: after which none is begun.
    """
    own = Setting(spec.batch_size, spec.compile is Switch.ON, spec.precision)
    gpu = device.type == "cuda"
    precisions = (*Precision,) if gpu else (Precision.FP32, Precision.BF16)
    grid = [
        Setting(batch, compiled, precision)
        for compiled, batch, precision in itertools.product(
            (False, True) if gpu else (False,), BATCHES, precisions
        )
    ]
    several = [n for n in sorted({*AT_ONCE, len(processes)}) if 1 < n <= len(processes)]
    order = [(own, 1), *((own, n) for n in several), *((s, 1) for s in grid if s != own)]
    late = threading.Timer(deadline - time.monotonic(), _kill, [processes])
    late.start()
    try:
        for setting, at_once in order:
            left = deadline - time.monotonic()
            if left > (COMPILED_SECONDS if setting.compiled else EAGER_SECONDS):
                yield _timed(processes[:at_once], setting, spec)
    except (ChildProcessError, BrokenPipeError) as error:
        if time.monotonic() < deadline:
            print(f"batch {setting.batch_size}, {at_once} at once: {error}; no more is timed")
    finally:
        late.cancel()


def _kill(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.kill()


def _timed(processes: Sequence[subprocess.Popen[str]], setting: Setting, spec: RunSpec) -> Speed:
    """Have all warm up, then train side by side for a while."""
    for process in processes:
        _tell(process, json.dumps(setting.of(spec).changes()))
    for process in processes:
        _hear(process)
    for process in processes:
        _tell(process, "go")
    rates, memory = zip(*(map(float, _hear(process).split()) for process in processes), strict=True)
    return Speed(setting, len(processes), round(sum(rates), 1), round(max(memory), 1))


def best_at_once(speeds: Sequence[Speed]) -> int:
    """Runs at once with the most images/s together, of the ways that were timed several times."""
    own = speeds[0].setting
    return max((s for s in speeds if s.setting == own), key=lambda s: s.images_a_second).at_once


@contextmanager
def timers(count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that train what they are told for `TIMED_SECONDS`, started together."""
    threads = max(1, usable_cores() // count)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "pipelines.cluster.bundle.timer", str(TIMED_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"OMP_NUM_THREADS": str(threads), **os.environ},
        )
        for _ in range(count)
    ]
    try:
        yield processes
    finally:
        _kill(processes)
        for process in processes:
            process.communicate()


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    print(line, file=process.stdin, flush=True)


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise ChildProcessError(f"a timing process ended with code {process.wait()}")
    return line


def _agreement_lines(found: Sequence[Agreement], device: torch.device) -> list[str]:
    if not found:
        return ["agreement: no time was left to compare a detector"]
    lines = [f"{'detector':28s}{'losses':>10s}{'gradients':>11s}{'detections':>12s}  verdict"]
    for one in found:
        figures = "".join(
            f"{'-' if value is None else format(value, form):>{width}s}"
            for value, form, width in (
                (one.losses, ".1e", 10),
                (one.gradients, ".1e", 11),
                (one.detections, ".0%", 12),
            )
        )
        lines.append(f"{one.detector:28s}{figures}  {one.verdict}")
    if device.type == "cpu":
        lines.append("(on a CPU each is compared with itself)")
    if missing := sorted({*comparable()} - {one.detector for one in found}):
        lines.append(f"no time was left to compare {', '.join(missing)}")
    return lines


def _speed_lines(speeds: Sequence[Speed]) -> list[str]:
    lines = [
        f"{'batch':>5s}  {'step':9s}{'arithmetic':12s}{'at once':>7s}{'images/s':>10s}  MiB each"
    ]
    for speed in speeds:
        kind = "compiled" if speed.setting.compiled else "eager"
        lines.append(
            f"{speed.setting.batch_size:5d}  {kind:9s}{speed.setting.precision:12s}"
            f"{speed.at_once:7d}{speed.images_a_second:10.1f}  {speed.mib:8.0f}"
        )
    return lines
