"""dvc.yaml and params.yaml leave out nothing that changes a run."""

import ast
import dataclasses
from pathlib import Path

import pytest
import yaml

from pipelines.runs.spec import RunSpec
from pipelines.system.paths import REPOSITORY

STAGES = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
FIELDS = {field.name for field in dataclasses.fields(RunSpec)}
TRAININGS = ("pretrain", "train", "finetune", "rescore")

CHANGE_NO_RESULT = {
    "pipelines/own_data/proposal_picture.py",
    "pipelines/system/energy.py",
    "pipelines/system/errors.py",
    "pipelines/data/published/fetch.py",
    "pipelines/system/hashing.py",
    "pipelines/training/health/rules.py",
    "pipelines/inspect",
}
"""What they measure, say, draw, fetch or name is no part of a detection."""
MAKE_DATA = {"pipelines/data", "pipelines/data/preparing.py"}
"""The stage depends on the data set that they have made."""


def test_every_field_can_be_set_at_the_top():
    assert yaml.safe_load((REPOSITORY / "params.yaml").read_text()).keys() >= FIELDS


def test_every_field_is_a_parameter_of_the_workbench():
    parameters = STAGES["workbench"]["params"]
    assert sorted(parameters) == sorted(FIELDS)


@pytest.mark.parametrize("stage", TRAININGS)
def test_all_code_that_makes_a_run_is_a_dependency_of_its_stage(stage):
    missing = uncovered(imported_by("pipelines/evaluation/run.py"), STAGES[stage]["deps"])
    assert uncovered(missing, CHANGE_NO_RESULT | MAKE_DATA) == set()


def test_all_code_that_makes_the_workbench_s_run_is_a_dependency_of_it():
    missing = uncovered(imported_by("pipelines/workbench.py"), STAGES["workbench"]["deps"])
    assert uncovered(missing, CHANGE_NO_RESULT) == set()


@pytest.mark.parametrize("stage", [*TRAININGS, "workbench"])
def test_every_file_of_code_that_a_stage_names_is_there(stage):
    code = [name for name in STAGES[stage]["deps"] if name.split("/")[0] == "pipelines"]
    assert code
    assert [name for name in code if not (REPOSITORY / name).exists()] == []


def imported_by(start: str) -> set[str]:
    """The project's modules that a program imports, directly or not, and the program itself."""
    found: set[Path] = set()
    waiting = [REPOSITORY / start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in names_imported(path) if (file := file_of(name))]
    return {path.relative_to(REPOSITORY).as_posix() for path in found if path.stat().st_size}


def names_imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def file_of(module: str) -> Path | None:
    base = REPOSITORY / module.replace(".", "/")
    return next((f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()), None)


def uncovered(files: set[str], by: list[str] | set[str]) -> set[str]:
    """The files that neither stand there nor lie in a folder that does."""
    return {file for file in files if not {file, *map(str, Path(file).parents)} & set(by)}
