"""Is each row where it is expected? `python -m pipelines.expected PROFILE`.

Compares every run in the ledger with the range that params.yaml expects of its row, names what lies
outside, and then ends with exit code 1. With `--seeds N` it trains N seeds of every row instead,
beside the study, and prints the ranges to expect: the mean, and on either side four times the
spread between seeds, pooled over the rows.
"""

from __future__ import annotations

import argparse
import sys

from pipelines.system.allocator import tune_allocator
from pipelines.system.errors import UserError, run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", nargs="?", default="quick", help="of params.yaml (%(default)s)")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="train N seeds a row and print ranges to expect"
    )
    arguments = parser.parse_args()
    if arguments.seeds is not None and arguments.seeds < 3:
        raise UserError(f"--seeds must be 3 or more to know a spread, not {arguments.seeds}")

    from pipelines.runs.parameters import require_profile

    require_profile(arguments.profile)

    if arguments.seeds:
        from pipelines.cluster.seeds import print_ranges

        print_ranges(arguments.profile, arguments.seeds)
        return
    from pipelines.evidence.expected import hold_against_ranges

    if hold_against_ranges(arguments.profile):
        sys.exit(1)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
