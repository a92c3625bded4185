"""Find objects in pictures and videos: `python -m pipelines.predict MODEL INPUT ... --out FOLDER`.

Writes predictions.json, a COCO data set whose annotations have a score, boxes in the pixels of the
picture as viewers show it, and drawn pictures beside it. A file that cannot be read is named, the
others are done, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.data.tiling import add_cutting_options, asked_tiling
from pipelines.system.errors import UserError, run_cli


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of a trained run, or an exported .onnx")
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="INPUT", help="pictures, folders of them, videos"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="what to write")
    parser.add_argument(
        "--score", type=float, default=0.3, help="least score of a detection (%(default)s)"
    )
    add_cutting_options(parser)
    parser.add_argument("--no-pictures", action="store_true", help="write predictions.json alone")
    arguments = parser.parse_args()
    if not 0 <= arguments.score <= 1:
        raise UserError(f"--score must be from 0 to 1, not {arguments.score}")
    tiling = asked_tiling(arguments.tiles, arguments.overlap, whole=arguments.whole)

    from pipelines.deploy.predict.predict import predict_files

    broken = predict_files(
        arguments.model,
        arguments.inputs,
        arguments.out,
        arguments.score,
        tiling,
        whole=arguments.whole,
        pictures=not arguments.no_pictures,
    )
    for message in broken:
        print(f"error: {message}", file=sys.stderr)
    if broken:
        sys.exit(1)


if __name__ == "__main__":
    run_cli(main)
