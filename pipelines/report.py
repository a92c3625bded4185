"""One self-contained page about a profile's study: `python -m pipelines.report PROFILE`.

Writes results/PROFILE/report.html, which fetches nothing and can be committed: it shows images only
where they are drawn here. With --photographs it writes results/PROFILE/gallery/report.html, which
git ignores and which shows others' photographs too.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    parser.add_argument(
        "--photographs",
        action="store_true",
        help="show others' photographs, in a page that git ignores",
    )
    arguments = parser.parse_args()

    from pipelines.runs.parameters import require_profile

    require_profile(arguments.profile)

    from pipelines.evidence.report.write import make_report

    make_report(arguments.profile, photographs=arguments.photographs)


if __name__ == "__main__":
    run_cli(main)
