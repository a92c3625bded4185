"""What code trained a study, and what of it has changed since, in a repository of two commits."""

import subprocess

import pytest

from pipelines.evidence import trained_code
from pipelines.evidence.trained_code import TRAINING_CODE, changed_since
from pipelines.runs.record import Code
from tests.imports import reached

HERE = "0123456789ab"


def git(folder, *arguments):
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *own, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A project inside a repository, one file in each folder, all committed."""
    monkeypatch.setattr(trained_code, "code_state", lambda: {"code_hash": HERE})
    project = tmp_path / "project"
    for folder in (*TRAINING_CODE, "pipelines/evidence"):
        (project / folder).mkdir(parents=True)
        (project / folder / "own.py").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "all")
    return project


@pytest.fixture
def committed(repository):
    """Other code than lies here, as it was committed."""
    return Code(git(repository, "rev-parse", "HEAD"), False, "f" * 12)


OWN = Code(None, True, HERE)


def change(repository, *folders):
    for folder in folders:
        (repository / folder / "own.py").write_text("changed = True")


def test_the_folders_of_a_training_are_all_that_it_imports():
    others = [
        name
        for name in reached("pipelines.train")
        if not name.replace(".", "/").startswith(TRAINING_CODE) and name != "pipelines"
    ]
    assert others == []


def test_runs_of_the_code_that_lies_here_need_no_word(repository):
    assert changed_since([OWN, OWN], repository) == ""


def test_folders_with_changes_are_named_in_order_whoever_committed_them(repository, committed):
    change(repository, "pipelines/training", "pipelines/evidence")
    git(repository, "commit", "-qam", "later")
    change(repository, "method")
    assert changed_since([committed, OWN, committed], repository) == (
        "2 runs were trained by other code than lies here; "
        "changed since: method, pipelines/training"
    )


def test_changes_of_what_no_training_runs_are_told_apart(repository, committed):
    change(repository, "pipelines/evidence")
    assert changed_since([committed], repository).endswith(
        "; nothing that a training runs has changed since"
    )


@pytest.mark.parametrize(
    "code",
    [Code("0" * 40, False, "f" * 12), Code(None, False, "f" * 12), Code("HEAD", True, "f" * 12)],
    ids=["unknown", "none", "changed"],
)
def test_a_run_without_a_known_commit_is_counted_beside_the_others(repository, committed, code):
    change(repository, "baselines")
    assert changed_since([committed, code], repository) == (
        "2 runs were trained by other code than lies here; changed since: baselines; of 1 it "
        "cannot be told what, as their commits are not known here"
    )
    assert "changed since" not in changed_since([code], repository)


def test_without_git_it_cannot_be_told(repository, committed, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    assert "of 1 it cannot be told what" in changed_since([committed], repository)
