"""Time the training loop, and what LapNet adds to its network: `python -m pipelines.benchmark`.

Times are medians of steps taken in turn, in one process. A step of the bare network is forward,
backward from its outputs, and the optimiser's update. Three tables:

1. SSD: images/s. The loop adds the taking of images, the targets, the sampling of negatives and
   the losses. "Plain" is the bare network with torch's own strided depthwise convolutions
   (`method/depthwise.py` says why they are replaced); "compiled" the loop with `compile: on`.
2. LapNet on MobileNet v2: the part that assignment and losses have in a step whose objects are
   matched anew.
3. LapNet with COCO's anchors: the most memory that assignment, losses and their gradients hold at
   once beside the network and its maps, by torch's log of allocations.
"""

from __future__ import annotations

import argparse

from pipelines.system.allocator import tune_allocator
from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="steps of each (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="of the SSD (%(default)s)")
    parser.add_argument(
        "--compile", action="store_true", help="time the SSD compiled too (minutes on a CPU)"
    )
    arguments = parser.parse_args()

    from pipelines.training.benchmark import print_benchmark

    print_benchmark(arguments.rounds, arguments.batch_size, compiled=arguments.compile)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
