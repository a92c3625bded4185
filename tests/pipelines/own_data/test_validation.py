"""The command `val`: which photographs, which classes, and one clear line for what cannot be."""

import json
import re
import sys
from dataclasses import replace

import pytest
import torch

from method.detection import Detections
from method.detector import Detector
from pipelines.data.dataset_spec import Fold
from pipelines.data.records import Category
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.data.tiling import Tiling
from pipelines.deploy.predict.model import Model
from pipelines.own_data import validation
from pipelines.own_data.run_page.scored import Scored
from pipelines.own_data.validation import (
    choose_split,
    class_notes,
    default_folder,
    figure_table,
    find_all,
    fold_of,
    validate,
)
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, run_cli
from pipelines.val import main
from tests.pipelines.own_coco import write_coco
from tests.pipelines.own_data.run_page.test_page import write_run
from tests.pipelines.own_data.run_page.two_photographs import Drawn, make_split, results


class Constant(Detector):
    """Finds a box of label 1 and one of label 2 in every image."""

    def detect(self, images):
        boxes = torch.tensor([[0.0, 0.0, 32.0, 32.0], [8.0, 8.0, 28.0, 28.0]])
        return [Detections(boxes, torch.tensor([0.9, 0.25]), torch.tensor([2, 1]))] * len(images)


MODEL = Model(Constant(), torch.device("cpu"), 64, (Category(4, "fruit"), Category(9, "leaf")))


@pytest.fixture
def own(tmp_path):
    write_coco(tmp_path / "own")
    return tmp_path / "own"


def rewrite(folder, split, change):
    """Change what a split's json holds."""
    file = folder / "annotations" / f"{split}.json"
    held = json.loads(file.read_text())
    change(held)
    file.write_text(json.dumps(held))


def test_detections_have_the_data_set_s_ids_and_the_photographs_pixels():
    split = make_split(names=["leaf", "stem"])
    found = find_all(MODEL, Drawn(split))
    # of 100 pixels at an input of 64; fruit is no class of the data set
    box = [0, 0, 50, 50]
    assert found == [
        {"image_id": i, "category_id": 1, "bbox": box, "score": pytest.approx(0.9)} for i in (1, 2)
    ]


def test_figures_are_those_of_all_photographs_by_hand(own, tmp_path, monkeypatch, capsys):
    """Every photograph has one fruit of [8, 8, 20, 20], which the model finds exactly."""
    monkeypatch.setattr(validation, "load_model", lambda path: MODEL)
    out = tmp_path / "out"
    validate(tmp_path / "mine.onnx", str(own), None, out)
    figures = json.loads((out / "metrics.json").read_text())
    assert figures["figures"]["AP"] == 100
    assert figures["classes"]["fruit"]["score"] == 0.25
    assert figures["notes"] == ["the data set has no leaf: detections of it are left out"]
    assert {path.name for path in out.iterdir()} == {"metrics.json", "page.html"}
    said = capsys.readouterr().out
    assert "test of " in said
    assert "20 photographs" in said
    assert re.search(r"^fruit +20 +100.0 +100.0 .* 0\.25$", said, re.MULTILINE)
    assert said.endswith(f"{out / 'page.html'}\n")


CUT = "detected in tiles of 64 px that share 0.5, merged: whole photographs are scored"


@pytest.mark.parametrize(
    ("trained_on", "asked", "whole", "cut"),
    [
        (None, None, False, False),
        (None, Tiling(64, 0.5), False, True),
        (Tiling(64, 0.5), None, False, True),
        (Tiling(64, 0.2), Tiling(64, 0.5), False, True),
        (Tiling(64, 0.5), None, True, False),
    ],
)
def test_photographs_are_cut_as_asked_or_as_in_training(
    own, tmp_path, monkeypatch, trained_on, asked, whole, cut
):
    model = replace(MODEL, tiling=trained_on)
    monkeypatch.setattr(validation, "load_model", lambda path: model)
    validate(tmp_path / "mine.onnx", str(own), None, tmp_path / "out", asked, whole=whole)
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["figures"]["AP"] == 100, "a photograph is one tile of 64 px"
    assert (CUT in figures["notes"]) == cut


