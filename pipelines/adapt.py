"""Fit the detector to a data set's objects: `python -m pipelines.adapt DATASET`.

Proposes the blocks that carry the heads, the anchors, their shapes and the class weights, says why,
and writes what it looked at to `results/adapt/`. On the workbench, `attach: auto`, `anchors: auto`,
`aspect_ratios: auto` and `class_weights: auto` take the proposal.
"""

from __future__ import annotations

import argparse

from pipelines.data.tiling import add_tiling_options, asked_input_size, asked_tiling
from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a data set's name, or the folder of one of your own")
    parser.add_argument(
        "--input-size", type=int, metavar="S", help="side of the square network input, pixels (512)"
    )
    add_tiling_options(parser, "look at objects as training in tiles sees them")
    arguments = parser.parse_args()
    tiling = asked_tiling(arguments.tiles, arguments.overlap)
    input_size = asked_input_size(arguments.input_size, tiling)

    from pipelines.data.preparation import Preparation
    from pipelines.data.registry import require_data_set

    require_data_set(arguments.dataset)

    from pipelines.own_data.adaptation import propose

    propose(Preparation(arguments.dataset, input_size, tiling=tiling))


if __name__ == "__main__":
    run_cli(main)
