"""The page of deviations counts what the runs of a study do, and gives the effects measured."""

from dataclasses import replace

import pytest

from pipelines.evidence.deviations import deviations
from pipelines.evidence.paper_tables import read_table
from pipelines.evidence.papers import read_papers
from pipelines.runs.spec import DetectorName, RunSpec

PAPERS = read_papers()


@pytest.fixture
def page(study):
    study.specs.clear()
    specs = {
        "a-s0": RunSpec(dataset="tomatod", input_size=512),
        "b-s0": RunSpec(dataset="scenes", input_size=512),
        "c-s0": RunSpec(dataset="scenes", input_size=512, learning_rate=0.012),
        "d-s0": RunSpec(detector=DetectorName.LAPNET, input_size=512),
        "e-s0": RunSpec(detector=DetectorName.SSDLITE, dataset="aerial"),
    }
    study.specs.update(specs)
    released = {"none": {"row": "plain"}, "crooked": {"row": "dns"}, "bent": {"row": "absent"}}
    entry = {
        "title": "R",
        "file": "r",
        "caption": "R",
        "factor": "code",
        "numbered": "R",
        "reference": "plain",
        "rows": released,
    }
    ssd = replace(PAPERS["scale_aware_ssd"], tables={"released": read_table("r", entry, "a test")})
    page = deviations(study, replace(PAPERS, papers=(ssd, PAPERS["lapnet"])))
    return page.set_index("number")


def test_a_condition_counts_the_runs_of_its_own_paper_that_depart(page):
    assert page.loc["S1", "here"] == "scenes (runs: 2)"
    assert page.loc["S5", "here"] == (
        "adamw, 0.001, cosine, batch 8 (runs: 2); adamw, 0.012, cosine, batch 8 (runs: 1)"
    )
    assert page.loc["L1", "runs"] == "1"
    assert not {"S2", "S3", "L2"} & set(page.index), "nothing departs there"


def test_what_the_released_code_does_has_its_measured_effect(page):
    assert page.loc["R1", "here"] == "crooked (row dns alone)"
    assert "[" in page.loc["R1", "effect on AP [95 %]"]
    assert "R2" not in page.index, "no run of it"


def test_no_number_stands_twice(page):
    assert page.index.is_unique
    numbers = [c.number for paper in PAPERS for c in paper.conditions]
    assert len(set(numbers)) == len(numbers)
    assert {choice.number for choice in PAPERS.choices} <= set(page.index)
