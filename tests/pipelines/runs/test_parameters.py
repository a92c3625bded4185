"""From params.yaml to specifications: what is right is read, what is wrong is refused by name."""

import pytest
import yaml
from dvc.utils.serialize import load_yaml, modify_yaml

from method.choices import HeadInit, Sampler
from pipelines.runs.parameters import (
    declared_runs,
    profile_settings,
    read_parameters,
    resolve,
    workbench_spec,
)
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import PARAMETERS


def test_the_project_s_own_parameters_are_right():
    parameters = read_parameters()
    for profile in parameters["profiles"]:
        assert declared_runs(parameters, profile) or profile == "own"
    assert workbench_spec(parameters).profile == "quick"


def test_a_run_is_the_profile_s_settings_with_the_row_s_change():
    spec = declared_runs(read_parameters(), "quick")["sampler-dns-s0"]
    assert (spec.sampler, spec.class_weights) == (Sampler.DNS, (1.0, 4.0, 3.7))
    assert (
        spec.input_size
        == yaml.safe_load(PARAMETERS.read_text())["profiles"]["quick"]["settings"]["input_size"]
    )


def test_the_workbench_changes_what_it_names_and_nothing_else():
    parameters = read_parameters()
    plain = workbench_spec(parameters)
    changed = workbench_spec({**parameters, "sampler": "dns", "seed": 4})
    assert (changed.sampler, changed.seed) == (Sampler.DNS, 4)
    assert changed.anchors == plain.anchors
    assert changed.hash != plain.hash


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sampler", "hard", r"sampler must be one of basic, 1:1, dns, not 'hard'"),
        ("detector", "yolo", r"detector must be one of scale-aware-ssd, ssd-mobilenet-v2"),
        ("anchors", [25, 38], r"anchors must be four sizes"),
        ("anchors", "25/38/58/x", r"anchors must be a number, not 'x'"),
        ("class_weights", [1, -4, 3], r"class_weights must be above 0"),
        ("seed", 1.5, r"seed must be a whole number"),
        ("seed", -1, r"seed must not be below 0"),
        ("attach", [8, 5], r"attach must be two blocks of 1 to 17 in order"),
        ("input_size", 300, r"input_size must divide by 64"),
        ("learning_rate", float("nan"), r"learning_rate must be a number"),
        ("colour", "red", r"no parameter 'colour'; there are .*sampler"),
        ("profile", "fast", r"profile must be one of quick, reference"),
    ],
)
def test_a_wrong_value_is_refused_with_the_right_ones(name, value, message):
    with pytest.raises(UserError, match=message):
        workbench_spec({**read_parameters(), name: value})


def test_a_detector_s_settings_lie_between_the_profile_s_and_the_row_s():
    parameters = {
        "detectors": {"scale-aware-ssd": {"head_init": "released", "warmup": 1}},
        "rows": {"plain": {}, "own": {"warmup": 5}, "rival": {"detector": "ssdlite-mobilenet-v3"}},
        "profiles": {
            "small": {
                "settings": {"warmup": 9, "iterations": 3},
                "detectors": {"scale-aware-ssd": {"max_detections": 7}},
                "overrides": {},
                "runs": {"train": ["plain-s0", "own-s0", "rival-s0"]},
            }
        },
    }
    runs = declared_runs(parameters, "small")
    plain, own, rival = (runs[f"{row}-s0"] for row in ("plain", "own", "rival"))
    assert (plain.head_init, plain.max_detections, plain.warmup) == (HeadInit.RELEASED, 7, 1)
    assert (own.warmup, own.iterations) == (5, 3)
    assert (rival.head_init, rival.max_detections, rival.warmup) == (HeadInit.XAVIER, 100, 9)


def test_the_seed_stands_where_the_first_weights_name_it():
    runs = declared_runs(read_parameters(), "quick")
    for seed in (0, 1, 2):
        spec = runs[f"released-score-floor-s{seed}"]
        assert spec.init == f"results/quick/trained/sampler-dns-s{seed}/model.safetensors"
        assert spec.iterations == 0


def test_seeds_take_the_folds_in_turn():
    parameters = read_parameters()
    folds = {name: spec.fold for name, spec in declared_runs(parameters, "full").items()}
    assert folds["sampler-dns-s0"] == folds["original-attachment-s0"] == "0"
    assert folds["sampler-dns-s2"] == "2"
    for seed, fold in ((3, "3"), (7, "2")):
        assert resolve(parameters, "full", {"seed": seed}, "here").fold == fold
    assert profile_settings(parameters, "full")["fold"] == "0"
    assert resolve(parameters, "quick", {"fold": 3}, "here").fold == "3"


def test_only_a_run_s_weights_can_be_scored_without_a_step():
    with pytest.raises(UserError, match="iterations may be 0 only if init is a run's weights"):
        workbench_spec({**read_parameters(), "iterations": 0})


def test_one_run_under_two_names_is_refused():
    parameters = read_parameters()
    parameters["rows"]["again"] = {"anchors": "20/41/81/164"}
    parameters["profiles"]["quick"]["runs"]["train"].append("again-s0")
    with pytest.raises(UserError, match="anchors-20-41-81-164-s0 and again-s0 are the same run"):
        declared_runs(parameters, "quick")


def test_a_specification_survives_its_json_form():
    spec = RunSpec(anchors=(20.0, 41.0, 81.0, 164.0), class_weights=(1.0, 4.0), sampler=Sampler.DNS)
    assert RunSpec.parse(spec.to_dict(), "copy").hash == spec.hash


def test_a_specification_file_holds_what_differs_from_the_defaults():
    spec = RunSpec(seed=3, anchors=(20.0, 41.0, 81.0, 164.0))
    assert spec.changes() == {"seed": 3, "anchors": (20.0, 41.0, 81.0, 164.0)}
    assert RunSpec.parse(spec.changes(), "copy") == spec


def test_what_dvc_writes_both_read_alike(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMETERS.read_text())
    with modify_yaml(path) as changed:
        changed["sampler"] = "1:1"
    read = read_parameters(path)
    assert read == {**read_parameters(), "sampler": "1:1"}
    assert read["rows"] == load_yaml(path)["rows"]
