"""Rows outside their ranges are named, and a comparison of nothing is an error."""

import subprocess
import sys

import pandas as pd
import pytest

from pipelines.cluster.seeds import SCRATCH, seeded
from pipelines.evidence.expected import compare, expected_ranges, propose
from pipelines.runs.parameters import declared_runs, read_parameters, split_name
from pipelines.system.errors import UserError
from pipelines.system.paths import REPOSITORY

LEDGER = pd.DataFrame(
    {"run": ["a-s0", "a-s1", "b-s0"], "row": ["a", "a", "b"], "AP50": [30.0, 41.0, 5.0]}
)


def test_each_run_is_held_against_its_row_s_range():
    found = {one.run: one.inside for one in compare(LEDGER, {"a": (25, 40), "b": (5, 6)})}
    assert found == {"a-s0": True, "a-s1": False, "b-s0": True}


def test_a_row_without_a_range_is_an_error():
    with pytest.raises(UserError, match="nothing is expected of b"):
        compare(LEDGER, {"a": (25, 40)})


@pytest.mark.parametrize("wrong", [{"AP": [1, 2]}, {"AP50": [1]}, {"AP50": "ab"}, None])
def test_what_is_no_range_is_named(wrong):
    parameters = {"profiles": {"quick": {"expected": {"a": wrong}}}}
    with pytest.raises(UserError, match=r"expected: a must be \{AP50: \[low, high\]\}"):
        expected_ranges(parameters, "quick")


def test_a_proposal_by_hand():
    # Spreads 2 and 1, pooled: the root of (2 * 4 + 2 * 1) / 4, four times 1.58 = 6.3.
    found = propose(
        {"a": [28, 30, 32], "b": [49, 50, 51], "c": [0, 0, 0.3], "d": [4], "e": [0, 0, 0]}
    )
    assert found == {
        "a": (23.7, 36.3),
        "b": (43.7, 56.3),
        "c": (0, 5.1),
        "d": (0, 10.3),
        "e": (0, 1),
    }


def test_every_row_of_quick_has_a_range():
    parameters = read_parameters()
    rows = {split_name(name)[0] for name in declared_runs(parameters, "quick")}
    assert expected_ranges(parameters, "quick").keys() == rows


def test_seeds_of_a_row_differ_in_nothing_else_and_start_from_runs_beside_the_study():
    parameters = read_parameters()
    runs, declared = seeded(parameters, "quick", 3), declared_runs(parameters, "quick")
    assert {split_name(name)[0] for name in runs} == {split_name(name)[0] for name in declared}
    assert runs["sampler-basic-s0"] == declared["sampler-basic-s0"]
    assert [runs[f"sampler-basic-s{n}"].seed for n in range(3)] == [0, 1, 2]
    own = runs["released-score-floor-s2"]
    assert own.init == str(SCRATCH / "sampler-dns-s2" / "model.safetensors")


@pytest.mark.slow
def test_the_command_refuses_too_few_seeds():
    command = [sys.executable, "-m", "pipelines.expected", "quick", "--seeds", "2"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--seeds must be 3 or more to know a spread, not 2" in done.stderr
