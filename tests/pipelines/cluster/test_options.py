"""What the command line takes and what it refuses."""

import subprocess
import sys

import pytest

from pipelines import launch as program
from pipelines.cluster.launch import Place, Where
from pipelines.cluster.schedule import Resources
from pipelines.system.errors import UserError


@pytest.fixture
def launched(monkeypatch):
    """Calls of `launch`, which does nothing."""
    calls = []
    monkeypatch.setattr(
        "pipelines.cluster.launch.launch", lambda *arguments: calls.append(arguments)
    )
    return calls


def run(monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["launch", *options])
    program.main()


def test_without_options_runs_are_trained_here(monkeypatch, launched):
    run(monkeypatch)
    run(monkeypatch, "reference", "-j", "3")
    assert launched == [("quick", None, Where()), ("reference", 3, Where())]


def test_options_reach_the_cluster(monkeypatch, launched):
    run(monkeypatch, "--on", "ray", "--address", "head:6379", "--gpus", "0.5", "--remote", "there")
    slurm = ("--on", "slurm", "--partition", "gpu", "--time", "90", "--gpus", "2", "--memory", "16")
    run(monkeypatch, *slurm, "-j", "4")
    assert launched == [
        ("quick", None, Where(Place.RAY, "there", "head:6379", Resources(gpus=0.5))),
        ("quick", 4, Where(Place.SLURM, resources=Resources(2, 16, 90, "gpu"))),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("-j 0", "--jobs must be at least 1, not 0"),
        ("--gpus 1", "--gpus goes with --on ray or --on slurm, not with --on local"),
        ("--remote there", "--remote goes with --on ray or --on slurm, not with --on local"),
        ("--on ray --partition gpu", "--partition goes with --on slurm, not with --on ray"),
        ("--on ray --time 60", "--time goes with --on slurm, not with --on ray"),
        ("--on slurm --address head:1", "--address goes with --on ray, not with --on slurm"),
        ("--on slurm --time 0", "--time must be at least 1, not 0"),
        ("--on slurm --memory -1", "--memory must be at least 0.1, not -1"),
        ("--on slurm --memory nan", "--memory must be at least 0.1, not nan"),
        ("--on slurm --gpus 0.5", "--gpus 0.5: a share of a GPU is for Ray alone, and below 1"),
        ("--on ray --gpus 1.5", "--gpus 1.5: a share of a GPU is for Ray alone, and below 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(monkeypatch, launched, options, said):
    with pytest.raises(UserError) as error:
        run(monkeypatch, *options.split())
    assert str(error.value) == said
    assert not launched


def test_training_here_imports_no_cluster():
    code = (
        "import sys, pipelines.launch;"
        "print([name for name in ('ray', 'submitit') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
