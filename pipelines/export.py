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
from pathlib import Path

from pipelines.system.allocator import tune_allocator
from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a trained run of an SSD or LapNet")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="what to write (the run's name, .onnx)")  # fmt: skip
    parser.add_argument("--opset", type=int, default=18, choices=range(17, 24), metavar="N",
                        help="ONNX operators' version, 17 to 23 (%(default)s)")  # fmt: skip
    parser.add_argument("--images", type=int, default=16, metavar="N",
                        help="images to compare with PyTorch on (%(default)s)")  # fmt: skip
    parser.add_argument("--float-input", action="store_true",
                        help="take float32 images, still from 0 to 255: for runtimes without uint8 "
                        "inputs")  # fmt: skip
    parser.add_argument("--fixed-outputs", action="store_true",
                        help="outputs of a fixed size, and num_detections: for runtimes that know "
                        "every size beforehand, such as TensorRT's older ones")  # fmt: skip
    parser.add_argument("--int8", nargs="?", const="cpu", choices=("cpu", "tensorrt"),
                        metavar="FOR", help="write FILE-int8.onnx too, for cpu (ONNX Runtime; the "
                        "default) or tensorrt (symmetric), and say its cost in AP")  # fmt: skip
    parser.add_argument("--calibration", type=int, default=64, metavar="N",
                        help="training images to calibrate --int8 on (%(default)s)")  # fmt: skip
    parser.add_argument("--time", action="store_true",
                        help="time it beside PyTorch on this machine")  # fmt: skip
    arguments = parser.parse_args()

    from pipelines.runs.folder import require_run

    require_run(arguments.run)

    from pipelines.deploy.export.export import Options, export_run
    from pipelines.deploy.export.graph import Form
    from pipelines.deploy.export.int8 import Target

    options = Options(
        out=arguments.out,
        form=Form(arguments.opset, arguments.float_input, arguments.fixed_outputs),
        images=arguments.images,
        int8=Target(arguments.int8) if arguments.int8 else None,
        calibration=arguments.calibration,
        time=arguments.time,
    )
    if fault := export_run(arguments.run, options):
        print(f"error: {fault}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
