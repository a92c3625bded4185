"""Stages side by side in a real DVC repository, whose training is a shell command."""

import json
import re
import sys
import time

import pytest
import yaml

from pipelines.system.errors import UserError
from pipelines.system.paths import REPOSITORY
from tests.pipelines.cluster.toy import make_pipeline, wait_for_end

TRAIN = "date +%s.%N > {name}; sleep 1; date +%s.%N >> {name}"


def same_names(*names):
    return {name: name for name in names}


def times(folder, name):
    begin, end = (folder / name).read_text().split()
    return float(begin), float(end)


def test_stages_run_side_by_side_but_after_their_parents_and_once(tmp_path):
    names = ("parent", "other", "child")
    launcher = make_pipeline(tmp_path, {name: TRAIN.format(name=name) for name in names})
    assert launcher.stale() == set(names)
    launcher.train(same_names(*names), {"child": "parent"}, 3, "test")
    spans = {name: times(tmp_path, name) for name in names}
    assert spans["other"][0] < spans["parent"][1]
    assert spans["child"][0] > spans["parent"][1]
    assert launcher.stale() == set()
    launcher.repro()
    assert {name: times(tmp_path, name) for name in names} == spans


def test_no_more_stages_at_once_than_jobs(tmp_path):
    names = ("first", "second")
    launcher = make_pipeline(tmp_path, {name: TRAIN.format(name=name) for name in names})
    launcher.train(same_names(*names), {}, 1, "test")
    assert times(tmp_path, "second")[0] > times(tmp_path, "first")[1]


@pytest.mark.parametrize(("given", "threads"), [(None, "2"), ("7", "7")])
def test_runs_share_the_cores_unless_told_otherwise(given, threads, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(6))
    launcher = make_pipeline(tmp_path, {"run": "echo $OMP_NUM_THREADS > run"})
    launcher.train(same_names("run"), {}, 3, "test")
    assert (tmp_path / "run").read_text().split() == [threads]


def test_runs_share_the_gpus(tmp_path):
    """Two at once have two GPUs, and a third takes over the one that is free first."""
    waits = {"long": "until test -e third; do sleep 0.1; done", "short": "true", "third": "true"}
    says = "echo $CUDA_VISIBLE_DEVICES > {}; {}"
    launcher = make_pipeline(tmp_path, {n: says.format(n, wait) for n, wait in waits.items()})
    launcher.train(same_names(*waits), {}, 2, "test", ["4", "6"])
    seen = {name: (tmp_path / name).read_text().strip() for name in waits}
    assert sorted([seen["long"], seen["short"]]) == ["4", "6"]
    assert seen["third"] == seen["short"]


@pytest.mark.skipif(sys.platform != "linux", reason="programs start preloaded on Linux")
@pytest.mark.parametrize("module", [None, "colorsys"])
def test_programs_find_a_module_imported_if_asked(module, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    program = f"{sys.executable} -m tests.pipelines.system.teller run 0"
    launcher = make_pipeline(tmp_path, {"run": f"{program} < /dev/null"})
    launcher.train(same_names("run"), {}, 1, "test", preload=module)
    assert json.loads((tmp_path / "run").read_text())["loaded"] is (module == "colorsys")


def test_a_failed_stage_ends_the_others_and_shows_what_it_said(tmp_path, capsys):
    launcher = make_pipeline(
        tmp_path,
        {
            "broken": "sleep 3; echo the reason; exit 3",
            "long": "echo $$ > pid; test -e in-a-hurry || sleep 60; touch long",
            "later": "touch later",
        },
    )
    began = time.monotonic()
    with pytest.raises(UserError, match=r"broken failed; all .* in \.checkpoints/broken\.log"):
        launcher.train(same_names("broken", "long", "later"), {}, 2, "test")
    assert time.monotonic() - began < 30
    assert "the reason" in capsys.readouterr().err
    assert not (tmp_path / "long").exists()
    if (tmp_path / "pid").exists():
        wait_for_end(int((tmp_path / "pid").read_text()))
    assert {"broken", "long"} <= launcher.stale()
    (tmp_path / "in-a-hurry").touch()
    launcher.repro("long")
    assert (tmp_path / "long").exists()


def test_a_failure_of_what_follows_the_runs_is_told(tmp_path):
    launcher = make_pipeline(tmp_path, {"tables": "exit 1"})
    with pytest.raises(UserError, match=r"repro --single-item dvc\.yaml:tables failed"):
        launcher.repro("tables")
    with pytest.raises(UserError, match=r"dvc repro dvc\.yaml failed"):
        launcher.repro()


def make_read_and_train(folder):
    """A stage that is run always and copies what lies beside, and one that depends on its copy."""
    launcher = make_pipeline(folder, {"read": "cat beside > read", "train": "cat read >> train"})
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    stages["read"] |= {"always_changed": True, "outs": [{"read": {"cache": False}}]}
    stages["train"] |= {"deps": ["read"], "outs": [{"train": {"persist": True}}]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    return launcher


def test_a_stage_that_is_run_always_is_stale_only_with_what_it_reads(tmp_path):
    launcher = make_read_and_train(tmp_path)
    (tmp_path / "beside").write_text("1")
    assert launcher.stale() == {"read", "train"}
    launcher.repro()
    launcher.refresh()
    assert launcher.stale() == set()
    (tmp_path / "beside").write_text("2")
    launcher.refresh()
    assert launcher.stale() == {"train"}
    launcher.repro()
    assert (tmp_path / "train").read_text() == "12"
    (tmp_path / "read").unlink()
    assert launcher.stale() == {"read", "train"}
    launcher.refresh()
    assert launcher.stale() == set()


def test_the_log_of_a_run_is_kept(tmp_path):
    launcher = make_pipeline(tmp_path, {"run": "echo told; touch run"})
    launcher.train(same_names("run"), {}, 1, "test")
    assert re.search("^told$", (tmp_path / ".checkpoints" / "run.log").read_text(), re.MULTILINE)
    assert launcher.stale() == set()
