"""The order of the house: files are short, commands in pipelines/, and imports go one way."""

import ast

import pytest

from tests.imports import ROOT, commands, imported, modules, reached

ORDER = (
    {"system"},
    {"data"},
    {"runs"},
    {"detectors"},
    {"training"},
    {"evaluation"},
    {"processor"},
    {"evidence"},
    {"deploy"},
    {"own_data", "cluster"},
)
"""Folders of pipelines/, from the bottom; each imports only from those before its own set."""
LAYER = {folder: layer for layer, folders in enumerate(ORDER) for folder in folders}
PIPELINES = [name for name in modules() if name.startswith("pipelines.")]
COMMANDS = commands()
CODE = [*modules().values(), *sorted((ROOT / "tests").rglob("*.py"))]
LONGEST_FILE, LONGEST_COMMAND, LONGEST_FUNCTION = 300, 80, 60


def folder(module):
    """The folder of pipelines/ that a module lies in; None for a command and all else."""
    inside = module.startswith("pipelines.") and module not in COMMANDS
    return module.split(".")[1] if inside else None


def test_every_folder_has_its_place():
    assert {folder(name) for name in PIPELINES} - {None} == LAYER.keys()
    assert len(COMMANDS) > 15


def test_no_folder_imports_from_one_above_it_or_beside_it():
    arrows = [
        f"{name} imports {target}"
        for name in PIPELINES
        if (own := folder(name))
        for target in imported(name)
        if (other := folder(target)) and other != own and LAYER[other] >= LAYER[own]
    ]
    assert arrows == []


def test_no_command_is_imported():
    assert [(n, t) for n in modules() for t in imported(n) if t in COMMANDS] == []


def test_method_and_baselines_know_nothing_of_pipelines():
    arrows = [
        (name, target)
        for name in modules()
        if not name.startswith("pipelines")
        for target in imported(name)
        if target.startswith("pipelines")
    ]
    assert arrows == []
    assert not [
        n
        for n in modules()
        if n.startswith("method")
        for t in imported(n)
        if t.startswith("baselines")
    ]


def test_there_is_no_circle():
    circles = [name for name in modules() if name in reached(name)]
    assert circles == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_parses_its_arguments_and_calls_what_does_the_work(name):
    text = modules()[name].read_text(encoding="utf-8")
    assert f"python -m {name}" in text
    assert "run_cli(main)" in text
    assert len(text.splitlines()) <= LONGEST_COMMAND


def test_no_file_is_long():
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in CODE}
    long = [f"{path}: {count} lines" for path, count in lines.items() if count > LONGEST_FILE]
    assert long == []


def test_no_function_is_long():
    functions = [
        (path, node.name, (node.end_lineno or 0) - node.lineno + 1)
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [
        f"{path}: {name}, {count} lines"
        for path, name, count in functions
        if count > LONGEST_FUNCTION
    ]
    assert long == []
