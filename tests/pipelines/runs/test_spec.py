"""The specification: its defaults never change, and every field can be explained."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.dataset_spec import Fold
from pipelines.data.tiling import Tiling
from pipelines.runs.spec import RunSpec, explain_fields
from pipelines.system.errors import UserError

DEFAULTS = {
    "profile": "quick",
    "dataset": "scenes",
    "fold": "published",
    "input_size": 256,
    "tiles": None,
    "tile_overlap": 0.2,
    "detector": "scale-aware-ssd",
    "attach": None,
    "anchors": (25.0, 38.0, 58.0, 87.0),
    "aspect_ratios": (1.0,),
    "head_init": "xavier",
    "max_detections": 100,
    "class_weights": None,
    "sampler": "basic",
    "backbone": "mobilenet-v2",
    "anchors_a_class": 10,
    "overlap": "pono",
    "ambiguity": "on",
    "balance": "learned",
    "classification": "cross-entropy",
    "width": 1.0,
    "init": "none",
    "released": (),
    "augment": (),
    "iterations": 600,
    "batch_size": 8,
    "optimiser": "adamw",
    "learning_rate": 1e-3,
    "weights_learning_rate": None,
    "weight_decay": 1e-3,
    "warmup": 20,
    "schedule": "cosine",
    "precision": "bf16",
    "compile": "off",
    "threads": 0,
    "seed": 0,
    "validate_every": 0,
}
"""A run's hash is made of what differs from them: another default would make every committed run
one that nobody declares. A new field has a default that means "as before"."""


def test_no_default_has_changed():
    assert {field.name: field.default for field in fields(RunSpec)} == DEFAULTS


def test_defaults_leave_nothing_to_be_hashed():
    assert RunSpec().changes() == {}
    assert RunSpec(seed=1).changes() == {"seed": 1}
    assert RunSpec().hash != RunSpec(seed=1).hash


@given(st.integers(0, 10**6), st.sampled_from(["1:1", "dns"]), st.floats(1e-6, 1.0))
def test_what_is_written_is_read(seed, sampler, rate):
    spec = RunSpec.parse({"seed": seed, "sampler": sampler, "learning_rate": rate}, "test")
    assert RunSpec.parse(spec.changes(), "test") == spec
    assert RunSpec.parse(spec.to_dict(), "test").hash == spec.hash


def test_tiles_are_part_of_what_a_run_is():
    spec = RunSpec.parse({"tiles": 256, "tile_overlap": "0.3"}, "x")
    assert spec.tiling == Tiling(256, 0.3)
    assert spec.changes() == {"tiles": 256, "tile_overlap": 0.3}
    assert RunSpec().tiling is None


def test_every_field_is_explained_with_its_default_and_its_choices():
    text = explain_fields()
    for field in fields(RunSpec):
        assert f"{field.name}: {field.default}\n    {field.metadata['help']}" in text
    assert "one of basic, 1:1, dns" in text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampler": "hard"}, "x: sampler must be one of basic, 1:1, dns, not 'hard'"),
        ({"anchors": "25/38"}, "x: anchors must be four sizes"),
        ({"input_size": 100}, "x: input_size must divide by 64, not 100"),
        ({"seed": -1}, "x: seed must not be below 0, not -1"),
        ({"speed": 1}, "x: no parameter 'speed'"),
        ({"tiles": 16}, "x: tiles must be 32 px or more, not 16"),
        ({"tiles": 256, "tile_overlap": 0.95}, "x: overlap of tiles must be 0 to 0.9, not 0.95"),
        ({"tiles": 256, "tile_overlap": -0.1}, "x: overlap of tiles must be 0 to 0.9, not -0.1"),
        ({"tile_overlap": 0.3}, "x: tile_overlap goes with tiles"),
        ({"tiles": 2.5}, "x: tiles must be a whole number, not 2.5"),
        ({"warmup": float("inf")}, "x: warmup must be a whole number, not inf"),
        ({"seed": 10**400}, "x: seed must be a whole number, not 1000"),
        ({"learning_rate": float("nan")}, "x: learning_rate must be a number, not nan"),
        ({"tiles": 256, "overlap": 0.2}, "x: overlap must be one of .*; that of tiles is tile_ove"),
        ({"iterations": 0}, "x: iterations may be 0 only if init is a run's weights"),
    ],
)
def test_a_wrong_value_is_answered_with_the_right_ones(values, message):
    with pytest.raises(UserError, match=message.replace("'", ".")):
        RunSpec.parse(values, "x")


def test_runs_share_images_when_all_that_makes_them_is_equal():
    one = RunSpec(dataset="laboro-mosaics", input_size=512)
    same = replace(one, seed=3, detector="lapnet", iterations=7)
    assert same.preparation == one.preparation
    others = [
        replace(one, fold=Fold.FIRST),
        replace(one, input_size=256),
        replace(one, dataset="nwpu"),
        replace(one, tiles=512),
    ]
    assert not any(one.preparation == other.preparation for other in others)
