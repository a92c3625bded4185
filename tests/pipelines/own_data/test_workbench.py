"""`dvc exp run`, as its user calls it, in a copy of the project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.system.paths import REPOSITORY
from tests.pipelines.cluster.toy import commit, git
from tests.pipelines.own_coco import write_coco

METRICS = "results/workbench/metrics.json"
LIVE_METRICS = "results/workbench/live/metrics.json"
PAGE = "results/workbench/run/page.html"
SMALL = {"input_size": "128", "iterations": "2", "batch_size": "2"}


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """What git has or would take of the project, without its results, in a repository anew."""
    folder = tmp_path_factory.mktemp("workbench") / "project"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    for name in filter(None, done.stdout.split("\0")):
        if (REPOSITORY / name).is_file() and (name == METRICS or not name.startswith("results/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    git(folder, "init", "-q")
    commit(folder)
    return folder


@pytest.fixture
def project(copied):
    """The copy, without the changes that the last test named."""
    git(copied, "checkout", "params.yaml")
    return copied


def exp_run(project, *options, **changes):
    """Ends of `dvc exp run -S KEY=VALUE ... workbench`: its exit code, and all that it said."""
    named = [f"-S{name}={value}" for name, value in changes.items()]
    return dvc(project, "exp", "run", *options, *named, "workbench")


def dvc(project, *arguments):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=project,
        env={**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def record_of(project):
    return json.loads((project / "results/workbench/run/run.json").read_text())


@pytest.mark.slow
def test_named_changes_are_those_of_the_run_and_another_makes_another(project):
    """The warm-up is what the profile leaves open."""
    changes = {"sampler": "1:1", "class_weights": "[1,4,3.7]", "detector": "scale-aware-ssd"}
    wanted = {"sampler": "1:1", "class_weights": [1, 4, 3.7], "input_size": 128, "iterations": 2}
    for warmup in (1, 2):
        code, said = exp_run(project, **SMALL, **changes, warmup=warmup)
        assert code == 0, said
        assert wanted.items() <= record_of(project)["specification"].items()
        assert record_of(project)["specification"]["warmup"] == warmup
        figures = json.loads((project / METRICS).read_text())
        assert figures.keys() >= {"AP", "AP50", "AR100"}
        live, last = (
            project / "results/workbench" / part / "history.csv" for part in ("live", "run")
        )
        assert live.read_bytes() == last.read_bytes()
        _, shown = dvc(project, "metrics", "show", "--json", LIVE_METRICS)
        assert json.loads(shown)[""]["data"][LIVE_METRICS]["data"]["step"] == 2
        assert f"AP {figures['AP']:.1f}, AP50 {figures['AP50']:.1f}" in said
        assert f"The page of the run: {PAGE}\n" in said
        assert f"-S warmup={warmup} " in (project / PAGE).read_text()


@pytest.mark.slow
def test_a_corrected_label_is_trained_on_and_an_untouched_folder_is_not_again(project, tmp_path):
    write_coco(tmp_path / "own")
    command = {"profile": "own", "dataset": str(tmp_path / "own"), "init": "none", **SMALL}

    def trained():
        code, said = exp_run(project, **command)
        assert code == 0, said
        return "AP50" in said, record_of(project)

    first, before = trained()
    again, record = trained()
    assert (first, again) == (True, False)
    assert record == before
    file = tmp_path / "own" / "annotations" / "train.json"
    file.write_text(file.read_text().replace("[8, 8, 20, 20]", "[9, 9, 20, 20]", 1))
    corrected, after = trained()
    assert corrected
    assert after["data"]["splits"]["test"] == before["data"]["splits"]["test"]
    assert after["data"]["splits"]["train"] != before["data"]["splits"]["train"]
    assert trained() == (False, after)


@pytest.mark.slow
def test_a_folder_that_is_not_there_is_said(project):
    code, said = exp_run(project, profile="own", dataset="../no-such/folder")
    assert code != 0
    assert "error: ../no-such/folder: no such data set folder; correct the path" in said


@pytest.mark.slow
def test_a_refused_change_leaves_the_last_figures(project):
    before = (project / METRICS).read_bytes()
    code, said = exp_run(project, sampler="hardest")
    assert code != 0
    assert "error: params.yaml: sampler must be one of basic, 1:1, dns, not 'hardest'" in said
    assert (project / METRICS).read_bytes() == before


@pytest.mark.slow
def test_in_a_queue_and_in_a_copy_relative_paths_mean_what_they_mean_here(project, tmp_path):
    """The queued run starts from the weights of the first."""
    write_coco(project.parent / "own")
    command = {"profile": "own", "dataset": "../own", "detector": "lapnet", **SMALL}
    code, said = exp_run(project, **command, init="none")
    assert code == 0, said
    record = record_of(project)
    code, said = exp_run(project, "--temp", "--name", "copied", **command, init="none", seed=1)
    assert code == 0, said
    assert record_of(project) == record
    shutil.copy(project / "results/workbench/run/model.safetensors", project.parent)
    command["init"] = "../model.safetensors"
    code, said = exp_run(project, "--queue", "--name", "queued", **command)
    assert code == 0, said
    code, said = dvc(project, "queue", "start")
    assert code == 0, said
    code, said = dvc(project, "queue", "logs", "--follow", "queued")
    assert code == 0, said
    for name, differs in (("copied", "seed"), ("queued", "init")):
        run = tmp_path / name
        code, said = dvc(project, "get", ".", "results/workbench/run", "--rev", name, "-o", run)
        assert code == 0, said
        found = json.loads((run / "run.json").read_text())
        specification = record["specification"]
        assert [k for k, v in specification.items() if found["specification"][k] != v] == [differs]
        assert found["data"]["splits"] == record["data"]["splits"]
