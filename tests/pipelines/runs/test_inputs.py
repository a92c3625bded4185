"""What the workbench reads is told whole, and nothing that it does not read."""

import copy
import json
import subprocess
import sys

import pytest

from pipelines import inputs as program
from pipelines.runs import inputs as reading
from pipelines.runs.inputs import inputs
from pipelines.runs.parameters import read_parameters
from pipelines.system.errors import run_cli
from pipelines.system.paths import REPOSITORY


@pytest.fixture
def own(tmp_path):
    """The parameters of a run on a data set of one's own, which starts from a file."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "data.yaml").write_text("names: [fruit]")
    (tmp_path / "model.index").write_text("1")
    (tmp_path / "model.data").write_text("1")
    (tmp_path / "other.data").write_text("1")
    named = {"dataset": str(tmp_path / "own"), "init": str(tmp_path / "model.index")}
    return {**read_parameters(), "profile": "own", **named}


@pytest.mark.parametrize(
    ("file", "shows"),
    [("own/data.yaml", True), ("model.index", True), ("model.data", True), ("other.data", False)],
)
def test_a_changed_file_shows_if_the_run_reads_it(own, tmp_path, file, shows):
    before = inputs(own)
    (tmp_path / file).write_text("names: [plant]")
    assert (inputs(own) != before) == shows


def test_the_settings_of_the_profile_show_and_those_of_others_do_not(own):
    changed = copy.deepcopy(own)
    changed["profiles"]["quick"]["settings"]["iterations"] = 7
    changed["profiles"]["own"]["runs"] = {"train": ["sampler-dns-s0"]}
    changed["rows"]["sampler-dns"] = {}
    assert inputs(changed) == inputs(own)
    changed["profiles"]["own"]["settings"]["iterations"] = 7
    assert inputs(changed) != inputs(own)


def test_a_data_set_that_only_the_profile_names_is_read_too(own):
    data = own.pop("dataset")
    assert inputs(own)["dataset_sha256"] is None
    own["profiles"]["own"]["settings"]["dataset"] = data
    assert inputs(own)["dataset_sha256"]


def test_what_every_run_of_a_detector_takes_shows(own):
    changed = {**own, "detectors": {"lapnet": {"width": 0.5}}}
    assert inputs(changed) != inputs(own)


@pytest.mark.parametrize("wrong", [{"profile": "none-such"}, {"profiles": 3}, {"init": 7}])
def test_a_wrong_parameter_is_left_to_the_run(own, wrong):
    assert inputs({**own, **wrong})


def call(code):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def test_a_folder_that_is_not_there_is_one_line_and_code_2(tmp_path, monkeypatch, capsys):
    (tmp_path / "params.yaml").write_text("profile: own\ndataset: ../no-such/folder\n")
    monkeypatch.setattr(reading, "PARAMETERS", tmp_path / "params.yaml")
    monkeypatch.setattr(reading, "WRITTEN", tmp_path / "inputs.json")
    monkeypatch.setattr(sys, "argv", ["inputs"])
    with pytest.raises(SystemExit) as stop:
        run_cli(program.main)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said == "error: ../no-such/folder: no such data set folder; correct the path\n"
    assert not (tmp_path / "inputs.json").exists()


def test_what_it_writes_holds_no_path_of_a_machine(own, tmp_path):
    assert str(tmp_path) not in json.dumps(inputs(own))


def test_torch_is_not_loaded():
    done = call("import sys, pipelines.runs.inputs; sys.exit('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr
