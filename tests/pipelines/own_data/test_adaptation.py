"""`auto` on the workbench, and the command, on the built-in scenes."""

import json
import shlex

import numpy as np
import pytest
import yaml

from pipelines.data.preparation import Preparation
from pipelines.data.tiling import Tiling
from pipelines.detectors.ssd import ssd_config
from pipelines.own_data import adaptation
from pipelines.own_data.adaptation import adapt, fill_in, training_command, write
from pipelines.runs.parameters import read_parameters, workbench_spec
from pipelines.system.errors import UserError


@pytest.fixture(scope="module")
def proposal():
    return adapt(Preparation("scenes", 256))


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
    assert spec.anchors == adapt(Preparation("scenes", 256), attach=(4, 9)).chosen.anchors
    assert "anchors: auto is" in capsys.readouterr().err


def test_a_profile_s_auto_is_filled_in_for_the_ssds_alone(proposal, capsys):
    parameters = {**read_parameters(), "profile": "own", "input_size": 256, "init": "none"}
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
    assert spec.anchors == adapt(Preparation("scenes", 256), attach=blocks).chosen.anchors
    assert "nothing fits at input size 256" in capsys.readouterr().err


def test_without_auto_nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr(adaptation, "adapt", None)
    parameters = read_parameters()
    assert workbench_spec(fill_in(parameters)) == workbench_spec(parameters)


ELONGATED = "aerial"
"""A fifth of its objects are at least 1.7 times as long as wide, and lie either way."""


def test_aspect_ratios_alone_fit_the_anchors_that_are_given(capsys):
    given = {"attach": [5, 8], "anchors": [22, 38, 65, 110]}
    parameters = {**read_parameters(), "dataset": ELONGATED, "aspect_ratios": "auto", **given}
    spec = workbench_spec(fill_in(parameters))
    assert (spec.attach, spec.anchors) == ((5, 8), (22, 38, 65, 110))
    assert min(spec.aspect_ratios) < 1 < max(spec.aspect_ratios)
    assert ssd_config(spec, classes=7).aspect_ratios == spec.aspect_ratios
    assert "aspect_ratios: auto is" in capsys.readouterr().err


def test_aspect_ratios_that_are_given_stay():
    parameters = {**read_parameters(), "dataset": ELONGATED, "anchors": "auto", "attach": [3, 5]}
    ratios = (0.5, 1.0, 2.0)
    spec = workbench_spec(fill_in({**parameters, "aspect_ratios": list(ratios)}))
    assert spec.aspect_ratios == ratios
    kept = adapt(Preparation(ELONGATED, 256), attach=(3, 5), aspect_ratios=ratios)
    assert {c.aspect_ratios for c in kept.candidates} == {ratios}
    assert spec.anchors == kept.chosen.anchors
    assert workbench_spec(fill_in(parameters)).aspect_ratios == (1.0,)


def test_the_profile_own_takes_the_shapes_of_the_objects():
    parameters = {**read_parameters(), "profile": "own", "input_size": 256}
    assert workbench_spec(fill_in(parameters)).aspect_ratios == (1.0,)
    other = workbench_spec(fill_in({**parameters, "dataset": ELONGATED}))
    assert other.aspect_ratios == adapt(Preparation(ELONGATED, 256)).chosen.aspect_ratios
    assert len(other.aspect_ratios) > 1


def test_the_printed_line_carries_several_shapes():
    found = adapt(Preparation(ELONGATED, 256))
    line = training_command(ELONGATED, found)
    ratios = ",".join(f"{ratio:g}" for ratio in found.chosen.aspect_ratios)
    assert f"-S 'aspect_ratios=[{ratios}]'" in line


def test_a_pair_that_cannot_be_is_an_error_of_the_user():
    with pytest.raises(UserError, match="attach"):
        adapt(Preparation("scenes", 256), attach=(8, 5))


def test_an_input_size_that_no_run_takes_is_refused_before_anything_is_prepared(monkeypatch):
    monkeypatch.setattr(adaptation, "ensure_prepared", None)
    with pytest.raises(UserError, match="input_size must divide by 64, not 100"):
        adapt(Preparation("scenes", 100))


def test_the_printed_line_names_data_input_size_and_proposal(proposal):
    best = proposal.chosen
    words = shlex.split(training_command("my tomatoes", proposal))
    changes = dict(word.split("=") for word in words[4::2])
    assert changes["dataset"] == "my tomatoes"
    assert changes["input_size"] == "256"
    assert tuple(yaml.safe_load(changes["attach"])) == best.attach
    assert tuple(yaml.safe_load(changes["anchors"])) == best.anchors
    assert changes["aspect_ratios"] == "[1]"
    assert tuple(yaml.safe_load(changes["class_weights"])) == proposal.class_weights
    assert words[-1] == "workbench"


def test_tiles_show_objects_as_they_were_taken(proposal):
    # The scenes are 512 px wide: in tiles of 256 px objects are twice as large as squeezed to 256.
    cut = adapt(Preparation("scenes", 256, tiling=Tiling(256, 0.25)))
    ratio = np.median(cut.sizes) / np.median(proposal.sizes)
    assert ratio == pytest.approx(2, rel=0.1)
    assert min(cut.chosen.anchors) > min(proposal.chosen.anchors)
    words = shlex.split(training_command("scenes", cut))
    assert "tiles=256" in words
    assert "tile_overlap=0.25" in words
    assert not any(word.startswith("tiles=") for word in training_command("x", proposal).split())


def test_the_workbench_fits_what_tiles_show():
    parameters = {**read_parameters(), "anchors": "auto", "tiles": 256, "tile_overlap": 0.25}
    spec = workbench_spec(fill_in(parameters))
    cut = adapt(Preparation("scenes", 256, tiling=Tiling(256, 0.25)), attach=(5, 8))
    assert spec.anchors == cut.chosen.anchors


def test_the_proposal_is_written_with_its_reasons(proposal, tmp_path):
    write(proposal, tmp_path / "scenes-256")
    summary = json.loads((tmp_path / "scenes-256" / "proposal.json").read_text())
    assert tuple(summary["attach"]) == proposal.chosen.attach
    assert summary["aspect_ratios"] == [1]
    assert summary["class_weights"]["unripe"] == 1
    assert any("886 training objects" in reason for reason in summary["reasons"])
    lines = (tmp_path / "scenes-256" / "candidates.csv").read_text().splitlines()
    assert len(lines) == 1 + len(proposal.candidates)
    assert (tmp_path / "scenes-256" / "adaptation.png").stat().st_size > 10_000
