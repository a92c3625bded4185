"""dvc.yaml and params.yaml leave out nothing that changes a run."""

import dataclasses
import re

import pytest
import yaml
from dvc.repo import Repo

from pipelines.runs.registry import ENTRIES
from pipelines.runs.spec import RunSpec
from tests.imports import ROOT, modules, reached

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
OTHERS = sorted(path.parent.name for path in (ROOT / "results").glob("*/dvc.yaml"))
FIELDS = {field.name for field in dataclasses.fields(RunSpec)}
BUILDERS = {entry.builder.partition(":")[0] for entry in ENTRIES.values()}


def needed(command):
    """Modules that a command imports, or that build its detectors."""
    names = {command, *reached(command)}
    if "pipelines.detectors.build" in names:
        names |= BUILDERS.union(*map(reached, BUILDERS))
    return names


def test_every_field_can_be_set_at_the_top():
    assert yaml.safe_load((ROOT / "params.yaml").read_text()).keys() >= FIELDS


def test_every_field_is_a_parameter_of_the_workbench():
    parameters = STAGES["workbench"]["params"]
    assert sorted(parameters) == sorted(FIELDS)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_it_runs(stage):
    if STAGES[stage].get("always_changed"):
        return
    (command,) = re.findall(r"python -m (pipelines\.\w+)", STAGES[stage]["cmd"])
    declared = STAGES[stage]["deps"]
    missing = [
        path.as_posix()
        for path in (modules()[name].relative_to(ROOT) for name in needed(command))
        if path.name != "__init__.py"
        and not {path.as_posix(), *map(str, path.parents)} & set(declared)
    ]
    assert missing == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_of_code_that_a_stage_names_is_there(stage):
    code = [name for name in STAGES[stage].get("deps", ()) if name.startswith("pipelines")]
    assert [name for name in code if not (ROOT / name).exists()] == []


def shared(profile):
    """Stages of a study but for its data sets, with one name for its folder."""
    text = (ROOT / "results" / profile / "dvc.yaml").read_text()
    stages = yaml.safe_load(re.sub(rf"\b{profile}\b", "PROFILE", text))["stages"]
    for name in ("data", "folds"):
        stages.pop(name, None)
    for stage in stages.values():
        own = "data/", "results/PROFILE/trained/"
        stage["deps"] = [name for name in stage["deps"] if not name.startswith(own)]
    return stages


@pytest.mark.parametrize("profile", OTHERS)
def test_the_other_studies_have_the_same_stages(profile):
    stages, reference = shared(profile), shared("reference")
    assert stages == {name: reference[name] for name in stages}


def test_no_two_pipelines_make_the_same_file():
    Repo(str(ROOT)).index.check_graph()
