"""A run trained on drawn photographs, its exported file, and what `val` says of both."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.data.preparation import Preparation
from pipelines.data.preparing import ensure_prepared
from pipelines.deploy.export.export import Options, export_run
from pipelines.deploy.export.graph import Form
from pipelines.evaluation.coco import score_records
from pipelines.evaluation.run import run as train
from pipelines.own_data.run_page.write import write_run_page
from pipelines.own_data.validation import validate
from pipelines.runs.folder import RunFolder
from pipelines.runs.spec import Precision, RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import DATA
from tests.pipelines.own_data.drawn_fruit import write_fruit

SPEC = RunSpec(
    input_size=64,
    iterations=150,
    batch_size=8,
    width=0.5,
    learning_rate=0.003,
    threads=1,
    precision=Precision.FP32,
    anchors=(90.0, 120.0, 150.0, 180.0),
)


@pytest.fixture(scope="module")
def fruit(tmp_path_factory):
    """A folder of photographs that a small detector learns, prepared until the end."""
    folder = tmp_path_factory.mktemp("fruit") / "own"
    write_fruit(folder)
    prepared = ensure_prepared(Preparation(str(folder), SPEC.input_size))
    yield str(folder)
    shutil.rmtree(prepared)
    for path in DATA.glob(f".{prepared.name}*"):
        path.unlink()


@pytest.fixture(scope="module")
def trained(fruit, tmp_path_factory):
    """A run on these photographs, and its exported file."""
    folder = tmp_path_factory.mktemp("trained")
    train(replace(SPEC, dataset=fruit), folder / "run")
    assert (
        export_run(folder / "run", Options(folder / "mine.onnx", Form(), 2, None, 1, time=False))
        is None
    )
    return folder


@pytest.mark.slow
def test_run_folder_and_onnx_file_have_the_run_s_own_figures(trained, fruit, tmp_path, capsys):
    figures = {}
    for model in (trained / "run", trained / "mine.onnx"):
        validate(model, fruit, None, tmp_path / model.name)
        figures[model.name] = json.loads((tmp_path / model.name / "metrics.json").read_text())
    run, onnx = figures.values()
    own = score_records(RunFolder(trained / "run").matches()).figures
    assert own["AP50"] > 30
    assert run["figures"]["AP"] == pytest.approx(own["AP"], abs=0.1)
    assert run["figures"]["AP50"] == pytest.approx(own["AP50"], abs=0.1)
    for name, value in run["figures"].items():
        assert onnx["figures"][name] == (value and pytest.approx(value, abs=0.1))
    assert onnx["confusion"] == run["confusion"]
    pages = [(tmp_path / name / "page.html").read_text() for name in figures]
    assert ['id="training"' in page for page in pages] == [True, False]
    assert len(re.findall(r"^unripe +16 ", capsys.readouterr().out, re.MULTILINE)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("model", ["run", "mine.onnx"])
def test_training_photographs_are_recognised_wherever_they_lie(trained, fruit, tmp_path, model):
    shutil.copytree(fruit, tmp_path / "elsewhere")
    told = {}
    for split in ("train", "test", "all"):
        validate(trained / model, str(tmp_path / "elsewhere"), split, tmp_path / split)
        told[split] = json.loads((tmp_path / split / "metrics.json").read_text())["notes"]
    figures = "photographs: its figures here say little of others"
    assert told == {
        "train": [f"this model was trained on all of these {figures}"],
        "test": [],
        "all": [f"this model was trained on 48 of these 72 {figures}"],
    }


@pytest.mark.slow
def test_a_photograph_that_cannot_be_read_stops_or_is_left_out_as_asked(
    trained, fruit, tmp_path, capsys
):
    shutil.copytree(fruit, tmp_path / "own")
    (tmp_path / "own" / "images" / "test" / "test-b1.png").write_bytes(b"no picture")
    given = trained / "run", str(tmp_path / "own"), None, tmp_path / "out"
    with pytest.raises(UserError, match=r"test-b1\.png"):
        validate(*given)
    assert not (tmp_path / "out").exists()
    validate(*given, skip_broken_images=True)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["images"] == 15
    assert "left out 1 photograph" in capsys.readouterr().err


@pytest.mark.slow
def test_the_page_of_a_run_is_that_of_its_own_test_photographs(trained, fruit, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    path = write_run_page(tmp_path / "run", "results/workbench/run")
    page = path.read_text()
    assert path == tmp_path / "run" / "page.html"
    assert page.count("<image ") == 12
    assert "python -m pipelines.export results/workbench/run --out mine.onnx" in page
    assert f"dataset={fruit}" in page
    assert RunFolder(tmp_path / "run").altered() == []


@pytest.mark.slow
def test_photographs_that_have_changed_since_the_training_are_not_drawn(trained, fruit, tmp_path):
    file = Path(fruit) / "annotations" / "test.json"
    before = file.read_text()
    held = json.loads(before)
    held["annotations"][0]["bbox"][2] += 1
    file.write_text(json.dumps(held))
    shutil.copytree(trained / "run", tmp_path / "run")
    page = write_run_page(tmp_path / "run", "run").read_text()
    file.write_text(before)
    assert "The photographs are not at hand, or have changed" in page
    assert "<image " not in page
