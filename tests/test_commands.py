"""Help and errors of usage come at once: nothing heavy is loaded for them."""

import subprocess
import sys

import pytest

from tests.imports import ROOT, commands

HEAVY = ("torch", "torchvision", "pandas", "matplotlib", "scipy", "onnx", "tensorflow")
WITH_PROFILE = (
    "plan",
    "ledger",
    "speed",
    "tables",
    "claims",
    "figures",
    "report",
    "audit",
    "launch",
    "expected",
)
CALL = """
import runpy, sys
command, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_module(command, run_name="__main__", alter_sys=True)
finally:
    print("LOADED", *[name for name in {heavy} if name in sys.modules])
"""


def call(command, *arguments):
    """What a command prints, its exit code, and what of `HEAVY` it has loaded."""
    program = CALL.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program, command, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"GLIBC_TUNABLES": "", "PATH": ""},
    )
    said, _, loaded = done.stdout.rpartition("LOADED")
    return said, done.stderr, done.returncode, loaded.split()


@pytest.mark.parametrize("command", commands())
def test_help_teaches_and_loads_nothing_heavy(command):
    said, _, code, loaded = call(command, "--help")
    assert code == 0
    assert said.startswith("usage: ")
    assert len(said.splitlines()) > 4
    assert loaded == []


@pytest.mark.parametrize("name", WITH_PROFILE)
def test_a_wrong_profile_is_one_line_and_loads_nothing_heavy(name):
    _, error, code, loaded = call(f"pipelines.{name}", "no-such")
    assert code == 2
    assert error.startswith("error: profile must be one of quick, reference, ")
    assert error.count("\n") == 1
    assert loaded == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "none.json", "x"), "none.json: cannot be read"),
        (("inspect", "/no/such"), "/no/such: no such data set folder"),
        (("adapt", "/no/such"), "/no/such: no such data set folder"),
        (("export", "no-such-run"), "no-such-run/run.json: cannot be read"),
        (("predict", "m", "p", "--out", "o", "--score", "2"), "--score must be from 0 to 1"),
        (("predict", "m", "p", "--out", "o", "--tiles", "8"), "tiles must be 32 px or more"),
        (("val", "m", "scenes", "--whole", "--tiles", "512"), "--whole and --tiles exclude"),
        (("prepare", "scenes", "256", "--overlap", "0.5"), "--overlap goes with --tiles"),
        (("adapt", "/no/such", "--tiles", "512", "--overlap", "1"), "overlap of tiles must be"),
        (("bundle",), "name a study to pack, or --take what came home"),
        (("audit", "--keep", "README.md"), "--keep: README.md is not a folder"),
        (("launch", "--gpus", "1"), "--gpus goes with --on ray or --on slurm"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_an_error_of_usage_is_one_line_and_loads_no_torch(arguments, message):
    name, *rest = arguments
    _, error, code, loaded = call(f"pipelines.{name}", *rest)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert "torch" not in loaded
