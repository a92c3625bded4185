"""Tables, verdicts and costs, as the page is given them."""

import pytest

from pipelines.evidence.claims.statements import Group, read_claims
from pipelines.evidence.report.runs import (
    costs_by_device,
    describe_seconds,
    run_entries,
    stage_command,
)
from pipelines.evidence.report.tables import read_tables
from pipelines.evidence.report.verdicts import read_verdicts
from pipelines.system.errors import UserError
from tests.pipelines.evidence.report.declared import PAPERS, PARAMETERS


def test_a_table_sets_the_paper_beside_ours_and_names_the_runs_of_a_row(study):
    entries = run_entries(study, PARAMETERS)
    (paper,) = read_tables(study.folder / "tables", PAPERS, entries)
    (view,) = paper.views
    assert (paper.title, view.title, view.caption) == (
        "Scale-aware SSD",
        "Table 7",
        "Negative sampling",
    )
    ap = view.headings[1]
    assert (ap.text, [column.kind for column in ap.columns]) == ("AP", ["paper", "ours"])
    assert [[run.name for run in row.runs] for row in view.rows] == [
        ["sampler-basic-s0"],
        ["sampler-dns-s0", "sampler-dns-s1"],
        [],
    ]
    assert [row.seconds for row in view.rows] == [30, 90, 0]
    # What all rows lack is said once, what one lacks in its row.
    assert view.departures == "S1 data, S5 optimiser"
    assert [row.cells[-1] for row in view.rows] == ["", "S4 first weights", ""]


def test_commands_name_the_pipeline_of_their_profile():
    assert stage_command("quick", "tables") == "dvc repro tables"
    assert (
        stage_command("reference", "train@a-0") == "dvc repro results/reference/dvc.yaml:train@a-0"
    )


def test_costs_add_up_by_device(study):
    costs = costs_by_device(list(run_entries(study, PARAMETERS).values()))
    assert [(cost.device, cost.runs, cost.seconds, cost.images) for cost in costs] == [
        ("chip 0, 1 thread", 2, 70, 960),
        ("chip 1, 1 thread", 2, 110, 960),
    ]


@pytest.mark.parametrize(("seconds", "words"), [(17.4, "17 s"), (372, "6.2 min"), (9000, "2.5 h")])
def test_a_time_is_said_in_a_fitting_unit(seconds, words):
    assert describe_seconds(seconds) == words


def test_verdicts_are_counted_by_paper_kind_and_place(claims):
    verdicts = read_verdicts(claims, read_claims(PAPERS))
    assert [(share.verdict, share.count) for share in verdicts.shares] == [
        ("reproduced", 2),
        ("contradicted", 1),
    ]
    compared = [one for one in verdicts.judged if one.claim.group is Group.STATEMENT]
    assert list(verdicts.compared.judged) == compared
    assert sum(share.count for share in verdicts.compared.shares) == len(compared)
    assert [part.name for part in verdicts.parts] == ["Scale-aware SSD"]
    assert sum(len(place.judged) for kind in verdicts.parts[0].parts for place in kind.parts) == 3


def test_claims_that_no_paper_has_are_refused(claims):
    with pytest.raises(UserError, match=r"python -m pipelines\.claims"):
        read_verdicts(claims, read_claims(PAPERS)[1:])
