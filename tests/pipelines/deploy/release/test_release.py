"""What a release holds: files that agree with PyTorch, cards whose figures are the run's."""

import hashlib
import json
import re
import sys
from dataclasses import replace

import pytest
from safetensors.torch import save

from pipelines import release as command
from pipelines.data.licences import licence_of
from pipelines.data.registry import NAMES
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.deploy.release.card import limits, write_card
from pipelines.evaluation.coco import match_records
from pipelines.runs.folder import RunFolder
from pipelines.runs.record import Record
from pipelines.system.errors import UserError
from tests.pipelines.deploy.export.graphs import CATEGORIES, SPECS, calibrated
from tests.pipelines.records import record_of

CLASSES = [category.name for category in CATEGORIES]
SPEC = replace(SPECS["custom"], dataset="not-prepared")


def annotations():
    """Two images with a ripe object each."""
    box = {"category_id": 1, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0}
    return {
        "images": [{"id": n, "width": 64, "height": 64} for n in (1, 2)],
        "annotations": [{**box, "id": n, "image_id": n} for n in (1, 2)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(CLASSES, start=1)],
    }


@pytest.fixture
def run(tmp_path):
    """A run that finds the object of one image alone."""
    folder = RunFolder(tmp_path / "small-s0")
    found = [{"image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}]
    values = record_of(SPEC, name="small-s0", classes=CLASSES)
    del values["files_sha256"]
    weights = {n: v.contiguous() for n, v in calibrated(SPEC).state_dict().items()}
    folder.write(
        values,
        [{"step": 1, "loss": 2.0}],
        found,
        match_records(annotations(), found),
        save(weights),
    )
    return folder


def call(monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["release", *map(str, options)])
    command.main()


def test_each_run_is_a_file_a_card_and_two_checksums(run, monkeypatch, tmp_path):
    out = tmp_path / "out"
    call(monkeypatch, run.path, "--out", out)
    assert {path.name for path in out.iterdir()} == {"small-s0.onnx", "small-s0.md", "SHA256SUMS"}
    for line in (out / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    assert OnnxDetector(out / "small-s0.onnx").input_size == SPEC.input_size
    stated = re.search("SHA-256 `(.*?)`", (out / "small-s0.md").read_text())
    assert stated is not None
    assert stated[1] in (out / "SHA256SUMS").read_text()


def test_the_card_s_figures_are_the_run_s(run):
    """One of two objects found without a mistake: COCO's precision is 1 at recalls 0, …, 0.50,
    which are 51 of its 101."""
    card = write_card(run, "small.onnx", "0" * 64, 1_200_000)
    assert re.search(r"\| AP50 +\| 50\.5 \[0\.0, 100\.0\] +\|", card)
    assert re.search(r"\| APl +\| no such objects +\|", card)
    assert "1.2 million parameters" in card
    assert "It was not measured." in card


def test_what_it_has_hardly_seen_is_a_limit():
    counts = {"ripe": 100, "leaf": 99}
    split = {"images": 7, "boxes": 199, "boxes_per_class": counts}
    values = record_of(SPEC, data={"splits": {"train": split, "test": split}})
    said = " ".join(limits(Record.parse(json.loads(json.dumps(values)), "run.json")))
    assert "7 images with 199 objects" in said
    assert "Of leaf it has seen fewer than 100" in said
    assert "never seen a photograph" not in said
    drawn = record_of(replace(SPEC, dataset="scenes"))
    assert "never seen a photograph" in " ".join(limits(Record.parse(drawn, "run.json")))


def test_every_data_set_with_a_name_has_a_licence():
    unknown = licence_of("../photographs")
    assert [name for name in NAMES if licence_of(name) == unknown] == []


def test_two_runs_of_one_name_are_refused_before_anything_is_written(run, monkeypatch, tmp_path):
    with pytest.raises(UserError, match="two runs are called small-s0"):
        call(monkeypatch, run.path, run.path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_here_are_said(run, monkeypatch, tmp_path):
    run.weights.unlink()
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be loaded, train the run"):
        call(monkeypatch, run.path, "--out", tmp_path / "out")
