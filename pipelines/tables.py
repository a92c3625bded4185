"""The papers' tables as queries over the ledger: `python -m pipelines.tables PROFILE`.

Each paper's file in papers/ lists its tables, with what builds them and the names of their files.
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

    from pipelines.evidence.tables import make_tables

    make_tables(arguments.profile)


if __name__ == "__main__":
    run_cli(main)
