"""Take in finished run folders: `python -m pipelines.ledger PROFILE`.

Copies the records of every run of the study into `results/PROFILE/runs/` (all but the weights,
which DVC keeps) and writes `ledger.csv`: one row a run, one column a factor or a metric.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    arguments = parser.parse_args()

    from pipelines.runs.parameters import require_profile

    require_profile(arguments.profile)

    from pipelines.evidence.ledger import make_ledger

    make_ledger(arguments.profile)


if __name__ == "__main__":
    run_cli(main)
