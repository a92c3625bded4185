"""Hold every claim against a study: `python -m pipelines.claims PROFILE`.

Writes `claims.csv` and `claims.md` beside the profile's ledger.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from pipelines.claims.ledger import COLUMNS, answer_all, write_text
from pipelines.errors import run_cli
from pipelines.queries import Study
from pipelines.runtime import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    study = Study.open(parser.parse_args().profile)
    papers = yaml.safe_load((REPOSITORY / "papers.yaml").read_text(encoding="utf-8"))
    table = answer_all(papers, study)
    _write(study.folder / "claims.csv", table.to_csv(columns=list(COLUMNS), index=False))
    _write(study.folder / "claims.md", write_text(table, study))
    print(f"{len(table)} claims: {dict(table['verdict'].value_counts())}")


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


if __name__ == "__main__":
    run_cli(main)
