"""Runs made twice, and what is said of them; figures by hand."""

import math
import shutil

import pandas as pd
import pytest

from pipelines.evidence.agreement.comparison import compare
from pipelines.evidence.agreement.page import text
from pipelines.evidence.expected import Comparison
from pipelines.runs.folder import RunFolder
from pipelines.runs.spec import RunSpec
from tests.pipelines.records import MACHINE, record_of

MATCHES = pd.DataFrame({"image": [1]})


def write_study(folder, runs, device="A processor"):
    """Of run name to its AP50, its first loss, and its sampler; a run's row stands before `-s`."""
    rows = []
    for name, (ap50, loss, sampler) in runs.items():
        row, seed = name.rsplit("-s", 1)
        spec = RunSpec(sampler=sampler, seed=int(seed))
        values = record_of(
            spec, name=name, agreement="bitwise", machine={**MACHINE, "device": device}
        )
        del values["files_sha256"]
        history = [{"step": 10, "loss": loss}]
        RunFolder(folder / "runs" / name).write(values, history, [], MATCHES, b"weights")
        rows.append({"run": name, "row": row, "seed": seed, "AP50": ap50})
    pd.DataFrame(rows).to_csv(folder / "ledger.csv", index=False)
    return folder


COMMITTED = {
    "a-s0": (30.0, 1.0, "basic"),
    "a-s1": (32.0, 1.0, "basic"),
    "b-s0": (50.0, 1.0, "dns"),
}
"""Seeds of `a` have a standard deviation of √2; two seeds lie 1.96·√2·√2 = 3.92 apart at most."""


@pytest.fixture
def committed(tmp_path):
    return write_study(tmp_path / "committed", COMMITTED)


def test_the_same_bytes_are_a_bitwise_agreement(committed, tmp_path):
    found = compare(committed, write_study(tmp_path / "here", COMMITTED, "Another"))
    assert [pair.bitwise for pair in found.pairs] == [True] * 3
    assert found.verdict == "All 3 runs came out bit for bit."
    assert [set(side) for side in found.machines] == [
        {"A processor, torch 2.0"},
        {"Another, torch 2.0"},
    ]
    page = text("quick", found, [])
    assert "## Runs that differ" not in page
    assert page.endswith("## Runs outside their expected range\n\nNone.\n")


def test_other_bytes_are_measured_by_the_spread_of_seeds(committed, tmp_path):
    here = {**COMMITTED, "a-s1": (34.0, 1.5, "basic"), "b-s0": (45.0, 1.5, "dns")}
    found = compare(committed, write_study(tmp_path / "here", here, "Another"))
    assert found.spread is not None
    assert found.spread.deviation == pytest.approx(math.sqrt(2))
    assert found.chance == pytest.approx(3.92)
    assert [(pair.run, pair.difference) for pair in found.differing] == [("b-s0", -5), ("a-s1", 2)]
    assert found.verdict == (
        "1 of 3 runs came out bit for bit; of the 2 others 1 lie farther apart than 3.9 AP50, as "
        "far as another seed can take a run: b-s0 (by chance one in twenty does)."
    )
    page = text("quick", found, [Comparison("b-s0", 45.0, (46.5, 60.0))])
    assert "| b-s0  | bitwise | 50.0             | 45.0   | -5.00        | -3.54 " in page
    assert "- b-s0: AP50 45.0, expected 46.5 to 60" in page


def test_a_committed_run_in_the_place_of_one_that_was_not_made_does_not_count(committed, tmp_path):
    here = write_study(tmp_path / "here", COMMITTED, "Another")
    shutil.rmtree(here / "runs" / "b-s0")
    shutil.copytree(committed / "runs" / "b-s0", here / "runs" / "b-s0")
    found = compare(committed, here)
    assert found.left_out == ("b-s0",)
    assert found.verdict == "All 2 runs came out bit for bit."
    page = text("quick", found, [])
    assert "Not made here, so that the committed run stands in its place: b-s0." in page


def test_another_specification_is_not_compared_and_is_named(committed, tmp_path):
    here = {"a-s0": (30.0, 1.0, "dns"), "new-s0": (1.0, 1.0, "basic")}
    found = compare(committed, write_study(tmp_path / "here", here))
    assert found.alone == ("a-s0", "new-s0")
    assert found.verdict.startswith("Nothing was compared")
    assert "Not compared, as no committed run has their specification: a-s0, new-s0." in text(
        "quick", found, []
    )
