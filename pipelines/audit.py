"""Train committed runs again and compare: `python -m pipelines.audit PROFILE --runs 3`.

A run of the class `bitwise` agrees if its detections, its history, its match records and COCO's
twelve figures come out equal. One of the class `statistical`, TensorFlow's or on a GPU, agrees if
AP and AP50 fall within `expected_interval`. Where a run disagrees, the report says what is
different from then: code, packages, machine, data, first weights, or a file changed since.

The exit code is 0 if as many runs agree as were asked for, 1 if not, 2 for bad input. The report is
printed, and results/ stays as it is.
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
    parser.add_argument("profile", nargs="?", default="quick", help="of params.yaml (%(default)s)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--runs", type=int, default=3, metavar="N", help="how many (%(default)s)")
    which.add_argument("--names", nargs="+", metavar="RUN", help="these, and none at random")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the choice (%(default)s, so that two people who name none audit the same runs)",
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the new runs there")
    arguments = parser.parse_args()
    if arguments.keep and arguments.keep.exists() and not arguments.keep.is_dir():
        raise UserError(f"--keep: {arguments.keep} is not a folder")

    from pipelines.runs.parameters import require_profile

    require_profile(arguments.profile)

    from pipelines.evidence.audit.audit import Choice, audit_study

    choice = Choice(arguments.names or (), arguments.runs, arguments.seed)
    if not audit_study(arguments.profile, choice, arguments.keep):
        sys.exit(1)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
