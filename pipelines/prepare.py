"""Make a data set ready for training: `python -m pipelines.prepare DATASET SIZE`.

Every image is checked, decoded and resized once; what is there already is left as it is, unless a
file of one's own data set has changed since.
"""

from __future__ import annotations

import argparse

from pipelines.data.dataset_spec import Fold, Tolerance
from pipelines.data.preparation import Preparation
from pipelines.data.tiling import add_tiling_options, asked_tiling
from pipelines.system.errors import run_cli
from pipelines.system.paths import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a data set's name, or the folder of one's own")
    parser.add_argument("size", type=int, help="side of the square network input, pixels")
    parser.add_argument(
        "--drop-broken", action="store_true", help="leave out broken boxes, and say how many"
    )
    parser.add_argument(
        "--skip-broken-images",
        action="store_true",
        help="leave out photographs that cannot be read, with their boxes, and say how many",
    )
    parser.add_argument(
        "--scale-16bit",
        action="store_true",
        help="take the upper byte of grey photographs of 16 bits, and say of how many",
    )
    parser.add_argument(
        "--fold",
        choices=[str(fold) for fold in Fold],
        default=str(Fold.PUBLISHED),
        help="which of five parts over whole bursts is tested (%(default)s: its own split)",
    )
    add_tiling_options(parser, "cut photographs into tiles rather than squeeze them")
    arguments = parser.parse_args()
    tiling = asked_tiling(arguments.tiles, arguments.overlap)

    from pipelines.own_data.preparing import ensure_prepared

    tolerance = Tolerance(
        arguments.drop_broken, arguments.skip_broken_images, arguments.scale_16bit
    )
    wanted = Preparation(arguments.dataset, arguments.size, Fold(arguments.fold), tiling)
    folder = ensure_prepared(wanted, tolerance=tolerance)
    print(folder.relative_to(REPOSITORY))


if __name__ == "__main__":
    run_cli(main)
