"""Check committed results without training: `python -m pipelines.verify [PROFILE ...]`.

Five levels, every finding named by its file:
  files    all of them against SHA256SUMS
  runs     the hashes inside each run, from params.yaml to its files
  ledger   computed anew from the match records
  rebuilt  tables, claims and plots built anew, and compared byte for byte
  scored   where the data set is prepared, detections matched anew with the truth

The runs are shared by all cores. `--fast` stops after the ledger, before any resampling.
The exit code is 0 if all is well, 1 if something was found, 2 for bad input.
"""

from __future__ import annotations

import argparse
import sys

from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "profiles", nargs="*", metavar="PROFILE", help="of params.yaml (reference and quick)"
    )
    parser.add_argument("--fast", action="store_true", help="checksums and ledger alone")
    parser.add_argument("--seal", action="store_true", help="write SHA256SUMS instead")
    arguments = parser.parse_args()

    from pipelines.evidence.verify.verify import seal_all, verify_all

    if arguments.seal:
        seal_all(arguments.profiles)
    elif not verify_all(arguments.profiles, fast=arguments.fast):
        sys.exit(1)


if __name__ == "__main__":
    run_cli(main)
