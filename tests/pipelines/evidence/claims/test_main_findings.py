"""The main findings and the one-page summary, from claims answered by hand."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from pipelines.evidence.claims.ledger import COLUMNS
from pipelines.evidence.claims.main_findings import answer_findings, findings_table
from pipelines.evidence.claims.summary import write_summary
from pipelines.evidence.papers import Finding
from pipelines.system.errors import UserError
from tests.pipelines.evidence.claims.conftest import PAPERS

GAIN = {
    "ours": "+33.6",
    "interval": "[+29.1, +38.0]",
    "verdict": "reproduced",
    "why": "so it is",
    "group": "comparisons and statements",
    "source": "scale_aware_ssd/claims/architecture-ap50",
}
LOSS = GAIN | {
    "ours": "",
    "interval": "",
    "verdict": "not testable here",
    "why": "no run of x",
    "source": "scale_aware_ssd/claims/architecture-ap",
}
SLIP = GAIN | {
    "verdict": "contradicted",
    "group": "arithmetic",
    "place": "Table 2",
    "claim": "141 pixels",
    "why": "the recursion gives 139",
    "source": "scale_aware_ssd/table2/x",
}
RUNS = {"original-attachment": ["original-attachment-s0", "original-attachment-s1"]}


def one_finding(**answers):
    return replace(PAPERS, findings=(Finding("The attachment gains", answers),))


@pytest.fixture
def claims():
    return pd.DataFrame([GAIN, LOSS, SLIP], columns=list(COLUMNS)).fillna("")


def test_a_finding_says_each_figure_with_its_interval_and_what_is_missing(claims):
    papers = one_finding(AP50=GAIN["source"], AP=LOSS["source"])
    [finding] = answer_findings(papers, claims, RUNS)
    assert finding.here == "AP50 +33.6 [+29.1, +38.0]; AP: no run of x"
    assert finding.verdict == "AP50: reproduced; AP: not testable here"
    assert finding.runs == RUNS["original-attachment"]
    [alone] = answer_findings(one_finding(AP50=GAIN["source"]), claims, {})
    assert (alone.verdict, alone.runs) == ("reproduced", [])


def test_the_table_links_a_row_to_its_first_run(claims):
    papers = one_finding(AP50=GAIN["source"])
    text = findings_table(answer_findings(papers, claims, RUNS), "results/x/")
    assert "[original-attachment](results/x/runs/original-attachment-s0) × 2" in text


def test_every_finding_of_the_papers_names_claims_that_exist(table):
    findings = answer_findings(PAPERS, table, {})
    assert 0 < len(findings) <= 12
    assert all(finding.parts for finding in findings)


def test_a_finding_of_no_claim_is_refused(claims):
    with pytest.raises(UserError, match="there is no claim lapnet/x"):
        answer_findings(one_finding(AP="lapnet/x"), claims, {})


def test_the_summary_counts_what_the_claims_say(own_study, claims):
    for run in own_study.ledger["run"]:
        path = own_study.folder / "runs" / run / "run.json"
        record = json.loads(path.read_text())
        record["cost"]["training_seconds"] = 1800
        path.write_text(json.dumps(record))
    papers = one_finding(AP50=GAIN["source"])
    text = write_summary(claims, own_study, papers, answer_findings(papers, claims, RUNS))
    assert "1. AP50 +33.6 [+29.1, +38.0]: reproduced." in text
    assert (
        "Of 2 comparisons and statements of the papers: 1 reproduced, 1 not testable here." in text
    )
    assert "0 of 1 such claims come out as printed. Those that do not:" in text
    assert "- Table 2: 141 pixels (the recursion gives 139)." in text
    assert "Of these statements 1 cannot be tested here, and 0 stay inconclusive." in text
    assert "2.5 hours of training on A processor" in text  # five runs of half an hour
    assert "## Communication with the authors\n\nNone.\n" in text