@pytest.mark.parametrize(
    ("absent", "wanted", "measured"),
    [
        ((), None, "61"),
        (("test",), None, "41"),
        ((), "val", "41"),
        ((), "all", "1"),
    ],
    ids=["test", "val where there is no test", "as asked", "all"],
)
def test_which_photographs_are_measured(
    own, tmp_path, monkeypatch, capsys, absent, wanted, measured
):
    for name in absent:
        (own / "annotations" / f"{name}.json").unlink()
    seen = []

    def find(model, source):
        seen.append(source.split)
        return find_all(model, source)

    monkeypatch.setattr(validation, "load_model", lambda path: MODEL)
    monkeypatch.setattr(validation, "find_all", find)
    validate(tmp_path / "mine.onnx", str(own), wanted, tmp_path / "out")
    names = [image.file_name for image in seen[0].images]
    assert names[0].endswith(f"{measured}.png")
    assert len(names) == (60 if wanted == "all" else 20)
    page = (tmp_path / "out" / "page.html").read_text()
    told = "has no test split, so results are measured on its val"
    assert (told in page) is (told in capsys.readouterr().err) is bool(absent)


def test_no_such_split_names_those_that_are_there(own):
    sources = open_dataset(DatasetSpec(str(own)), report=lambda line: None)
    with pytest.raises(UserError, match="has no split 'tets'; --split may be train, val, test, al"):
        choose_split(sources, "tets", str(own))
    drawn = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(train=1, val=1, test=1)))
    with pytest.raises(UserError, match=r"has no split 'all'; --split may be train, val, test$"):
        choose_split(drawn, "all", "scenes")


def test_a_run_of_a_fold_is_measured_on_the_photographs_that_its_fold_leaves_out(own, tmp_path):
    spec = RunSpec(dataset=str(own), fold=Fold.THIRD, input_size=64)
    run = write_run(tmp_path / "run", spec)
    assert fold_of(run, str(own)) is Fold.THIRD
    assert fold_of(run, "scenes") is Fold.PUBLISHED
    assert fold_of(None, str(own)) is Fold.PUBLISHED


def test_classes_are_matched_by_name_and_what_differs_is_said():
    known = (Category(1, "b"), Category(2, "c"))
    assert class_notes(known, make_split(), "mine") == [
        "the model does not know a (2 objects): they count as missed, with AP 0",
        "the data set has no c: detections of it are left out",
    ]
    assert class_notes((Category(7, "b"), Category(3, "a")), make_split(), "mine") == []
    with pytest.raises(UserError, match="mine knows x and the data set has a, b: no class in com"):
        class_notes((Category(1, "x"),), make_split(), "mine")


def test_a_class_that_the_model_does_not_know_counts():
    # b alone is known: of its three objects one is found first, AP50 34 of 101 recall steps.
    found = [one for one in results() if one["category_id"] == 2 and one["score"] == 0.3]
    table = figure_table(Scored(make_split(), found, 64)).set_index("class")
    assert list(table.loc["a", ["objects", "AP50", "score from"]]) == ["2", "0.0", "–"]
    assert list(table.loc["b", ["objects", "AP50", "score from"]]) == ["3", "33.7", "0.30"]
    assert list(table.loc["all", ["objects", "AP50", "APl"]]) == ["5", "16.8", "–"]


def test_a_split_without_objects_is_one_line(own, tmp_path, monkeypatch, capsys):
    rewrite(own, "test", lambda held: held.update(annotations=[]))
    monkeypatch.setattr(validation, "load_model", lambda path: MODEL)
    monkeypatch.setattr(sys, "argv", ["val", "x.onnx", str(own), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        run_cli(main)
    assert stop.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert "test" in error
    assert "no boxes in the split" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.onnx", "scenes"], "error: none.onnx: no such file; write it by"),
        (["nothing", "scenes"], "error: nothing: give the folder of a trained run, or an .onnx"),
        (["none.onnx", "/no/such"], "error: /no/such: no such data set folder"),
    ],
)
def test_what_is_not_there_is_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["val", *arguments, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        run_cli(main)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_things_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "load_model", lambda path: MODEL)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds 'mine.txt', which val did not write"):
        validate(tmp_path / "mine.onnx", "scenes", None, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_default_folder_is_named_after_model_data_set_and_split(tmp_path):
    found = default_folder(tmp_path / "my model.onnx", "~/photographs/own set", "test")
    assert found.parts[-3:] == ("results", "val", "my_model-own_set-test")
    run = tmp_path / "run"
    run.mkdir()
    assert default_folder(run, "scenes", "val").name == "run-scenes-val"
