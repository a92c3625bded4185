"""Programs in a process that has imported a module which they do not need (colorsys)."""

import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from pipelines.system.paths import REPOSITORY
from pipelines.system.preloaded import preloaded
from tests.pipelines.cluster.toy import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs start preloaded on Linux")
PROGRAM = [sys.executable, "-m", "tests.pipelines.system.teller"]


@pytest.fixture
def known():
    """What programs must know."""
    with preloaded("colorsys", os.environ) as variables:
        yield variables


def start(tmp_path, asked, known, **streams):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OF_THE_PROGRAM": "its own"} | known
    command = [*PROGRAM, str(tmp_path / "told"), asked]
    return subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **streams)


def run(tmp_path, asked, known):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    (tmp_path / "told").unlink(missing_ok=True)
    program = start(tmp_path, asked, known, **pipes)
    said = program.communicate("lent", timeout=60)
    return json.loads((tmp_path / "told").read_text()), said, program.returncode


@pytest.mark.parametrize(("asked", "status"), [("0", 0), ("3", 3)])
def test_it_runs_as_if_started_alone_but_with_the_module(asked, status, tmp_path, known):
    alone, said_alone, status_alone = run(tmp_path, asked, {})
    told, said, ended = run(tmp_path, asked, known)
    assert told.pop("loaded")
    assert not alone.pop("loaded")
    assert told == alone
    assert told["variable"] == "its own"
    assert said == said_alone == ("lent\n", "and to stderr\n")
    assert ended == status_alone == status


def test_several_at_once_do_not_mix(tmp_path, known):
    folders = [tmp_path / name for name in "abcd"]
    for folder in folders:
        folder.mkdir()
    programs = [
        start(folder, str(k), known, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for k, folder in enumerate(folders)
    ]
    assert [program.wait(60) for program in programs] == [0, 1, 2, 3]
    told = [json.loads((folder / "told").read_text())["folder"] for folder in folders]
    assert told == [str(folder) for folder in folders]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_ended_with_the_program_that_asked(how, tmp_path, known):
    program = start(tmp_path, "wait", known)
    wait_until(lambda: (tmp_path / "told").exists() and (tmp_path / "told").read_text())
    assert int((tmp_path / "told").read_text()) != program.pid
    program.send_signal(how)
    program.wait()
    wait_until((tmp_path / "told.ended").exists)


def test_one_that_dies_is_told_by_its_signal(tmp_path, known):
    _, _, status = run(tmp_path, "die", known)
    assert status == 128 + signal.SIGABRT


def test_it_starts_alone_when_the_process_has_gone(tmp_path):
    with preloaded("colorsys", os.environ) as known:
        pass
    told, _, status = run(tmp_path, "3", known)
    assert (told["loaded"], told["address"], status) == (False, None, 3)


def test_it_starts_alone_when_the_process_cannot_import_its_module(tmp_path, capfd):
    with preloaded("no_such_module", os.environ) as known:
        told, _, status = run(tmp_path, "3", known)
    assert (told["loaded"], status) == (False, 3)
    assert "No module named 'no_such_module'" in capfd.readouterr().err


def test_code_that_was_changed_meanwhile_is_not_run(tmp_path, monkeypatch):
    """A module named colorsys, which hides the library's."""
    code = tmp_path / "colorsys.py"
    code.write_text("VERSION = 1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with preloaded("colorsys", os.environ) as known:
        assert run(tmp_path, "0", known)[0]["loaded"]
        code.write_text("VERSION = 2")
        told, _, status = run(tmp_path, "3", known)
    assert (told["loaded"], status) == (False, 3)


def test_an_older_system_has_programs_start_alone(monkeypatch):
    def missing(pid):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", missing)
    with preloaded("colorsys", os.environ) as known:
        assert known == {}
