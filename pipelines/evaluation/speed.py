"""Time every detector, one image at a time: `python -m pipelines.speed PROFILE` (Table 4).

Each round times one image on every detector, in each precision, with and without decoding and
suppression, in random order: whatever else the machine does hits all of them alike. The image is on
the device already. Writes `speed_rounds.csv` (each single time), `speed.csv` (what they say) and
`speed.json` (what they were measured on).
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from method.detector import Detector
from method.scale import REFERENCE_SIZE
from method.ssd import SSD
from pipelines.data.images import resize_image
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.detectors.at_hand import lacking
from pipelines.detectors.build import build_detector, network_cost
from pipelines.detectors.trained import load_weights
from pipelines.evaluation.timing import (
    DIGITS,
    ORIGINAL,
    ROUNDS_FILE,
    Timings,
    Work,
    summarise,
    write_rounds,
)
from pipelines.runs.folder import RunFolder
from pipelines.runs.parameters import declared_runs, profile_settings, read_parameters
from pipelines.runs.registry import ENTRIES, Family
from pipelines.runs.spec import Precision, RunSpec
from pipelines.system.bars import progress_bar
from pipelines.system.errors import note
from pipelines.system.files import write_whole
from pipelines.system.machine import choose_device, code_state, describe_machine
from pipelines.system.paths import RESULTS
from pipelines.training.step import autocast, choose_arithmetic, to_batch
from pipelines.training.tensorflow import tensorflow_errors

WARM_UP = 2
"""Rounds that do not count."""
IMAGES = 8
NORMALISED = 2
"""Images that an untrained detector's batch norms see: a heavy one takes a second for each."""
CANDIDATES = 0.055
"""Share of an untrained detector's class scores above the score floor: what the scale-aware SSD
has on photographs after training with 3:1 mining (900 of 16,320)."""

BFLOAT16 = ("avx512_bf16", "avx_ne_convert", "amx_bf16", "bf16")
"""Instruction sets with bfloat16, of x86 and of ARM, as PyTorch names them."""

Key = TypeVar("Key")


@dataclass(frozen=True)
class Contender:
    """A detector and where its weights come from."""

    spec: RunSpec
    run: Path | None = None
    """Folder of the trained run; None for random weights."""

    @property
    def weights(self) -> str:
        if self.run:
            return self.run.name
        limited = self.spec.entry.family is Family.SSD
        return f"untrained, {CANDIDATES:.1%} candidates" if limited else "untrained"


def choose_contenders(
    settings: RunSpec, specs: Mapping[str, RunSpec], trained: Path
) -> dict[str, Contender]:
    """Trained runs of the study, on the data and at the input size of `settings`.

    The SSDs are runs that differ in the detector alone, or else all untrained: suppression
    takes longer the more candidates there are. Of the rivals those that the study has, untrained
    where the run is missing; with LapNet, it comes on its paper's backbones too.
    """
    data = (settings.dataset, settings.input_size)
    alike: dict[RunSpec, dict[str, Contender]] = {}
    rivals: dict[str, Contender] = {}
    for name, spec in specs.items():
        if (spec.dataset, spec.input_size) != data or not RunFolder(trained / name).is_of(spec):
            continue
        contender = Contender(spec, trained / name)
        if spec.entry.family is not Family.SSD:
            rivals.setdefault(spec.detector, contender)
        elif spec.width == settings.width:
            alike.setdefault(replace(spec, detector=ORIGINAL), {})[spec.detector] = contender
    ssds = {name for name, entry in ENTRIES.items() if entry.family is Family.SSD}
    untrained: dict[str, Contender] = {}
    for name in sorted(ssds | {spec.detector for spec in specs.values()}):
        untrained |= _untrained(name, settings)
    together = next((group for group in alike.values() if group.keys() == ssds), {})
    return {**untrained, **rivals, **together}


def _untrained(name: str, settings: RunSpec) -> dict[str, Contender]:
    """A detector with random weights, and beside it on its paper's backbones."""
    entry = ENTRIES[name]
    if entry.family is Family.SSD:
        return {name: Contender(replace(settings, detector=name))}
    spec = RunSpec(
        dataset=settings.dataset,
        input_size=settings.input_size,
        detector=name,
        precision=entry.precisions[0],
        schedule=entry.schedules[0],
    )
    heavy = {
        f"{name}-{backbone}": Contender(replace(spec, backbone=backbone))
        for backbone in entry.heavy_backbones
    }
    return {name: Contender(spec), **heavy}


def at_hand(contenders: Mapping[str, Contender]) -> dict[str, Contender]:
    """Those whose detectors can be had here; of the others it is said why not."""
    kept = {}
    for name, contender in contenders.items():
        if why := lacking(contender.spec):
            note(f"{name} is not timed: {why}")
        else:
            kept[name] = contender
    return kept


@tensorflow_errors()
def measure(
    contenders: Mapping[str, Contender], settings: RunSpec, rounds: int
) -> tuple[Timings, pd.DataFrame]:
    """Time all contenders, the original SSD among them, on test images.

    Returns:
        Every single time, and a table with one row a work.
    """
    device = choose_device()
    pixels, classes = _test_images(settings)
    detectors = {
        name: _ready(contender, classes, to_batch(pixels, torch.device("cpu"))).to(device)
        for name, contender in contenders.items()
    }
    works = {
        work: partial(_infer, detectors[work.detector], work, device)
        for work in itertools.starmap(Work, itertools.product(detectors, Precision, (True, False)))
        if _is_timed(work, contenders[work.detector].spec, device)
    }
    batches = [to_batch(pixels[i : i + 1], device) for i in range(len(pixels))]
    with torch.inference_mode():
        timings = time_in_turn(works, batches, rounds, device)
    table = summarise(timings)
    table["weights"] = [contenders[name].weights for name in table["detector"]]
    machine = describe_machine(device)
    table[["device", "threads"]] = machine["device"], machine["threads"]
    table[["input_size", "rounds"]] = settings.input_size, rounds
    costs = {name: network_cost(detector, batches[0]) for name, detector in detectors.items()}
    return timings, table.join(pd.DataFrame.from_dict(costs, orient="index"), on="detector")


