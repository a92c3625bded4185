"""`init: auto` where published weights can be had, and where they cannot."""

import pytest
import torch

from pipelines.own_data.adaptation import fill_in
from pipelines.own_data.first_weights import first_weights
from pipelines.runs.parameters import read_parameters, workbench_spec
from pipelines.runs.spec import DetectorName, RunSpec

SSD = RunSpec(detector=DetectorName.SCALE_AWARE_SSD)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """torch's cache of downloads, empty; nobody answers outside of it."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def test_without_a_connection_it_starts_from_random_weights_and_says_the_way_out(cache, capsys):
    assert first_weights(SSD) == "none"
    said = capsys.readouterr().err.splitlines()[-1]
    assert "init: auto is none, as ImageNet weights cannot be downloaded (" in said
    assert f"put mobilenet_v2-b0353104.pth into {cache}" in said


def test_what_was_downloaded_once_is_taken(cache, capsys):
    torch.save({}, cache / "mobilenet_v2-b0353104.pth")
    assert first_weights(SSD) == "torchvision"
    assert capsys.readouterr().err == ""


def test_of_other_detectors_it_is_none_and_said(capsys):
    assert first_weights(RunSpec(detector=DetectorName.LAPNET)) == "none"
    assert "init: auto is none for lapnet" in capsys.readouterr().err


def test_of_a_narrow_network_it_is_none_as_torchvision_has_none(cache, capsys):
    torch.save({}, cache / "mobilenet_v2-b0353104.pth")
    assert first_weights(RunSpec(width=0.5)) == "none"
    assert "of width 0.5: random weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("profile", "given", "init"),
    [("own", None, "none"), ("own", "zoo", "zoo"), ("quick", "auto", "none")],
)
def test_the_workbench_takes_it_where_nothing_else_is_given(cache, profile, given, init):
    fixed = {
        "attach": [5, 8],
        "anchors": [25, 38, 58, 87],
        "aspect_ratios": [1],
        "class_weights": [1, 1, 1],
    }
    parameters = {**read_parameters(), **fixed, "profile": profile, "init": given}
    assert workbench_spec(fill_in(parameters)).init == init
