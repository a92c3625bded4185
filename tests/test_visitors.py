"""Another normaliser of overlap is two lines of `method/` and a row each of settings and paper."""

import shutil
import sys

import pandas as pd
import pytest
import yaml

from tests.imports import ROOT
from tests.pipelines.small_study import make_small_study, run_in

ROW = "lapnet-squared"


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def edit_yaml(path, change):
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def add_row(parameters):
    parameters["rows"][ROW] = {**parameters["rows"]["lapnet"], "overlap": "squared"}
    parameters["profiles"]["quick"]["runs"]["train"].append(f"{ROW}-s0")


@pytest.mark.slow
def test_another_normaliser_is_a_row_of_its_table(tmp_path):
    project = make_small_study(tmp_path / "project", ("lapnet",), iterations=2, width=1.0)
    shutil.copytree(ROOT / "papers", project / "papers")
    method = project / "method" / "lapnet"
    edit(
        method / "choices.py", '    PONO = "pono"\n', '    SQUARED = "squared"\n    PONO = "pono"\n'
    )
    pono = "    Overlap.PONO: normalised_overlap,\n"
    squared = "    Overlap.SQUARED: lambda overlap, mask: normalised_overlap(overlap, mask) ** 2,\n"
    edit(method / "overlap.py", pono, pono + squared)
    edit_yaml(project / "params.yaml", add_row)
    edit_yaml(
        project / "papers" / "lapnet.yaml",
        lambda paper: paper["tables"]["table2a"]["rows"].update({"squared": {"row": ROW}}),
    )
    place = "results/quick"
    for command in (
        ("plan", "quick"),
        ("train", f"{place}/specs/{ROW}-s0.json", f"{place}/trained/{ROW}-s0"),
        ("ledger", "quick"),
        ("tables", "quick"),
    ):
        run_in(project, [sys.executable, "-m", f"pipelines.{command[0]}", *command[1:]])
    table = pd.read_csv(project / place / "tables" / "lapnet-table2a.csv", dtype=str)
    rows = dict(zip(table.iloc[:, 0], table["n"], strict=True))
    assert (rows["squared"], rows["PONO, yes"]) == ("1", "0")
