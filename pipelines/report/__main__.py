"""One self-contained page about a profile's study: `python -m pipelines.report PROFILE`.

Writes results/PROFILE/report.html, which fetches nothing and can be committed: it shows images only
where they are drawn here. With --photographs it writes results/PROFILE/gallery/report.html, which
git ignores and which shows others' photographs too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from pipelines.data.folder_swap import write_whole
from pipelines.errors import UserError, run_cli
from pipelines.plan import read_parameters
from pipelines.queries import Study
from pipelines.report.page import build_page
from pipelines.runtime import REPOSITORY

LARGEST = 15_000_000
"""Bytes of a page that still opens quickly on a phone."""


def write_report(page: str, path: Path) -> None:
    """Put the page at its place at once, so that there is never half of it.

    Raises:
        UserError: it is larger than `LARGEST`.
    """
    size = len(page.encode())
    if size > LARGEST:
        raise UserError(
            f"{path.name}: {size:,} bytes are more than {LARGEST:,}; "
            "make the pictures fewer (pipelines/report/gallery.py)"
        )
    write_whole(path, page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    parser.add_argument(
        "--photographs",
        action="store_true",
        help="show others' photographs, in a page that git ignores",
    )
    arguments = parser.parse_args()
    study = Study.open(arguments.profile)
    folder = study.folder / "gallery" if arguments.photographs else study.folder
    papers = yaml.safe_load((REPOSITORY / "papers.yaml").read_text())
    page = build_page(study, read_parameters(), papers, photographs=arguments.photographs)
    write_report(page, folder / "report.html")
    print(f"{(folder / 'report.html').relative_to(REPOSITORY)}: {len(page.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    run_cli(main)
