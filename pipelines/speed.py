"""Time every detector, one image at a time: `python -m pipelines.speed PROFILE` (Table 4).

Each round times one image on every detector, in each precision, with and without decoding and
suppression, in random order: whatever else the machine does hits all of them alike. The image is on
the device already. Writes `speed_rounds.csv` (each single time), `speed.csv` (what they say) and
`speed.json` (what they were measured on).
"""

from __future__ import annotations

import argparse

from pipelines.system.allocator import tune_allocator
from pipelines.system.errors import UserError, run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    parser.add_argument(
        "--rounds", type=int, default=50, help="that count; 6 give an interval (%(default)s)"
    )
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        raise UserError(f"--rounds must be 1 or more, not {arguments.rounds}")

    from pipelines.runs.parameters import require_profile

    require_profile(arguments.profile)

    from pipelines.evaluation.speed import time_study

    time_study(arguments.profile, arguments.rounds)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
