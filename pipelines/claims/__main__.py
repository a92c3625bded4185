"""Hold every claim against a study: `python -m pipelines.claims PROFILE`.

Writes `claims.csv`, `claims.md` and the one page `summary.md` beside the profile's ledger.
"""

from __future__ import annotations

import argparse

import yaml

from pipelines.claims.ledger import answer_all, write_claims
from pipelines.errors import run_cli
from pipelines.queries import Study
from pipelines.runtime import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    study = Study.open(parser.parse_args().profile)
    papers = yaml.safe_load((REPOSITORY / "papers.yaml").read_text(encoding="utf-8"))
    table = answer_all(papers, study)
    write_claims(table, study, papers)
    counts = table["verdict"].value_counts()
    print(f"{len(table)} claims: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items()))


if __name__ == "__main__":
    run_cli(main)
