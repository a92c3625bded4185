"""What README and docs/ say of results is what results/ says, and what they link to is there."""

import re

import pandas as pd
import pytest

from pipelines.evidence.claims.main_findings import answer_findings, findings_table
from pipelines.evidence.papers import read_papers
from pipelines.evidence.study import Study
from pipelines.system.paths import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXTS = {path.relative_to(REPOSITORY).as_posix(): path.read_text("utf-8") for path in PAGES}
TABLES = sorted((REPOSITORY / "results").glob("*/tables/*.csv"))
LONGEST = 150
"""Lines of the README."""


def quoted_tables():
    """Tables of results, each with the one that the lines above it link to."""
    link = r"^\[[^\]]+\]\((?:\.\./)?(results/[\w-]+/tables/[\w-]+)\.md\), (?:(?!\n\n)[^|])*:\n\n"
    return [
        (name, table)
        for text in TEXTS.values()
        for name, table in re.findall(link + r"((?:\|.*\|\n)+)", text, re.MULTILINE)
    ]


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


def test_the_main_findings_are_those_of_the_claims():
    study = Study.open("reference")
    claims = pd.read_csv(study.folder / "claims.csv", dtype=str, keep_default_na=False)
    findings = answer_findings(read_papers(), claims, study.runs_by_row)
    assert findings_table(findings, "results/reference/") in TEXTS["README.md"]


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= LONGEST


def known_figures():
    """Everything that tables and claims say."""
    known = "\n".join(path.read_text(encoding="utf-8") for path in TABLES)
    for path in sorted((REPOSITORY / "results").glob("*/claims.csv")):
        claims = pd.read_csv(path, dtype=str, keep_default_na=False)
        known += "\n".join(claims["ours"] + " " + claims["interval"])
    return known


@pytest.mark.parametrize(
    "pattern",
    [r"([-+]?\d+\.\d+)(?: AP\d*)?( \[[-+]?\d+\.\d+, [-+]?\d+\.\d+\])", r"(\d+\.\d ± \d+\.\d)"],
    ids=["intervals", "means over seeds"],
)
def test_every_figure_with_its_spread_stands_in_a_table_or_a_claim(pattern):
    known = known_figures()
    said = {"".join(m.groups()) for text in TEXTS.values() for m in re.finditer(pattern, text)}
    assert said
    assert [figure for figure in sorted(said) if figure not in known] == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_to_a_file(page):
    folder = (REPOSITORY / page).parent
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", TEXTS[page])
    assert [name for name in linked if not (folder / name).exists()] == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_is_there(page):
    named = set(re.findall(r"python -m pipelines\.([a-z_]+)", TEXTS[page]))
    assert [n for n in named if not (REPOSITORY / "pipelines" / f"{n}.py").exists()] == []
    targets = set(re.findall(r"(?:`|^)make ([a-z-]+)", TEXTS[page], re.MULTILINE))
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, re.MULTILINE)] == []
