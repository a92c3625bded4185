"""What a GPU can reach at most in training: `python -m pipelines.roofline`.

A step of each detector is worked out once, on the CPU, and counted: the operations, each of which
starts a kernel or more; the bytes that they read and write, none fused with another; and the
floating-point operations. Each count over what the GPU does in a second bounds the images/s, and
the lowest bound is the one to work at: fewer starts by larger batches or `compile: on`, fewer bytes
by fusing. Left unsaid, the GPU is an H200 by its data sheet, with dense bfloat16; what a start
costs is an assumption.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import UserError, run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input-size", type=int, default=512, help="pixels (%(default)s)")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[8, 32], help="(%(default)s)")
    parser.add_argument("--tflops", type=float, default=989, help="of the GPU (%(default)s)")
    parser.add_argument("--bandwidth", type=float, default=4.8, help="TB a second (%(default)s)")
    parser.add_argument("--start", type=float, default=5, help="μs a kernel's start (%(default)s)")
    arguments = parser.parse_args()
    of_gpu = (arguments.tflops, arguments.bandwidth, arguments.start)
    if min(arguments.input_size, *arguments.batch_size, *of_gpu) <= 0:
        raise UserError("sizes and what the GPU does must be above 0")

    from pipelines.training.roofline import Gpu, bounds

    table = bounds(arguments.input_size, arguments.batch_size, Gpu(*of_gpu))
    print(table.to_markdown(index=False, floatfmt=",.0f"))


if __name__ == "__main__":
    run_cli(main)
