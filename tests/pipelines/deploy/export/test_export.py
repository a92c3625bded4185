"""The export command: what it writes and says, and that no wrong file is left."""

import json
import re
import sys

import pytest
import torch
from safetensors.torch import save_file

from pipelines import export as command
from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.deploy.export import export as exporting
from pipelines.deploy.export.graph import export_graph
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.detectors.build import build_detector
from pipelines.detectors.trained import TrainedRun
from pipelines.system.errors import UserError
from tests.pipelines.deploy.export.graphs import (
    CATEGORIES,
    IMAGES,
    SIZE,
    SPECS,
    tampered,
    without_detections,
)
from tests.pipelines.records import record_of


@pytest.fixture
def command_line(exported, monkeypatch, tmp_path):
    """Call `main` on a run folder whose graph is already there; detector as trained."""
    detector, model = exported("custom")
    folder = tmp_path / "a-run"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "run.json").write_text(json.dumps(record_of(SPECS["custom"])))
    run = TrainedRun("a-run", SPECS["custom"], detector, CATEGORIES)
    monkeypatch.setattr(exporting, "open_run", lambda path: run)
    monkeypatch.setattr(exporting, "export_graph", lambda detector, form: model)
    monkeypatch.chdir(tmp_path)

    def call(*options):
        monkeypatch.setattr(sys, "argv", ["export", str(folder), "--images", "2", *options])
        command.main()

    return call


def test_one_file_is_written_and_what_was_checked_is_said(command_line, tmp_path, capsys):
    command_line("--out", "out/my model.onnx")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["my model.onnx"]
    said = capsys.readouterr().out
    assert re.search(
        r"on 2 drawn scenes .*\ncandidates: \d+ agree, .*\ndetections: \d+ agree, ", said
    )
    assert OnnxDetector(tmp_path / "out" / "my model.onnx").categories == CATEGORIES


def test_int8_is_written_beside_and_its_cost_said(command_line, monkeypatch, tmp_path, capsys):
    scenes = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(train=2, val=1, test=2)))
    prepare(scenes, tmp_path / "data", SIZE, progress=False)
    monkeypatch.setattr(exporting, "ensure_prepared", lambda *data: tmp_path / "data")
    command_line("--out", "out/model.onnx", "--int8", "--calibration", "5")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"model.onnx", "model-int8.onnx"}
    said = capsys.readouterr().out
    stated = re.search(r"calibrated on 2 training images; AP on 2 .* it costs (\S+)", said)
    assert stated is not None
    assert abs(float(stated[1])) <= 100


def test_a_file_that_detects_something_else_is_not_left(
    command_line, exported, monkeypatch, tmp_path, capsys
):
    wrong = without_detections(exported("custom")[1])
    monkeypatch.setattr(exporting, "export_graph", lambda detector, form: wrong)
    with pytest.raises(SystemExit) as stop:
        command_line("--out", "out/model.onnx")
    assert stop.value.code == 1
    assert not list((tmp_path / "out").iterdir())
    assert "out/model.onnx is not written" in capsys.readouterr().err


@pytest.fixture
def first_weights(monkeypatch, tmp_path):
    """Call `main` on the folder of a LapNet that has learned nothing."""
    detector = build_detector(SPECS["lapnet"], 3, torch.from_numpy(IMAGES).permute(0, 3, 1, 2))
    folder = tmp_path / "untrained"
    folder.mkdir()
    save_file(detector.state_dict(), folder / "model.safetensors")
    record = record_of(SPECS["lapnet"], classes=[category.name for category in CATEGORIES])
    (folder / "run.json").write_text(json.dumps(record))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["export", str(folder), "--images", "2"])
    return command.main


def test_a_detector_that_finds_nothing_is_exported_by_its_candidates(
    first_weights, tmp_path, capsys
):
    first_weights()
    said = capsys.readouterr().out
    assert re.search(r"candidates: 2000 agree, .*; 0 stand alone\ndetections: 0 agree", said)
    assert (tmp_path / "untrained.onnx").exists()


def test_a_wrong_file_of_a_detector_that_finds_nothing_is_not_left(
    first_weights, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(
        exporting,
        "export_graph",
        lambda *arguments: tampered(export_graph(*arguments), "detector.network.scores.4.bias"),
    )
    with pytest.raises(SystemExit) as stop:
        first_weights()
    assert stop.value.code == 1
    said = capsys.readouterr()
    assert "detections: 0 agree, boxes within 0 px, scores within 0; 0 stand alone" in said.out
    assert "untrained.onnx is not written: it differs from PyTorch by more than" in said.err
    assert not (tmp_path / "untrained.onnx").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "model.pt"], r"model\.pt: give a file that ends in \.onnx"),
        (["--int8", "--calibration", "0"], r"--calibration must be 1 or more, not 0"),
    ],
)
def test_wrong_options_are_refused(command_line, options, message):
    with pytest.raises(UserError, match=message):
        command_line(*options)
