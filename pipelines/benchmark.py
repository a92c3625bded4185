"""Say what this machine does well in training: `python -m pipelines.benchmark`.

Everything is timed in turn and given as its median. First, ratios, which tell processors apart:

1. How many times as fast a step is in bf16 as in fp32, and on all threads as on one: as the
   processor is, and kept from its newer instructions, to imitate one that lacks them.
2. How long a command's `--help` takes, and a run until its first step is done.

Then, the training loop, and what LapNet adds to its network. A step of the bare network is forward,
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("ratios", "loop"), help="print this part alone")
    parser.add_argument(
        "--rounds", type=int, default=30, help="steps of each in the loop's tables (%(default)s)"
    )
    parser.add_argument("--batch-size", type=int, default=8, help="of the SSD there (%(default)s)")
    parser.add_argument(
        "--compile", action="store_true", help="time the SSD compiled too (minutes on a CPU)"
    )
    arguments = parser.parse_args()

    from pipelines.processor.ratios import print_ratios
    from pipelines.training.benchmark import print_benchmark

    if arguments.only != "loop":
        print_ratios()
    if arguments.only != "ratios":
        print_benchmark(arguments.rounds, arguments.batch_size, compiled=arguments.compile)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
