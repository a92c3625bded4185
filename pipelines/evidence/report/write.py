"""A study's page, written as one file."""

from __future__ import annotations

from pathlib import Path

from pipelines.evidence.papers import read_papers
from pipelines.evidence.report.page import build_page
from pipelines.evidence.study import Study
from pipelines.runs.parameters import read_parameters
from pipelines.system.errors import UserError
from pipelines.system.files import write_whole
from pipelines.system.paths import REPOSITORY

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
            "make the pictures fewer (pipelines/evidence/report/gallery.py)"
        )
    write_whole(path, page)


def make_report(profile: str, *, photographs: bool) -> None:
    """The page of a profile's study, or the one with others' photographs, which git ignores.

    Raises:
        UserError: there is no such profile, no ledger yet, or the page is too large.
    """
    study = Study.open(profile)
    folder = study.folder / "gallery" if photographs else study.folder
    page = build_page(study, read_parameters(), read_papers(), photographs=photographs)
    write_report(page, folder / "report.html")
    print(f"{(folder / 'report.html').relative_to(REPOSITORY)}: {len(page.encode()) / 1e6:.1f} MB")
