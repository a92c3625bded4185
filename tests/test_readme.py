"""What README says of results is what results/ says, and what it links to is there."""

import re

import pandas as pd
import pytest

from pipelines.system.paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
TABLES = sorted((REPOSITORY / "results").glob("*/tables/*.csv"))


def quoted_tables():
    """Tables of results, each with the one that the lines above it link to."""
    link = r"^\[[^\]]+\]\((results/[\w-]+/tables/[\w-]+)\.md\), (?:(?!\n\n)[^|])*:\n\n"
    return re.findall(link + r"((?:\|.*\|\n)+)", README, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "table"), quoted_tables(), ids=[name for name, _ in quoted_tables()]
)
def test_a_quoted_table_is_part_of_the_one_it_links_to(name, table):
    heads, _, *lines = (
        [c.strip() for c in line.strip("| ").split(" | ")] for line in table.splitlines()
    )
    whole = pd.read_csv(REPOSITORY / f"{name}.csv", dtype=str, keep_default_na=False)
    assert set(heads) <= set(whole.columns)
    assert {tuple(line) for line in lines} <= set(whole[heads].itertuples(index=False, name=None))


def test_tables_are_quoted():
    assert len(quoted_tables()) >= 4


def test_every_interval_stands_in_a_table_or_a_claim():
    number = r"[-+]?\d+\.\d+"
    said = set(re.findall(rf"{number} \[{number}, {number}\]", README))
    known = "\n".join(path.read_text(encoding="utf-8") for path in TABLES)
    path = REPOSITORY / "results" / "reference" / "claims.csv"
    claims = pd.read_csv(path, dtype=str, keep_default_na=False)
    known += "\n".join(claims["ours"] + " " + claims["interval"])
    assert said
    assert [interval for interval in sorted(said) if interval not in known] == []


def test_every_mean_over_seeds_stands_in_a_table():
    said = set(re.findall(r"\d+\.\d ± \d+\.\d", README))
    known = "\n".join(path.read_text(encoding="utf-8") for path in TABLES)
    assert said
    assert [mean for mean in sorted(said) if mean not in known] == []


def test_every_link_leads_to_a_file():
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert linked
    assert [name for name in linked if not (REPOSITORY / name).exists()] == []
