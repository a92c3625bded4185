"""Small DVC repositories whose training is a shell command of a fraction of a second."""

import subprocess
import time
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from pipelines.cluster.clones import Clones
from pipelines.cluster.local import Launcher
from pipelines.cluster.schedule import Run

RUNS = {"a": None, "b": None, "c": None, "child": "a"}
"""Run to its parent."""
NOTED = "echo {what} $(basename $PWD) >> ../count"
"""Beside the repository and its clones: which stage was run where, a line each."""


def make_pipeline(folder, commands):
    """A repository without git, of stages that write a file of their name."""
    (folder / "dvc.yaml").write_text(
        yaml.safe_dump(
            {"stages": {name: {"cmd": cmd, "outs": [name]} for name, cmd in commands.items()}}
        )
    )
    Repo.init(str(folder), no_scm=True).close()
    return Launcher(folder, "dvc.yaml")


def make_study(folder, train="sleep 0.2", runs=RUNS):
    """A repository with git, shaped as a study: plan, data, trainings, ledger.

    Args:
        folder: of the repository.
        train: what a training does beside its result; may name {run}.
        runs: run to its parent, if it has one.
    """
    stages = {
        "plan": {
            "cmd": f"mkdir -p specs; for run in {' '.join(runs)}; do echo $run > specs/$run; done",
            "deps": ["params.yaml"],
            "outs": ["specs"],
        },
        "data": {
            "cmd": "mkdir -p data; echo photographs > data/all",
            "deps": ["params.yaml"],
            "outs": [{"data": {"cache": False}}],
        },
    }
    for run, parent in runs.items():
        inputs = [f"specs/{run}", "data", *([f"results/trained/{parent}"] if parent else [])]
        read = " ".join(name if "/" in name else f"{name}/all" for name in inputs)
        stages[f"train-{run}"] = {
            "cmd": f"{NOTED.format(what=run)}; ({train.format(run=run)}) && mkdir -p "
            f"results/trained && cat {read} > results/trained/{run}",
            "deps": inputs,
            "outs": [f"results/trained/{run}"],
        }
    stages["ledger"] = {
        "cmd": f"{NOTED.format(what='ledger')}; cat results/trained/* > results/ledger.csv",
        "deps": ["results/trained"],
        "outs": [{"results/ledger.csv": {"cache": False}}],
    }
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (folder / "params.yaml").write_text("steps: 1\n")
    (folder / ".gitignore").write_text("/data\n/specs\n/results/trained/*\n/.checkpoints/\n")
    git(folder, "init", "-q")
    Repo.init(str(folder)).close()
    commit(folder)
    return Launcher(folder, "dvc.yaml")


def git(folder, *arguments):
    who = ("-c", "user.name=toy", "-c", "user.email=toy@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "study")


def clones_of(launcher):
    return Clones.at_head(launcher.root, launcher.pipeline)


def as_runs(runs=RUNS):
    return [Run(name, f"train-{name}", parent) for name, parent in runs.items()]


def plan(launcher):
    launcher.repro("plan", "data")
    return launcher


def noted(launcher):
    """Stage and the folder it was run in, in the order they began."""
    lines = (launcher.root.parent / "count").read_text().splitlines()
    return [tuple(line.split()) for line in lines]


def lock(launcher):
    """What the lock file says of the stages, in whatever order."""
    return yaml.safe_load((launcher.root / "dvc.lock").read_text())


def lock_of_undisturbed(folder, **study):
    """The lock file of the same study, brought up to date by one `dvc repro`."""
    launcher = make_study(folder / "repo", **study)
    launcher.repro()
    return lock(launcher)


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.05)
    pytest.fail(f"did not come about in {seconds} s")


def wait_for_end(pid, seconds=20):
    """Until the process is gone, or has only its parent to wait for."""
    wait_until(lambda: status(pid)[0] == "Z", seconds)


def ancestors(pid):
    """The process, its parent, and so on up to the first."""
    line = []
    while pid:
        line.append(pid)
        pid = int(status(pid)[1])
    return line


def status(pid):
    """A process's state, `Z` when it is over, and its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "Z", 0
