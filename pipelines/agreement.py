"""Does a study come out here as it was committed? `python -m pipelines.agreement PROFILE`.

`make repro` calls it twice. With `--keep`, before the study runs, the committed results are put
aside. Without, after it, those made here are compared with them, run by run, in
`results/PROFILE/agreement.md`; then the committed ones take their place again, and those made here
lie in `results/here/PROFILE`. With `--update` those made here stay. It ends with exit code 1 if a
row is not where params.yaml expects it.
"""

from __future__ import annotations

import argparse
import sys

from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", nargs="?", default="quick", help="of params.yaml (%(default)s)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--keep", action="store_true", help="put the committed results aside")
    which.add_argument("--update", action="store_true", help="let those made here stay")
    arguments = parser.parse_args()

    from pipelines.runs.parameters import require_profile

    require_profile(arguments.profile)

    from pipelines.evidence.agreement.places import Places

    places = Places(arguments.profile)
    if arguments.keep:
        places.keep()
        return
    from pipelines.evidence.agreement.page import tell

    expected = tell(places)
    if arguments.update:
        places.forget()
    else:
        places.give_back()
    if not expected:
        sys.exit(1)


if __name__ == "__main__":
    run_cli(main)
