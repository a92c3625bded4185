"""The papers' tables as queries over the ledger: `python -m pipelines.tables PROFILE`.

Tables 1 and 2 of the scale-aware SSD's paper follow from the network alone, its Table 4 from what
was timed, all others from runs. LapNet's are named `lapnet-table…`.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    arguments = parser.parse_args()

    from pipelines.evidence.tables import make_tables

    make_tables(arguments.profile)


if __name__ == "__main__":
    run_cli(main)
