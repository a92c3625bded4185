"""A third paper is one file: its table is written and its claims are answered."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from pipelines.evaluation.coco import match_records
from pipelines.evidence.claims.ledger import answer_all, write_claims
from pipelines.evidence.paper_tables import Builder, Row
from pipelines.evidence.report.tables import read_tables
from pipelines.evidence.study import Study
from pipelines.evidence.tables import BUILDERS, write_tables
from pipelines.runs.spec import RunSpec
from tests.pipelines.evidence.tiny_paper import tiny_paper
from tests.pipelines.random_cases import random_case
from tests.pipelines.records import record_of

RUNS = {"plain-s0": 20.0, "better-s0": 30.0}


@pytest.fixture
def papers(tmp_path):
    return tiny_paper(tmp_path / "papers")


@pytest.fixture
def study(tmp_path):
    folder, rows = tmp_path / "study", []
    for number, (name, ap) in enumerate(RUNS.items()):
        run = folder / "runs" / name
        run.mkdir(parents=True)
        match_records(*random_case(number)).to_csv(run / "matches.csv.gz", index=False)
        (run / "run.json").write_text(json.dumps(record_of(RunSpec(), name)))
        rows.append(
            {
                "run": name,
                "row": name.removesuffix("-s0"),
                "seed": 0,
                "AP": ap,
                "AP50": ap,
                "detector": "scale-aware-ssd",
                "dataset": "scenes",
            }
        )
    specs = {name: RunSpec() for name in RUNS}
    return Study("quick", {"profile": "quick"}, specs, pd.DataFrame(rows), folder)


def test_its_table_is_written_with_the_paper_beside_our_runs(papers, study, tmp_path):
    write_tables(tmp_path, papers, study)
    written = pd.read_csv(tmp_path / "tiny-samplers.csv", dtype=str, keep_default_na=False)
    assert written["sampler"].tolist() == ["plain", "ours"]
    assert written["AP, paper"].tolist() == ["20", "31"]
    assert written["AP"].tolist() == ["20.0", "30.0"]
    assert written["differs from the paper in"].tolist() == ["T2 input size"] * 2
    assert "**Samplers on drawn scenes**" in (tmp_path / "tiny-samplers.md").read_text()
    deviations = pd.read_csv(tmp_path / "deviations.csv")
    assert deviations[["number", "here"]].to_numpy().tolist() == [["T2", "256 (runs: 2)"]]


def test_the_report_shows_it_under_the_paper_s_name(papers, study, tmp_path):
    write_tables(tmp_path, papers, study)
    own, shared = read_tables(tmp_path, papers, {})
    assert (own.title, shared.title) == ("Tiny paper", "All papers")
    assert own.citation == (
        "A. Author, B. Writer. A tiny paper about samplers. Journal of Small Things. 2026"
    )
    assert [view.title for view in own.views] == ["Table IV"]


def test_its_claims_are_answered(papers, study):
    table = answer_all(papers, study).set_index("source")
    assert list(table.index) == [
        "tiny/claims/better",
        "tiny/claims/eleven",
        "tiny/samplers/rows/ours/APΔ",
        "tiny/samplers/rows/plain/AP",
        "tiny/samplers/rows/ours/AP",
    ]
    assert table.loc["tiny/claims/eleven", "verdict"] == "reproduced"
    assert table.loc["tiny/claims/eleven", "why"] == "agrees with its own Table IV"
    point = [study.samples(row)[0].point["AP"] for row in ("better", "plain")]
    assert table.loc["tiny/claims/better", "ours"] == f"{point[0] - point[1]:+.1f}"
    assert (
        table.loc["tiny/samplers/rows/ours/AP", "why"] == "differs from the paper in T2 input size"
    )
    write_claims(table.reset_index(), study, papers)
    text = (study.folder / "claims.md").read_text()
    assert "## Tiny paper" in text
    assert "| T1 data       | drawn scenes | scenes |" in text
    summary = (study.folder / "summary.md").read_text()
    assert "The statements that matter most in the paper, Tiny paper" in summary


def test_a_table_that_is_shown_whole_or_not_at_all(papers, study):
    (paper,) = papers
    table = replace(paper.tables["samplers"], whole=True)
    build = BUILDERS[Builder.TRAINED]
    assert build(paper, table, study) is not None
    more = replace(table, rows={**table.rows, "third": Row("third", {}, row="undeclared")})
    assert build(paper, more, study) is None
    assert build(paper, replace(more, whole=False), study) is not None
