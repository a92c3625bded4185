"""What there is in a data set, and what looks wrong with it: `python -m pipelines.inspect DATASET`.

Prints a summary and writes `results/inspect/NAME/index.html`, one page that fetches nothing. It
shows the data set's images; git ignores it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.data.tiling import add_tiling_options, asked_input_size, asked_tiling
from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a data set's name, or the folder of one of your own")
    parser.add_argument(
        "--input-size", type=int, metavar="S", help="side of the square network input, pixels (512)"
    )
    add_tiling_options(parser, "judge sizes as training in tiles sees them")
    parser.add_argument(
        "--no-pixels", action="store_true", help="do not hold images against each other"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where index.html is put (results/inspect/NAME)"
    )
    arguments = parser.parse_args()
    tiling = asked_tiling(arguments.tiles, arguments.overlap)
    input_size = asked_input_size(arguments.input_size, tiling)

    from pipelines.data.registry import require_data_set

    require_data_set(arguments.dataset)

    from pipelines.own_data.inspection.terminal import inspect

    inspect(arguments.dataset, input_size, arguments.out, tiling, pixels=not arguments.no_pixels)


if __name__ == "__main__":
    run_cli(main)
