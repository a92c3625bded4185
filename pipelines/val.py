"""Measure a model on photographs with boxes: `python -m pipelines.val MODEL DATASET`.

Prints COCO's figures of each class, and writes metrics.json and page.html: where it fails, which
score to use, the best and worst photographs. The page shows photographs; git ignores it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.data.tiling import add_cutting_options, asked_tiling
from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of a trained run, or an exported .onnx")
    parser.add_argument("dataset", help="a data set's name, or the folder of one of your own")
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="train, val, test, or all of a folder (test; a folder without one has its val there)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="what to write (results/val/MODEL-DATASET-SPLIT)",
    )
    add_cutting_options(parser)
    parser.add_argument(
        "--skip-broken-images",
        action="store_true",
        help="leave out photographs that cannot be read, with their boxes, and say how many",
    )
    arguments = parser.parse_args()
    tiling = asked_tiling(arguments.tiles, arguments.overlap, whole=arguments.whole)

    from pipelines.data.registry import require_data_set

    require_data_set(arguments.dataset)

    from pipelines.own_data.validation import validate

    validate(
        arguments.model,
        arguments.dataset,
        arguments.split,
        arguments.out,
        tiling,
        whole=arguments.whole,
        skip_broken_images=arguments.skip_broken_images,
    )


if __name__ == "__main__":
    run_cli(main)
