"""Committed results wait, and come back to the byte; those made here are gone on from."""

import subprocess

import pytest

from pipelines.evidence.agreement.places import Places
from tests.pipelines.cluster.toy import commit, git

IGNORED = "/results/*/trained/\n/.committed/\n/results/here/\n"


@pytest.fixture
def places(tmp_path):
    """A repository with a committed study of one run."""
    study = tmp_path / "results" / "quick"
    (study / "runs" / "a-s0").mkdir(parents=True)
    (study / "trained" / "a-s0").mkdir(parents=True)
    (study / "runs" / "a-s0" / "run.json").write_text("committed")
    (study / "trained" / "a-s0" / "model.safetensors").write_text("weights")
    (study / "ledger.csv").write_text("committed")
    (tmp_path / "dvc.lock").write_text("committed")
    (tmp_path / ".gitignore").write_text(IGNORED)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return Places("quick", tmp_path)


def make(places):
    """A study here: another ledger, another run, a table, another lock file."""
    (places.results / "ledger.csv").write_text("here")
    (places.results / "runs" / "b-s0").mkdir()
    (places.results / "runs" / "b-s0" / "run.json").write_text("here")
    (places.results / "table.md").write_text("here")
    (places.repository / "dvc.lock").write_text("here")


def state(places):
    """What git says has changed."""
    command = ["git", "-C", places.repository, "status", "--porcelain"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def texts(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_working_tree_is_clean_again_and_what_was_made_lies_beside(places):
    places.keep()
    make(places)
    places.give_back()
    assert state(places) == ""
    assert texts(places.here) == {
        "ledger.csv": "here",
        "runs/a-s0/run.json": "committed",
        "runs/b-s0/run.json": "here",
        "table.md": "here",
        "dvc.lock": "here",
    }
    assert (places.results / "trained" / "a-s0" / "model.safetensors").read_text() == "weights"
    assert not places.committed.exists()


def test_the_next_time_goes_on_from_what_was_made(places):
    places.keep()
    make(places)
    places.give_back()
    places.keep()
    assert (places.results / "table.md").read_text() == "here"
    assert (places.repository / "dvc.lock").read_text() == "here"
    places.give_back()
    assert state(places) == ""
    assert (places.here / "table.md").read_text() == "here"


def test_an_interrupted_study_does_not_pass_for_the_committed_one(places):
    places.keep()
    make(places)
    places.keep()
    assert (places.committed / "ledger.csv").read_text() == "committed"


def test_on_request_what_was_made_stays(places):
    places.keep()
    make(places)
    places.forget()
    assert (places.results / "ledger.csv").read_text() == "here"
    assert not places.committed.exists()
    assert not places.here.exists()


def test_without_committed_runs_everything_stays_where_it_is(places, capsys):
    for path in sorted((places.results / "runs").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (places.results / "runs").rmdir()
    before = texts(places.repository / "results")
    places.keep()
    places.give_back()
    assert texts(places.repository / "results") == before
    assert "there is nothing to compare with" in capsys.readouterr().err
