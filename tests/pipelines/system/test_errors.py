import signal
import subprocess
import sys

import pytest

from pipelines.system.errors import UserError, note, run_cli
from pipelines.system.paths import REPOSITORY


def test_user_error_is_one_line_and_code_2(capsys):
    def fail():
        raise UserError("a.json: broken\nbadly; mend it")

    with pytest.raises(SystemExit) as caught:
        run_cli(fail)
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: a.json: broken badly; mend it\n"


def test_ctrl_c_is_one_line_and_code_130(capsys):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        run_cli(interrupted)
    assert caught.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("program", ["plan", "predict"])
def test_help_names_the_program_as_it_is_called(program):
    command = [sys.executable, "-m", f"pipelines.{program}", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert said.stdout.startswith(f"usage: python -m pipelines.{program} ")


def test_a_full_disk_is_one_line_and_code_2(capsys):
    def fill():
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)

    with pytest.raises(SystemExit) as caught:
        run_cli(fill)
    assert caught.value.code == 2
    assert "no space is left on its disk; free some" in capsys.readouterr().err


def test_a_reader_that_has_gone_is_no_error():
    program = (
        "from pipelines.system.errors import run_cli; run_cli(lambda: print('line\\n' * 100_000))"
    )
    command = [sys.executable, "-c", program]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, cwd=REPOSITORY) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_success_and_other_errors_pass_through():
    before = signal.getsignal(signal.SIGTERM)
    run_cli(lambda: None)
    with pytest.raises(ZeroDivisionError):
        run_cli(lambda: print(1 / 0))
    assert signal.getsignal(signal.SIGTERM) is before


def test_note_goes_to_stderr(capsys):
    note("2 left over of a\nb.png")
    assert capsys.readouterr() == ("", "note: 2 left over of a b.png\n")
