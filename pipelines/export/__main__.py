"""Write a trained detector as one ONNX file: `python -m pipelines.export RUN_FOLDER`.

The input `image` is uint8, 1 x S x S x 3 (NHWC), RGB, as cameras and image libraries give it: a
frame resized to S x S goes in as it is, and is normalised inside. The outputs are what remains
after decoding and suppression: `boxes` (K x 4, x1 y1 x2 y2, input pixels), `scores` (K, best first)
and `labels` (K, from 1). The classes' names and the rules stand in the file's metadata.

The file appears only if ONNX Runtime finds with it what PyTorch finds on images of the test split,
before suppression and after.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
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
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.errors import UserError, run_cli
from pipelines.export.check import compare
from pipelines.export.graph import OPSET, OPSETS, add_metadata, export_graph
from pipelines.export.int8 import CALIBRATION_IMAGES, choose_calibration, quantise
from pipelines.export.onnx_detector import OnnxDetector
from pipelines.hashing import file_sha256
from pipelines.prepare import ensure_prepared, prepared_folder
from pipelines.runtime import tune_allocator
from pipelines.scoring import match_records, score_records
from pipelines.spec import Precision, RunSpec
from pipelines.speed import ROUNDS, time_in_turn
from pipelines.steps import to_batch
from pipelines.trained import WEIGHTS, TrainedRun, open_run
from pipelines.training.run import detect_all

CHECK_IMAGES = 16
CPU = torch.device("cpu")


def export(run: TrainedRun, weights: Path, target: Path, opset: int, images: int) -> str | None:
    """Write `target` if it passes the check on so many images, else tell its fault."""
    model = export_graph(run.detector, opset)
    assert isinstance(run.detector, SSD | LapNet)
    origin = {
        "run": run.name,
        "detector": run.spec.detector,
        "weights_sha256": file_sha256(weights),
    }
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
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB, opset {opset}")
    return None


def check_images(spec: RunSpec, count: int) -> tuple[NDArray[np.uint8], str]:
    """Test images of the run's data set where it lies prepared, else drawn scenes; and which."""
    folder, size = prepared_folder(spec.dataset, spec.input_size, spec.fold), spec.input_size
    if (folder / "manifest.json").exists():
        return load_prepared(folder, "test").images[:count], f"test images of {spec.dataset}"
    scenes = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(test=count)))["test"]
    drawn = [resize_image(scenes.image(index), size, size) for index in range(count)]
    return np.stack(drawn), f"drawn scenes ({spec.dataset} is not prepared here)"


def write_int8(run: TrainedRun, model: Path, target: Path, count: int) -> None:
    """Quantise `model`, calibrated on `count` training images, and say what it costs in AP.

    Raises:
        UserError: the run's data set is not at hand.
    """
    folder = ensure_prepared(run.spec.dataset, run.spec.input_size, run.spec.fold)
    training, test = load_prepared(folder, "train"), load_prepared(folder, "test")
    calibration = choose_calibration(training.images, count)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
        fresh = Path(scratch) / target.name
        quantise(model, fresh, calibration)
        before, after = (average_precision(OnnxDetector(path), test) for path in (model, fresh))
        fresh.replace(target)
    print(
        f"{target}: {target.stat().st_size / 2**20:.1f} MiB, calibrated on {len(calibration)} "
        f"training images; AP on {len(test.images)} test images {after:.2f}, float32 "
        f"{before:.2f}: it costs {before - after:.2f}"
    )


def average_precision(detector: Detector, split: PreparedSplit) -> float:
    """AP in percent."""
    found = detect_all(detector, split, RunSpec(precision=Precision.FP32), CPU)
    return score_records(match_records(split.coco.to_coco(), found)).figures["AP"]


def time_against_pytorch(run: TrainedRun, models: Sequence[Path]) -> None:
    """Time PyTorch and the files in turn on the same images, one at a time, and print it."""
    pixels, kind = check_images(run.spec, CHECK_IMAGES)
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a trained run of an SSD or LapNet")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="what to write (the run's name, .onnx)"
    )
    parser.add_argument(
        "--opset", type=int, default=OPSET, choices=OPSETS, metavar="N",
        help=f"ONNX operators' version, {OPSETS[0]} to {OPSETS[-1]} (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=int, default=CHECK_IMAGES, metavar="N",
        help="images on which the file is compared with PyTorch (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--int8", type=int, nargs="?", const=CALIBRATION_IMAGES, metavar="N",
        help="write FILE-int8.onnx too, calibrated on N training images (%(const)s), and say what "
        "it costs in AP",
    )  # fmt: skip
    parser.add_argument(
        "--time", action="store_true", help="compare the speed with PyTorch's on this machine"
    )
    arguments = parser.parse_args()
    for option, value in (("--images", arguments.images), ("--int8", arguments.int8)):
        if value is not None and value < 1:
            raise UserError(f"{option} must be 1 or more, not {value}")
    run = open_run(arguments.run)
    target = arguments.out or Path(f"{run.name}.onnx")
    if target.suffix != ".onnx":
        raise UserError(f"--out {target}: give a file that ends in .onnx")
    fault = export(run, arguments.run / WEIGHTS, target, arguments.opset, arguments.images)
    if fault:
        print(f"error: {target} is not written: {fault}", file=sys.stderr)
        sys.exit(1)
    written = [target]
    if arguments.int8:
        written.append(target.with_name(f"{target.stem}-int8.onnx"))
        write_int8(run, target, written[-1], arguments.int8)
    if arguments.time:
        time_against_pytorch(run, written)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
