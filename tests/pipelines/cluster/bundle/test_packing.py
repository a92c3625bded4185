"""Which runs a bundle takes, and in what order."""

import pytest

from pipelines.cluster.bundle.packages import compiled_packages
from pipelines.cluster.bundle.packing import Wanted, chosen_runs
from pipelines.system.errors import UserError


def test_every_row_s_first_seed_comes_before_any_row_s_second():
    rows = ("sampler-dns", "sampler-basic", "original-attachment")
    assert list(chosen_runs(Wanted("full", rows, seeds=(0, 1)))) == [
        "sampler-dns-s0", "sampler-basic-s0", "original-attachment-s0",
        "sampler-dns-s1", "sampler-basic-s1", "original-attachment-s1",
    ]  # fmt: skip


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
