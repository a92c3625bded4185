"""The command that made a run makes it again."""

import shlex
from dataclasses import replace

import pytest
from ruamel.yaml import YAML

from method.choices import Sampler
from pipelines.own_data.run_page.commands import export_command, predict_command, training_command
from pipelines.runs.parameters import read_parameters, workbench_spec
from pipelines.runs.spec import Augment, RunSpec

OWN = RunSpec(
    profile="own",
    dataset="my photographs/it's",
    input_size=320,
    anchors=(20.0, 30.5, 40.0, 60.0),
    attach=(5, 8),
    class_weights=(1.0, 2.5),
    aspect_ratios=(1.0, 2.0),
    sampler=Sampler.DNS,
    augment=(Augment.FLIP,),
    seed=4,
    learning_rate=0.002,
)


def named(command):
    """What `-S` says, as DVC reads it."""
    words = shlex.split(command)
    assert words[:3] == ["dvc", "exp", "run"]
    assert words[-1] == "workbench"
    assert set(words[3:-1:2]) == {"-S"}
    pairs = [word.partition("=") for word in words[4:-1:2]]
    return {name: YAML(typ="safe").load(value) for name, _, value in pairs}


@pytest.mark.parametrize(
    "spec",
    [
        OWN,
        replace(OWN, class_weights=None, augment=(), dataset="scenes"),
        RunSpec(detector="lapnet", profile="quick", width=1.0),
    ],
    ids=["own", "null", "lapnet"],
)
def test_the_workbench_with_the_command_s_values_is_the_run(spec):
    changes = named(training_command(spec))
    assert workbench_spec({**read_parameters(), **changes}) == spec


def test_what_the_profile_would_search_for_again_is_named():
    settings = RunSpec(profile="own")
    assert {"anchors", "attach", "class_weights", "aspect_ratios"} <= named(
        training_command(settings)
    ).keys()


def test_a_profile_that_is_gone_leaves_all_that_is_no_default():
    spec = replace(OWN, profile="gone")
    changes = named(training_command(spec))
    assert RunSpec.parse(changes, "test") == spec


def test_commands_quote_what_a_shell_would_read():
    assert shlex.split(export_command("my run/a"))[3:5] == ["my run/a", "--out"]
    assert shlex.split(predict_command("it's.onnx", 0.456))[3] == "it's.onnx"
    assert predict_command("m", 0.456).endswith("--score 0.46")
