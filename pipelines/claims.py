"""Hold every claim against a study: `python -m pipelines.claims PROFILE`.

Writes `claims.csv`, `claims.md` and the one page `summary.md` beside the profile's ledger.
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

    from pipelines.evidence.claims.ledger import make_claims

    make_claims(arguments.profile)


if __name__ == "__main__":
    run_cli(main)
