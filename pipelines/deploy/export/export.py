"""A trained detector as one ONNX file, checked, quantised and timed."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from method.detector import Detector
from method.lapnet.detector import LapNet
from method.ssd import SSD
from pipelines.data.images import resize_image
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.data.preparing import ensure_prepared, prepared_folder
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.deploy.export.check import compare
from pipelines.deploy.export.graph import Form, add_metadata, export_graph
from pipelines.deploy.export.int8 import Target, choose_calibration, quantise
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.deploy.training_images import training_hashes
from pipelines.detectors.trained import TrainedRun, open_run
from pipelines.evaluation.coco import match_records, score_records
from pipelines.evaluation.speed import time_in_turn
from pipelines.runs.folder import WEIGHTS
from pipelines.runs.spec import Precision, RunSpec
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256
from pipelines.training.run import detect_all
from pipelines.training.step import to_batch

TIMED_IMAGES, ROUNDS = 16, 50
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Options:
    """What the command can be told.

    Raises:
        UserError: a number is below 1, or the file to write is no .onnx.
    """

    out: Path | None
    """The file to write; the run's name, .onnx, when None."""
    form: Form
    images: int
    """On which the file is compared with PyTorch."""
    int8: Target | None
    """For what to write a second, quantised file; None for no such file."""
    calibration: int
    """Training images that it is calibrated on."""
    time: bool
    """Compare the speed with PyTorch's."""

    def __post_init__(self) -> None:
        for option, value in (("--images", self.images), ("--calibration", self.calibration)):
            if value < 1:
                raise UserError(f"{option} must be 1 or more, not {value}")
        if self.out and self.out.suffix != ".onnx":
            raise UserError(f"--out {self.out}: give a file that ends in .onnx")


def export_run(folder: Path, options: Options) -> str | None:
    """Export the run of a folder; its fault where what was made is not what PyTorch finds.

    Raises:
        UserError: the folder holds no run that can be exported.
    """
    run = open_run(folder)
    target = options.out or Path(f"{run.name}.onnx")
    fault = export(run, folder / WEIGHTS, target, options.form, options.images)
    if fault:
        return f"{target} is not written: {fault}"
    written = [target]
    if options.int8:
        written.append(target.with_name(f"{target.stem}-int8.onnx"))
        write_int8(run, target, written[-1], options.int8, options.calibration)
    if options.time:
        time_against_pytorch(run, written)
    return None


def export(run: TrainedRun, weights: Path, target: Path, form: Form, images: int) -> str | None:
    """Write `target` if it passes the check on so many images, else tell its fault."""
    if reason := run.spec.entry.not_exported:
        raise UserError(f"{run.spec.detector}: {reason}")
    model = export_graph(run.detector, form)
    assert isinstance(run.detector, SSD | LapNet)
    origin = {
        "run": run.name,
        "detector": run.spec.detector,
        "weights_sha256": file_sha256(weights),
        "training_images": " ".join(sorted(training_hashes(run.spec))),
    }
    if tiling := run.spec.tiling:
        origin["tiles"] = json.dumps(dataclasses.asdict(tiling))
    add_metadata(model, run.detector, run.categories, origin)
    pixels, kind = check_images(run.spec, images)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
        fresh = Path(folder) / target.name
        onnx.save(model, fresh)
        comparison = compare(run.detector, onnx.load(fresh), pixels)
        print(f"compared on {len(pixels)} {kind}\n{comparison}")
        if comparison.fault:
            return comparison.fault
        fresh.replace(target)
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB, opset {form.opset}")
    return None


def check_images(spec: RunSpec, count: int) -> tuple[NDArray[np.uint8], str]:
    """Test images of the run's data set where it lies prepared, else drawn scenes; and which."""
    folder, size = prepared_folder(spec.preparation), spec.input_size
    if (folder / "manifest.json").exists():
        return load_prepared(folder, "test").images[:count], f"test images of {spec.dataset}"
    scenes = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(test=count)))["test"]
    drawn = [resize_image(scenes.image(index), size, size) for index in range(count)]
    return np.stack(drawn), f"drawn scenes ({spec.dataset} is not prepared here)"


def write_int8(run: TrainedRun, model: Path, target: Path, runtime: Target, count: int) -> None:
    """Quantise `model`, calibrated on `count` training images, and say what it costs in AP.

    Raises:
        UserError: the run's data set is not at hand.
    """
    folder = ensure_prepared(run.spec.preparation)
    training, test = load_prepared(folder, "train"), load_prepared(folder, "test")
    calibration = choose_calibration(training.images, count)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
        fresh = Path(scratch) / target.name
        quantise(model, fresh, calibration, runtime)
        before, after = (average_precision(OnnxDetector(path), test) for path in (model, fresh))
        fresh.replace(target)
    print(
        f"{target}: {target.stat().st_size / 2**20:.1f} MiB, for {runtime}, calibrated on "
        f"{len(calibration)} training images; AP on {len(test.images)} test images {after:.2f}, "
        f"float32 {before:.2f}: it costs {before - after:.2f}"
    )


def average_precision(detector: Detector, split: PreparedSplit) -> float:
    """AP in percent."""
    found = detect_all(detector, split, RunSpec(precision=Precision.FP32), CPU)
    return score_records(match_records(split.coco.to_coco(), found)).figures["AP"]


def time_against_pytorch(run: TrainedRun, models: Sequence[Path]) -> None:
    """Time PyTorch and the files in turn on the same images, one at a time, and print it."""
    pixels, kind = check_images(run.spec, TIMED_IMAGES)
    batches = [to_batch(pixels[i : i + 1], CPU) for i in range(len(pixels))]
    eager = f"PyTorch {torch.__version__}, eager"
    detectors = {eager: run.detector} | {
        f"ONNX Runtime {onnxruntime.__version__}, {path.name}": OnnxDetector(path)
        for path in models
    }
    works = {name: detector.detect for name, detector in detectors.items()}
    with torch.inference_mode():
        taken = time_in_turn(works, batches, ROUNDS, CPU)
    print(
        f"{ROUNDS} rounds on {kind}, {run.spec.input_size} px, batch 1, image to "
        f"detections, threads: {torch.get_num_threads()}"
    )
    for name, times in taken.items():
        ratio = np.median(np.divide(taken[eager], times))
        print(f"{name}: {np.median(times):.1f} ms, {ratio:.2f} times PyTorch's frames/s")
