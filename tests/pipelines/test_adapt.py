"""`auto` on the workbench, and the command, on the built-in scenes."""

import json

import pytest

from pipelines import adapt as adaptation
from pipelines.adapt import adapt, candidate_table, fill_in, write
from pipelines.errors import UserError
from pipelines.plan import read_parameters, workbench_spec


@pytest.fixture(scope="module")
def proposal():
    return adapt("scenes", 256)


def test_the_scenes_need_earlier_blocks_at_half_the_input(proposal):
    # TomatOD's sizes: 18 / 26 / 48 px at 512, half of that here, under receptive fields that stay.
    best = proposal.chosen
    assert best.misfit == 0
    assert best.attach < (5, 8)
    assert proposal.classes == ("unripe", "semi-ripe", "fully-ripe")
    assert sum(proposal.counts) == len(proposal.boxes) == len(proposal.sizes)


def test_auto_is_filled_in_and_what_is_given_stays(proposal, capsys):
    parameters = {**read_parameters(), "anchors": "auto", "class_weights": "auto", "attach": [5, 8]}
    spec = workbench_spec(fill_in(parameters))
    assert spec.attach == (5, 8)
    assert spec.class_weights == proposal.class_weights
    assert spec.anchors == adapt("scenes", 256, attach=(5, 8)).chosen.anchors
    assert "anchors: auto is" in capsys.readouterr().err


def test_without_auto_nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr(adaptation, "adapt", None)
    parameters = read_parameters()
    assert fill_in(parameters) is parameters


def test_a_pair_that_cannot_be_is_an_error_of_the_user():
    with pytest.raises(UserError, match="attach"):
        adapt("scenes", 256, attach=(14, 17))


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
    first = candidate_table(proposal.candidates).iloc[0]
    assert first["blocks"] == ", ".join(map(str, proposal.chosen.attach))