def _is_timed(work: Work, spec: RunSpec, device: torch.device) -> bool:
    """Whether the detector of `spec` can do that there, and is timed at it."""
    if device.type == "cpu" and work.precision not in _precisions_of_cpu():
        return False
    on_heavy_backbone = work.detector != spec.detector
    whole = work.postprocessing or not (spec.entry.two_stage or on_heavy_backbone)
    return whole and work.precision in spec.entry.precisions


def _precisions_of_cpu() -> tuple[Precision, ...]:
    """fp32, and bf16 where the processor has it: emulated, it takes four times as long and more."""
    known = torch.cpu.get_capabilities()
    native = any(known.get(name, False) for name in BFLOAT16)
    return (Precision.FP32, Precision.BF16) if native else (Precision.FP32,)


def time_in_turn(
    works: Mapping[Key, Callable[[Tensor], object]],
    batches: Sequence[Tensor],
    rounds: int,
    device: torch.device,
) -> dict[Key, list[float]]:
    """Milliseconds of each work in each round, to three places, after `WARM_UP` that do not count.

    All works of a round see the same batch, in a new random order.
    """
    order = random.Random(0)
    timings: dict[Key, list[float]] = {work: [] for work in works}
    for number in progress_bar(range(WARM_UP + rounds), desc="speed", unit="round"):
        batch = batches[number % len(batches)]
        for work in order.sample(list(works), len(works)):
            _wait_for(device)
            start = time.perf_counter()
            works[work](batch)
            _wait_for(device)
            if number >= WARM_UP:
                timings[work].append(round(1000 * (time.perf_counter() - start), 3))
    return timings


def _test_images(settings: RunSpec) -> tuple[Any, int]:
    """N×S×S×3 `uint8` pixels of the first test images, and the number of classes."""
    source = open_dataset(DatasetSpec(settings.dataset, scenes=ScenesSpec(test=IMAGES)))["test"]
    size, count = settings.input_size, min(IMAGES, len(source.split.images))
    pixels = [resize_image(source.image(index), size, size) for index in range(count)]
    return np.stack(pixels), len(source.split.categories)


def _ready(contender: Contender, classes: int, images: Tensor) -> Detector:
    """The contender's detector with its weights, set for inference in channels-last order."""
    detector = build_detector(replace(contender.spec, init="none"), classes, images)
    if contender.run:
        load_weights(detector, contender.run)
    else:
        _normalise(detector, images[:NORMALISED])
        if isinstance(detector, SSD):
            _thin_out_candidates(detector, images)
    detector.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return detector


@torch.no_grad()
def _normalise(detector: Detector, images: Tensor) -> None:
    """Give the batch norms the statistics of `images`, so that activations are of usual size."""
    detector.eval()
    for norm in (m for m in detector.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.train()
        norm.momentum = None
    detector(images)


@torch.no_grad()
def _thin_out_candidates(detector: SSD, images: Tensor) -> None:
    """Favour background by so much that a share `CANDIDATES` of the class scores pass the floor.

    Exact but for the other foreground classes' part in the softmax, which is small at the floor.
    """
    floor = detector.config.selection.score_floor
    logits = detector.eval()(images)[0].numpy()
    lead = np.quantile(logits[..., 1:] - logits[..., :1], 1 - CANDIDATES)
    for head in detector.class_heads:
        biases = head.get_parameter("bias").view(-1, detector.config.classes + 1)
        biases[:, 0] += float(lead + np.log((1 - floor) / floor))


def _infer(detector: Detector, work: Work, device: torch.device, batch: Tensor) -> object:
    choose_arithmetic(work.precision)
    with autocast(work.precision, device):
        return detector.detect(batch) if work.postprocessing else detector(batch)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_study(profile: str, rounds: int) -> None:
    """Time every detector at a profile's settings, and write what was found beside its ledger.

    Args:
        profile: of params.yaml.
        rounds: that count.

    Raises:
        UserError: there is no such profile, or a detector cannot be had.
    """
    parameters = read_parameters()
    own = RunSpec.parse(profile_settings(parameters, profile), f"params.yaml, profile {profile}")
    settings = replace(own, input_size=REFERENCE_SIZE, width=1.0)
    folder = RESULTS / profile
    contenders = at_hand(
        choose_contenders(settings, declared_runs(parameters, profile), folder / "trained")
    )
    record = {
        "dataset": settings.dataset,
        "load_average_before": round(os.getloadavg()[0], 2),
        "code": code_state(),
        "machine": describe_machine(choose_device()),
    }
    timings, speed = measure(contenders, settings, rounds)
    write_whole(folder / "speed.json", json.dumps(record, indent=1) + "\n")
    write_rounds(timings, folder / ROUNDS_FILE)
    write_whole(folder / "speed.csv", speed.to_csv(index=False, float_format=DIGITS))
    print(speed.drop(columns=["weights", "device"]).to_markdown(index=False, floatfmt=".4g"))
