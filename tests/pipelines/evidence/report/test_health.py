"""The section on health shows each run's figures, what it breaks, and who was not measured."""

import json
from dataclasses import asdict, replace

import pytest

from pipelines.evidence.report.health import COLUMNS, health_section
from pipelines.evidence.report.page import render
from pipelines.training.health.measures import LADDER, Health
from pipelines.training.health.network import Fit, Spread
from tests.pipelines.evidence.report.declared import PAPERS, PARAMETERS

FIT = Fit(
    positives=90,
    iou=0.66,
    iou_of_anchors=0.5,
    box_loss=0.45,
    box_loss_of_anchors=0.94,
    class_loss=0.4,
    class_loss_of_shares=0.96,
    accuracy=0.85,
    commonest=0.6,
)
SOUND = Health(
    start=Spread((4.9, 3.8), 0.8, 0.7),
    end=Spread((4.7, 3.8), 3.9, 1.2),
    training=FIT,
    test=FIT,
    images=48,
    training_AP=64.1,
    training_AP50=80.5,
    test_AP=23.6,
    test_AP50=58.2,
    ladder={f"{threshold:.2f}": 60.0 - number for number, threshold in enumerate(LADDER)},
    max_detections=300,
    at_cap=1.0,
    lowest_kept=0.02,
    late_gain=None,
    late_drop=0.09,
)
FROZEN = replace(SOUND, test=replace(FIT, iou=0.5))


@pytest.fixture
def measured(study, tmp_path):
    """The study with the health of two of its runs."""
    runs = tmp_path / "quick" / "runs"
    for folder in (study.folder / "runs").iterdir():
        record = json.loads((folder / "run.json").read_text())
        health = {"sampler-basic-s0": SOUND, "sampler-dns-s1": FROZEN}.get(folder.name)
        (runs / folder.name).mkdir(parents=True)
        record["health"] = asdict(health) if health else None
        (runs / folder.name / "run.json").write_text(json.dumps(record))
        for name in ("history.csv", "matches.csv.gz"):
            (runs / folder.name / name).write_bytes((folder / name).read_bytes())
    return replace(study, folder=tmp_path / "quick", notice="Not the <final> word.")


def test_a_run_s_line_has_its_figures_and_the_rules_that_it_breaks(measured):
    section = health_section(measured, {"custom": "sampler-basic-s0"})
    basic, dns = section.runs
    assert dict(zip(COLUMNS, basic.cells, strict=True)) == {
        "AP50, test": "58.2",
        "AP50, training": "80.5",
        "IoU, anchors": "0.50",
        "IoU, boxes": "0.66",
        "box loss, anchors": "0.94",
        "box loss": "0.45",
        "class loss, shares": "0.96",
        "class loss": "0.40",
        "commonest class, %": "60",
        "class right, %": "85",
        "first logits": "0.80",
        "first offsets": "0.70",
        "at the cap, %": "100",
    }
    assert [c.rule for c in basic.complaints] == []
    assert [c.rule for c in dns.complaints] == ["the boxes are no better than the anchors"]
    assert (section.sound, section.unmeasured) == (1, 2)
    assert section.ladder is not None
    assert "custom: 60.0 at 0.10, 52.0 at 0.50, 47.0 at 0.75" in section.ladder.panels[0].words


def test_the_page_shows_it_and_the_notice_before_any_number(measured):
    page = render(measured, PARAMETERS, PAPERS, None)
    assert "1 of 2 runs break no rule. 2 more were trained before health was measured." in page
    assert "the boxes are no better than the anchors" in page
    assert page.index("Not the &lt;final&gt; word.") < page.index('id="verdicts"')


def test_without_any_measure_the_page_says_so(study, gallery):
    page = render(study, PARAMETERS, PAPERS, gallery)
    assert "4 runs of this study were trained before health was measured" in page
