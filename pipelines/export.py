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
from pipelines.system.errors import UserError, run_cli


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a trained run of an SSD or LapNet")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="what to write (the run's name, .onnx)"
    )
    parser.add_argument(
        "--opset", type=int, default=18, choices=range(17, 24), metavar="N",
        help="ONNX operators' version, 17 to 23 (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=int, default=16, metavar="N",
        help="images on which the file is compared with PyTorch (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--int8", type=int, nargs="?", const=64, metavar="N",
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
    if arguments.out and arguments.out.suffix != ".onnx":
        raise UserError(f"--out {arguments.out}: give a file that ends in .onnx")

    from pipelines.runs.folder import require_run

    require_run(arguments.run)

    from pipelines.deploy.export.export import Options, export_run

    options = Options(
        arguments.out, arguments.opset, arguments.images, arguments.int8, arguments.time
    )
    if fault := export_run(arguments.run, options):
        print(f"error: {fault}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
