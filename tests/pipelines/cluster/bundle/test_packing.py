"""Which runs a bundle takes, in what order, and what of their data."""

import json

import numpy as np
import pytest

from pipelines.cluster.bundle.contents import DATA
from pipelines.cluster.bundle.packages import compiled_packages
from pipelines.cluster.bundle.packing import Wanted, _pack_data, chosen_runs
from pipelines.cluster.bundle.pixels import unpack_pixels
from pipelines.data import preparing
from pipelines.data.preparation import Preparation
from pipelines.data.prepared import load_prepared
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from tests.pipelines.own_coco import write_coco


def test_every_row_s_first_seed_comes_before_any_row_s_second():
    rows = ("sampler-dns", "sampler-basic", "original-attachment")
    assert list(chosen_runs(Wanted("full", rows, seeds=(0, 1)))) == [
        "sampler-dns-s0",
        "sampler-basic-s0",
        "original-attachment-s0",
        "sampler-dns-s1",
        "sampler-basic-s1",
        "original-attachment-s1",
    ]


def test_what_no_bundle_can_train_is_left_out_and_said(capsys):
    found = chosen_runs(Wanted("quick"))
    assert "sampler-dns-s0" in found
    assert not {"ssd-mobilenet-v2-tf-s0", "released-score-floor-s0"} & found.keys()
    said = capsys.readouterr().err
    assert "left out, since TensorFlow trains them or nothing does: released-score-floor" in said
    with pytest.raises(UserError, match="no run of these rows and seeds can be trained"):
        chosen_runs(Wanted("quick", ["ssd-mobilenet-v2-tf"]))


def test_only_rows_that_need_compiled_packages_ask_for_them():
    assert compiled_packages(chosen_runs(Wanted("quick", ["sampler-dns", "lapnet"]))) == ()
    assert compiled_packages(chosen_runs(Wanted("quick", ["retinanet-r50"]))) == (
        "pycocotools",
        "pyyaml",
    )
    assert compiled_packages(chosen_runs(Wanted("quick", ["pretrained"]))) == ("safetensors",)


def test_of_tiles_the_whole_photographs_annotations_go_along(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "DATA", tmp_path / "data")
    write_coco(tmp_path / "own")
    spec = RunSpec(dataset=str(tmp_path / "own"), input_size=64, tiles=64)
    _pack_data(tmp_path / "bundle", {"run": spec}, pixels=False)
    prepared = preparing.require_prepared(Preparation(spec.dataset, 64, spec.fold, spec.tiling))
    packed = tmp_path / "bundle" / DATA / prepared.name
    sums = json.loads((packed / "manifest.json").read_text())["splits"]["test"]
    unpack_pixels(packed / "test-images", packed / "test-images.npy", sums["images_sha256"])
    here, there = load_prepared(prepared, "test"), load_prepared(packed, "test")
    assert there.photographs == here.photographs
    assert there.photographs is not None
    assert np.array_equal(there.images, here.images)
