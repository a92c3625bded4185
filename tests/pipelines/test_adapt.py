"""`auto` on the workbench, and the command, on the built-in scenes."""

import json
import shlex
from dataclasses import replace

import pytest
import torch
import yaml

from method.adaptation import rank_candidates
from pipelines import adapt as adaptation
from pipelines.adapt import Proposal, adapt, candidate_table, fill_in, training_command, write
from pipelines.detectors import ssd_config
from pipelines.errors import UserError
from pipelines.plan import read_parameters, workbench_spec


@pytest.fixture(scope="module")
def proposal():
    return adapt("scenes", 256)


def test_the_scenes_need_earlier_blocks_at_half_the_input(proposal):
    # TomatOD's sizes: 18 / 26 / 48 px at 512, half of that here, under receptive fields that stay.
    best = proposal.chosen
    assert best.fits
    assert best.attach < (5, 8)
    assert proposal.classes == ("unripe", "semi-ripe", "fully-ripe")
    assert sum(proposal.counts) == len(proposal.boxes) == len(proposal.sizes)


def test_auto_is_filled_in_and_what_is_given_stays(proposal, capsys):
    parameters = {**read_parameters(), "anchors": "auto", "class_weights": "auto", "attach": [4, 9]}
    spec = workbench_spec(fill_in(parameters))
    assert spec.attach == (4, 9)
    assert spec.class_weights == proposal.class_weights
    assert spec.anchors == adapt("scenes", 256, attach=(4, 9)).chosen.anchors
    assert "anchors: auto is" in capsys.readouterr().err


def test_a_profile_s_auto_is_filled_in_for_the_ssds_alone(proposal, capsys):
    parameters = {**read_parameters(), "profile": "own", "input_size": 256}
    spec = workbench_spec(fill_in({**parameters, "anchors": [20, 30, 40, 60]}))
    assert spec.anchors == (20.0, 30.0, 40.0, 60.0)
    assert spec.class_weights == proposal.class_weights
    assert spec.attach is not None
    assert "attach: auto is" in capsys.readouterr().err
    lapnet = workbench_spec(fill_in({**parameters, "detector": "lapnet"}))
    assert capsys.readouterr().err == ""
    assert lapnet.attach is None
    assert lapnet.class_weights is None


@pytest.mark.parametrize(
    ("detector", "blocks"), [("scale-aware-ssd", (5, 8)), ("ssd-mobilenet-v2", (14, 17))]
)
def test_anchors_alone_fit_the_blocks_that_the_detector_has(detector, blocks, capsys):
    parameters = {**read_parameters(), "anchors": "auto", "detector": detector}
    spec = workbench_spec(fill_in(parameters))
    assert ssd_config(spec, classes=3).attach == blocks
    assert spec.anchors == adapt("scenes", 256, attach=blocks).chosen.anchors
    assert "nothing fits at input size 256" in capsys.readouterr().err


def test_without_auto_nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr(adaptation, "adapt", None)
    parameters = read_parameters()
    assert workbench_spec(fill_in(parameters)) == workbench_spec(parameters)


def test_a_pair_that_cannot_be_is_an_error_of_the_user():
    with pytest.raises(UserError, match="attach"):
        adapt("scenes", 256, attach=(8, 5))


def test_an_input_size_that_no_run_takes_is_refused_before_anything_is_prepared(monkeypatch):
    monkeypatch.setattr(adaptation, "ensure_prepared", None)
    with pytest.raises(UserError, match="input_size must divide by 64, not 100"):
        adapt("scenes", 100)


def test_huge_objects_are_said_to_fit_nothing():
    boxes = torch.tensor([[0.0, 0.0, 500.0, 500.0]] * 20)
    sizes = torch.full((20,), 500.0)
    ranked = rank_candidates(boxes, sizes, 512)
    huge = Proposal(512, ("object",), (20,), boxes, sizes, (1.0,), tuple(ranked))
    assert any("nothing fits at input size 512" in reason for reason in huge.reasons)
    assert any("take a smaller input size" in reason for reason in huge.reasons)


def test_tiny_objects_ask_for_a_larger_input():
    boxes = torch.tensor([[8.0, 8.0, 10.0, 10.0]] * 20)
    sizes = torch.full((20,), 2.0)
    ranked = rank_candidates(boxes, sizes, 512)
    tiny = Proposal(512, ("object",), (20,), boxes, sizes, (1.0,), tuple(ranked))
    assert any("take a larger input size" in reason for reason in tiny.reasons)


def test_recall_that_is_given_up_is_said(proposal):
    first = proposal.chosen
    said = replace(
        proposal, candidates=(replace(first, recall=0.95), replace(first, recall=1.0))
    ).reasons
    assert any("would reach 100.0%" in reason for reason in said)
    assert not any("would reach" in reason for reason in proposal.reasons)


def test_the_printed_line_names_data_input_size_and_proposal(proposal):
    best = proposal.chosen
    words = shlex.split(training_command("my tomatoes", proposal))
    changes = dict(word.split("=") for word in words[4::2])
    assert changes["dataset"] == "my tomatoes"
    assert changes["input_size"] == "256"
    assert tuple(yaml.safe_load(changes["attach"])) == best.attach
    assert tuple(yaml.safe_load(changes["anchors"])) == best.anchors
    assert tuple(yaml.safe_load(changes["class_weights"])) == proposal.class_weights
    assert words[-1] == "workbench"


def test_the_proposal_is_written_with_its_reasons(proposal, tmp_path):
    write(proposal, tmp_path / "scenes-256")
    summary = json.loads((tmp_path / "scenes-256" / "proposal.json").read_text())
    assert tuple(summary["attach"]) == proposal.chosen.attach
    assert summary["class_weights"]["unripe"] == 1
    assert any("886 training objects" in reason for reason in summary["reasons"])
    lines = (tmp_path / "scenes-256" / "candidates.csv").read_text().splitlines()
    assert len(lines) == 1 + len(proposal.candidates)
    assert (tmp_path / "scenes-256" / "adaptation.png").stat().st_size > 10_000


def test_the_table_shows_the_chosen_first(proposal):
    table = candidate_table(proposal.candidates)
    assert table.iloc[0]["blocks"] == ", ".join(map(str, proposal.chosen.attach))
    assert list(table["chosen"]) == ["yes"] + [""] * (len(table) - 1)
